package dataset

import (
	"encoding/json"
	"fmt"
)

// Object is one object of a JSON file, or one line of a CSV file by its header, in no particular shape.
type Object struct {
	File   string // as given
	Line   int    // 1 is the first; where the object starts
	Fields map[string]json.RawMessage
	CSV    bool // every field is a string
}

// At is the object's place, file:line.
func (o Object) At() string { return fmt.Sprintf("%s:%d", o.File, o.Line) }

// Objects reads the objects of a file of rows in order, whatever fields they have. Errors name file:line, up to ten of them.
func Objects(name string, from Source) ([]Object, error) {
	var out []Object
	r := reading{name: name, base: baseName(name), config: Default(), from: from, report: newReport(0), info: FileInfo{Name: name}}
	r.each = func(rec record) error {
		o := Object{File: name, Line: rec.line, Fields: make(map[string]json.RawMessage, len(rec.fields)), CSV: r.info.Format == "csv" || r.info.Format == "tsv"}
		for k, v := range rec.fields {
			raw, ok := v.(json.RawMessage)
			if !ok {
				var err error
				if raw, err = json.Marshal(v); err != nil {
					return r.bad(rec.line, err)
				}
			}
			o.Fields[k] = raw
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
