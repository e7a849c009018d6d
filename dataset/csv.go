package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"ft/internal/textenc"
)

// readCSV takes every line below the header. comma separates, double quotes enclose fields that hold separators, quotes (doubled) or line ends,
// as in RFC 4180; blank lines do not count. A quote in the middle of a field that is not enclosed makes the row a bad one.
func (r *reading) readCSV(in io.Reader, comma rune) error {
	c := csv.NewReader(in)
	c.Comma = comma
	c.FieldsPerRecord = -1 // counted here, to say what was found
	header, err := readCells(c)
	if err != nil {
		if errors.Is(err, io.EOF) { // an empty file has no rows
			return nil
		}
		return r.csvError(err)
	}
	headerLine, _ := c.FieldPos(0)
	seen := make(map[string]bool, len(header))
	for i, h := range header {
		h = strings.TrimSpace(h)
		if err := broken(h); err != nil {
			return fmt.Errorf("%s:%d: header: %w", r.name, headerLine, err)
		}
		if h != "" && seen[h] {
			return fmt.Errorf("%s:%d: expected a header of different column names, found %q twice", r.name, headerLine, h)
		}
		header[i], seen[h] = h, true
	}
	for {
		cells, err := readCells(c)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			err = r.badLine(c, err)
		} else {
			line, _ := c.FieldPos(0)
			err = r.cells(line, header, cells)
		}
		if err != nil {
			return err
		}
	}
}

// cells takes one row.
func (r *reading) cells(line int, header, cells []string) error {
	for _, cell := range cells {
		if err := broken(cell); err != nil {
			return r.bad(line, err)
		}
	}
	if len(cells) != len(header) {
		return r.bad(line, fmt.Errorf("expected %d fields as in the header, found %d", len(header), len(cells)))
	}
	fields := make(map[string]any, len(cells))
	for i, h := range header {
		if h != "" {
			fields[h] = cells[i]
		}
	}
	return r.take(line, fields)
}

// readCells returns the next line that holds more than white space.
func readCells(r *csv.Reader) ([]string, error) {
	for {
		cells, err := r.Read()
		if err != nil || len(cells) > 1 || strings.TrimSpace(cells[0]) != "" {
			return cells, err
		}
	}
}

// badLine deals with a row that is no CSV. A quote where none belongs spoils its own line; quotes that do not match leave open where the next
// row begins, unless the file is cut off in the row.
func (r *reading) badLine(c *csv.Reader, err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return r.csvError(err)
	}
	switch {
	case errors.Is(parse.Err, csv.ErrBareQuote):
		return r.bad(parse.StartLine, fmt.Errorf("%w (column %d); a field with quotes in it must be enclosed in quotes, and they doubled", parse.Err, parse.Column))
	case errors.Is(parse.Err, csv.ErrQuote) && r.cutOff():
		return r.bad(parse.StartLine, errCutOff)
	}
	return r.csvError(err)
}

// cutOff reports whether the text has been read up to its end and that lies in a character.
func (r *reading) cutOff() bool {
	d, ok := r.since.in.(*textenc.Reader)
	return ok && d.CutOff()
}

// csvError names the file and the line on which the broken row starts.
func (r *reading) csvError(err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return r.fatal(1, "", err)
	}
	if parse.Line != parse.StartLine {
		return fmt.Errorf("%s:%d: %w (noticed on line %d, column %d)", r.name, parse.StartLine, parse.Err, parse.Line, parse.Column)
	}
	return fmt.Errorf("%s:%d: %w (column %d)", r.name, parse.Line, parse.Err, parse.Column)
}
