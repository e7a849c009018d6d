package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
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

// Objects reads the objects of a json, jsonl or csv file in order, whatever fields they have. read is as for Load. Errors name
// file:line, up to ten of them.
func Objects(name string, read func(name string) ([]byte, error)) ([]Object, error) {
	data, err := read(name)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	format, err := detect(name, data)
	if err == nil {
		err = checkUTF8(name, data)
	}
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	var out []Object
	var bad rowErrors
	take := func(rec record) bool {
		o := Object{File: name, Line: rec.line, Fields: make(map[string]json.RawMessage, len(rec.fields)), CSV: format == "csv"}
		for k, v := range rec.fields {
			switch v := v.(type) {
			case json.RawMessage:
				o.Fields[k] = v
			case string:
				o.Fields[k], _ = json.Marshal(v) // a string always is one
			}
		}
		out = append(out, o)
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
	if err := errors.Join(bad...); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("dataset: no rows in %s", name)
	}
	return out, nil
}
