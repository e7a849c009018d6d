package tokencache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"ft/dataset"
	"ft/weights"
)

// Data is what a run needs of its rows. Samples may lie in a mapped file: they are read-only and valid until Close.
type Data struct {
	Train, Val dataset.Set
	Tokens     int  // of all training samples
	Rows       Rows // of each part, before tokenizing
	Report     *dataset.Report

	val, test answered
	head      head
	bytes     []byte           // all of the file
	index     int64            // where in it the index begins
	mapping   *weights.Mapping // nil for data in memory
	file      *os.File         // what is mapped
	temporary string           // the file's name if it goes with Close
}

// Rows counts the rows of the parts.
type Rows struct{ Train, Val, Test int }

// answered are the rows of a part that a model answers, as JSON, one a line.
type answered struct {
	json []byte
	n    int
}

// ValRows returns the first rows of the validation part that ask something; all for a limit of 0.
func (d *Data) ValRows(limit int) ([]dataset.Row, error) { return d.val.first(limit) }

// TestRows returns the first rows of the test part that ask something; all for a limit of 0.
func (d *Data) TestRows(limit int) ([]dataset.Row, error) { return d.test.first(limit) }

// WriteSplit writes the split as a manifest (dataset.Parts.WriteManifest).
func (d *Data) WriteSplit(w io.Writer) error {
	at := int64(tableSize) + int64(d.head.lengths[tokenSection]) + int64(pad(d.head.lengths[tokenSection]))
	_, err := io.Copy(w, d.section(at, at+int64(d.head.lengths[splitSection])))
	return err
}

// section reads bytes from and up to to of the file. It reads the file instead of touching the mapping: page faults would hold up everything else, and pages
// count as memory in use.
func (d *Data) section(from, to int64) io.Reader {
	if d.file != nil {
		return struct{ io.Reader }{io.NewSectionReader(d.file, from, to-from)}
	}
	return bytes.NewReader(d.bytes[from:to])
}

// Whole reports whether tokens, split and rows are as they were stored. It may run beside other work.
func (d *Data) Whole() bool {
	h := crc32.New(castagnoli)
	_, err := io.CopyBuffer(h, d.section(tableSize, d.index), make([]byte, 1<<18))
	return err == nil && h.Sum32() == d.head.bulk
}

// Close releases the mapped file; samples must not be used any more.
func (d *Data) Close() error {
	if d.mapping == nil {
		return nil
	}
	err := errors.Join(d.mapping.Close(), d.file.Close())
	if d.temporary != "" {
		err = errors.Join(err, os.Remove(d.temporary))
	}
	return err
}

// first returns the first rows that ask something; all for a limit of 0.
func (a *answered) first(limit int) ([]dataset.Row, error) {
	var rows []dataset.Row
	text := a.json
	for i := range a.n {
		if limit > 0 && len(rows) == limit {
			break
		}
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		var r dataset.Row
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("tokencache: row %d: %w", i, err)
		}
		if !r.Plain {
			rows = append(rows, r)
		}
	}
	return rows, nil
}
