package dataset

import (
	"encoding/json"
	"fmt"
)

// Object is one object of a JSON file, one line of a CSV file by its header, or one row of a parquet file, in no particular shape.
type Object struct {
	File   string // as given
	Line   int    // 1 is the first; where the object starts
	Fields map[string]json.RawMessage
	CSV    bool // every field is a string
}

// At is the object's place, file:line.
func (o Object) At() string { return fmt.Sprintf("%s:%d", o.File, o.Line) }

// Objects reads the objects of a file of any format that Load reads, in order, whatever fields they have, into memory. Errors name
// file:line, up to ten of them.
func Objects(name string, from Source) ([]Object, error) {
	var out []Object
	r := reading{name: name, base: baseName(name), from: from, report: newReport(0), info: FileInfo{Name: name}}
	r.each = func(line int, fields map[string]any) error {
		o := Object{File: name, Line: line, Fields: make(map[string]json.RawMessage, len(fields)), CSV: r.info.Format == "csv" || r.info.Format == "tsv"}
		for k, v := range fields {
			switch v := v.(type) {
			case json.RawMessage:
				o.Fields[k] = v
			case string:
				o.Fields[k], _ = json.Marshal(v) // a string always is one
			}
		}
		out = append(out, o)
		return nil
	}
	if err := r.read(); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("dataset: no rows in %s", name)
	}
	return out, nil
}
