package dataset

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxErrors bounds how many bad rows of a file one error tells of.
const maxErrors = 10

const filesRead = "files read are .json, .jsonl and .csv"

// Load reads the rows of all of c's files, in order. read returns a file's content by its name in c.Files
// (os.ReadFile, or something that knows more names). Every row must fit one of the shapes, and no two may
// have the same id; errors name file:line, up to ten bad rows a file. A row without an id gets the last
// element of the file's name and its line, or the whole name if two files share that element.
func Load(c Config, read func(name string) ([]byte, error)) (*Table, *Report, error) {
	bases := map[string]int{}
	for _, name := range c.Files {
		bases[baseName(name)]++
	}
	var rows []Row
	for _, name := range c.Files {
		data, err := read(name)
		if err != nil {
			return nil, nil, fmt.Errorf("dataset: %w", err)
		}
		base := baseName(name)
		if bases[base] > 1 {
			base = filepath.ToSlash(name)
		}
		more, err := parse(name, base, c.Split.Group, data)
		if err != nil {
			return nil, nil, fmt.Errorf("dataset: %w", err)
		}
		rows = append(rows, more...)
	}
	if len(rows) == 0 {
		return nil, nil, fmt.Errorf("dataset: no rows in %s", strings.Join(c.Files, ", "))
	}
	if err := uniqueIDs(rows); err != nil {
		return nil, nil, err
	}
	report := newReport(len(rows))
	for _, r := range rows {
		if r.turnsAfter {
			report.note(turnsAfter, r.ID)
		}
	}
	return NewTable(rows...), report, nil
}

func baseName(name string) string { return path.Base(filepath.ToSlash(name)) }

// uniqueIDs returns an error that names both places of the first id that two rows have.
func uniqueIDs(rows []Row) error {
	at := make(map[string]int, len(rows))
	var first error
	n := 0
	for i, r := range rows {
		j, ok := at[r.ID]
		if !ok {
			at[r.ID] = i
			continue
		}
		n++
		if first == nil {
			first = fmt.Errorf("dataset: %s:%d: id %q is also the id of %s:%d", r.File, r.Line, r.ID, rows[j].File, rows[j].Line)
		}
	}
	if n > 1 {
		return fmt.Errorf("%w (and %d more ids that are not the first)", first, n-1)
	}
	return first
}

// parse reads the rows of one file. base begins the ids of rows that have none; group is split.group.
func parse(name, base, group string, data []byte) ([]Row, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	format, err := detect(name, data)
	if err != nil {
		return nil, err
	}
	if err := checkUTF8(name, data); err != nil {
		return nil, err
	}
	var rows []Row
	var bad rowErrors
	take := func(rec record) bool {
		rec.file = name
		row, err := rec.row(base, group)
		if err != nil {
			return bad.add(err)
		}
		rows = append(rows, row)
		return true
	}
	switch format {
	case "json":
		readJSON(name, data, take, &bad)
	case "jsonl":
		readJSONLines(name, data, take, &bad)
	case "csv":
		readCSV(name, data, take, &bad)
	}
	return rows, errors.Join(bad...)
}

// rowErrors collects a file's errors, up to maxErrors.
type rowErrors []error

// add keeps err and reports whether reading on makes sense.
func (e *rowErrors) add(err error) bool {
	*e = append(*e, err)
	return len(*e) < maxErrors
}

// detect says how a file is to be read: by its extension, and by its content when the extension is another
// one. A .json file that begins with an object holds one object a line.
func detect(name string, data []byte) (string, error) {
	text := bytes.TrimLeft(data, " \t\r\n")
	line, _, _ := bytes.Cut(text, []byte("\n"))
	switch ext := strings.ToLower(filepath.Ext(name)); {
	case ext == ".jsonl", ext == ".csv":
		return ext[1:], nil
	case bytes.HasPrefix(text, []byte("[")):
		return "json", nil
	case bytes.HasPrefix(text, []byte("{")):
		if !json.Valid(line) {
			return "", fmt.Errorf("%s:%d: expected a list of JSON objects, or one object a line, found an object over several lines",
				name, 1+bytes.Count(data[:len(data)-len(text)], []byte("\n")))
		}
		return "jsonl", nil
	case ext == ".json":
		return "json", nil
	}
	header, err := csv.NewReader(bytes.NewReader(line)).Read()
	if err == nil && slices.ContainsFunc(shapes, func(s shape) bool { return s.in(header) }) {
		return "csv", nil
	}
	return "", fmt.Errorf("%s: neither its extension nor its first line tells what it is; %s", name, filesRead)
}

// in reports whether a CSV header has the shape's columns.
func (s shape) in(header []string) bool {
	for _, f := range s.need {
		if !slices.ContainsFunc(header, func(h string) bool { return strings.TrimSpace(h) == f }) {
			return false
		}
	}
	return true
}

// checkUTF8 returns an error that names the first line that is not UTF-8.
func checkUTF8(name string, data []byte) error {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return fmt.Errorf("%s:1: expected UTF-8 text, found the mark of UTF-16; convert the file to UTF-8", name)
	}
	if utf8.Valid(data) {
		return nil
	}
	for n, line := 1, []byte(nil); ; n++ {
		line, data, _ = bytes.Cut(data, []byte("\n"))
		if utf8.Valid(line) {
			continue
		}
		at := 0
		for {
			r, size := utf8.DecodeRune(line[at:])
			if r == utf8.RuneError && size == 1 {
				return fmt.Errorf("%s:%d: expected UTF-8 text, found byte 0x%02x at position %d of the line; convert the file to UTF-8",
					name, n, line[at], at+1)
			}
			at += size
		}
	}
}
