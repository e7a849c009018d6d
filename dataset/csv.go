package dataset

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// readCSV hands every line below the header to take. Commas separate, double quotes enclose fields that
// hold commas, quotes (doubled) or line ends, as in RFC 4180; blank lines do not count.
func readCSV(name string, data []byte, take func(record) bool, bad *rowErrors) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1 // counted here, to say what was found
	header, err := readCells(r)
	if err != nil {
		if !errors.Is(err, io.EOF) { // an empty file has no rows
			bad.add(csvError(name, err))
		}
		return
	}
	headerLine, _ := r.FieldPos(0)
	seen := make(map[string]bool, len(header))
	for i, h := range header {
		h = strings.TrimSpace(h)
		if h != "" && seen[h] {
			bad.add(fmt.Errorf("%s:%d: expected a header of different column names, found %q twice", name, headerLine, h))
			return
		}
		header[i], seen[h] = h, true
	}
	for {
		cells, err := readCells(r)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil { // where the next row starts is a guess from here on
			bad.add(csvError(name, err))
			return
		}
		line, _ := r.FieldPos(0)
		if len(cells) != len(header) {
			err := fmt.Errorf("%s:%d: expected %d fields as in the header, found %d", name, line, len(header), len(cells))
			if !bad.add(err) {
				return
			}
			continue
		}
		fields := make(map[string]any, len(cells))
		for i, h := range header {
			if h != "" {
				fields[h] = cells[i]
			}
		}
		if !take(record{line: line, fields: fields}) {
			return
		}
	}
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

// csvError names the file and the line on which the broken row starts.
func csvError(name string, err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("%s: %w", name, err)
	}
	if parse.Line != parse.StartLine {
		return fmt.Errorf("%s:%d: %w (noticed on line %d, column %d)", name, parse.StartLine, parse.Err, parse.Line, parse.Column)
	}
	return fmt.Errorf("%s:%d: %w (column %d)", name, parse.Line, parse.Err, parse.Column)
}
