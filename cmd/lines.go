package cmd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// jsonRow is one object of a JSON lines file, its fields not decoded yet.
type jsonRow struct {
	at     string // file:line
	fields map[string]json.RawMessage
}

// eachRow calls f for every object of a JSON lines file as it is read, in order; the file - is in. Blank lines do not
// count. It stops at the first error; those of reading name file and line.
func eachRow(file string, in io.Reader, f func(jsonRow) error) error {
	if file == "-" {
		return eachRowOf("stdin", in, f)
	}
	r, err := os.Open(file)
	if err != nil {
		return err
	}
	defer r.Close()
	return eachRowOf(file, r, f)
}

func eachRowOf(name string, in io.Reader, f func(jsonRow) error) error {
	r := bufio.NewReader(in)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", name, err)
		}
		last := err != nil
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			row := jsonRow{at: fmt.Sprintf("%s:%d", name, n)}
			if row.fields, err = decodeObject(line); err != nil {
				return row.bad("expected one JSON object on the line: %w", err)
			}
			if err := f(row); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// decodeObject takes a JSON object apart. Bytes that are no UTF-8 are refused, as JSON would replace them in silence.
func decodeObject(line []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("found bytes that are not UTF-8")
	}
	var fields map[string]json.RawMessage
	err := json.Unmarshal(line, &fields)
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrong), err == nil && fields == nil:
		return nil, fmt.Errorf("found %s", jsonKind(line))
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("%w (byte %d)", err, syntax.Offset)
	}
	return fields, err
}

// jsonKind says in words what a valid JSON value is.
func jsonKind(v []byte) string {
	switch v[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

// bad is an error that names the row.
func (r jsonRow) bad(format string, args ...any) error {
	return fmt.Errorf(r.at+": "+format, args...)
}

// has reports whether the row has a field.
func (r jsonRow) has(field string) bool {
	_, ok := r.fields[field]
	return ok
}

// text is a field that must be there and be a string.
func (r jsonRow) text(field string) (string, error) {
	raw, ok := r.fields[field]
	if !ok {
		return "", r.bad("no field %q", field)
	}
	if raw[0] != '"' {
		return "", r.bad("field %q: expected a string, found %s", field, jsonKind(raw))
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", r.bad("field %q: %w", field, err)
	}
	return s, nil
}

// ids is a field that must be there and be a list of token ids. Whether a vocabulary has them is not checked.
func (r jsonRow) ids(field string) ([]int32, error) {
	raw, ok := r.fields[field]
	if !ok {
		return nil, r.bad("no field %q", field)
	}
	var list []*int32
	if err := json.Unmarshal(raw, &list); err != nil || raw[0] != '[' {
		return nil, r.bad("field %q: expected a list of whole numbers", field)
	}
	ids := make([]int32, len(list))
	for i, v := range list {
		if v == nil {
			return nil, r.bad("field %q: entry %d is null", field, i)
		}
		ids[i] = *v
	}
	return ids, nil
}

// lineWriter returns a function that writes its argument as one line of JSON.
func lineWriter(w io.Writer) func(v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode
}
