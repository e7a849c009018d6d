package tokencache

import (
	"bytes"
	"encoding/json"
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
	Split      []byte // the split as a manifest (dataset.Manifest)

	val, test answered
	mapping   *weights.Mapping // nil for data made from rows
	path      string           // of the file
	bulk      int64            // where what Whole checks begins
	sum       uint32           // its checksum
}

// Rows counts the rows of the parts.
type Rows struct{ Train, Val, Test int }

// answered are the rows of a part that a model answers: themselves, or as JSON, one a line.
type answered struct {
	rows dataset.View
	json []byte
	n    int
}

// FromRows makes Data of rows that are split and tokenized.
func FromRows(parts dataset.Parts, train, val []dataset.Sample, report *dataset.Report) (*Data, error) {
	m, err := parts.Manifest()
	if err != nil {
		return nil, err
	}
	var split bytes.Buffer
	if err := m.Write(&split); err != nil {
		return nil, err
	}
	tokens := 0
	for i := range train {
		tokens += len(train[i].IDs)
	}
	return &Data{
		Train: dataset.List(train), Val: dataset.List(val), Tokens: tokens, Report: report, Split: split.Bytes(),
		Rows: Rows{parts.Train.Len(), parts.Val.Len(), parts.Test.Len()},
		val:  answered{rows: parts.Val, n: parts.Val.Len()}, test: answered{rows: parts.Test, n: parts.Test.Len()},
	}, nil
}

// ValRows returns the first rows of the validation part; all for a limit of 0.
func (d *Data) ValRows(limit int) ([]dataset.Row, error) { return d.val.first(limit) }

// TestRows returns the first rows of the test part; all for a limit of 0.
func (d *Data) TestRows(limit int) ([]dataset.Row, error) { return d.test.first(limit) }

// Whole reports whether tokens, split and rows are as they were stored. It may run beside other work: it reads the file instead of touching
// the mapping, whose page faults would hold up everything else.
func (d *Data) Whole() bool {
	if d.mapping == nil {
		return true
	}
	f, err := os.Open(d.path)
	if err != nil {
		return false
	}
	defer f.Close()
	if _, err := f.Seek(d.bulk, io.SeekStart); err != nil {
		return false
	}
	h := crc32.New(castagnoli)
	_, err = io.CopyBuffer(h, struct{ io.Reader }{f}, make([]byte, 1<<18))
	return err == nil && h.Sum32() == d.sum
}

// Close releases the mapped file; samples must not be used any more.
func (d *Data) Close() error {
	if d.mapping == nil {
		return nil
	}
	return d.mapping.Close()
}

func (a *answered) first(limit int) ([]dataset.Row, error) {
	n := a.n
	if limit > 0 {
		n = min(n, limit)
	}
	if a.json == nil {
		return a.rows.First(limit).Rows()
	}
	rows := make([]dataset.Row, n)
	text := a.json
	for i := range rows {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		if err := json.Unmarshal(line, &rows[i]); err != nil {
			return nil, fmt.Errorf("tokencache: row %d: %w", i, err)
		}
	}
	return rows, nil
}

// lines are all rows as JSON.
func (a *answered) lines() ([]byte, error) {
	if a.json != nil {
		return a.json, nil
	}
	b := []byte{} // not nil: an empty part is no missing one
	for r, err := range a.rows.All() {
		if err != nil {
			return nil, err
		}
		line, err := json.Marshal(&r)
		if err != nil {
			return nil, err
		}
		b = append(append(b, line...), '\n')
	}
	return b, nil
}
