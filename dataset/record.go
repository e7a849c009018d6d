package dataset

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// record is one object of a JSON file or one line of a CSV file, not yet understood.
type record struct {
	file   string // as given
	line   int
	nth    int            // records before it that start on the same line
	fields map[string]any // string (CSV) or json.RawMessage
}

// have lists the record's fields for an error message.
func (rec record) have() string {
	if len(rec.fields) == 0 {
		return "has no fields"
	}
	const most = 20
	names := slices.Sorted(maps.Keys(rec.fields))
	if n := len(names); n > most {
		names = append(names[:most], fmt.Sprintf("%d more", n-most))
	}
	return "have: " + strings.Join(names, ", ")
}

// text returns a field that must be a string; null and a field that is not there are empty.
func (rec record) text(name string) (string, error) {
	switch v := rec.fields[name].(type) {
	case string:
		return v, nil
	case json.RawMessage:
		switch kind(v) {
		case "null":
			return "", nil
		case "a string":
			var s string
			err := json.Unmarshal(v, &s)
			return s, err
		default:
			return "", fmt.Errorf("field %q: expected a string, found %s", name, kind(v))
		}
	}
	return "", nil
}

// scalar is text that also takes numbers and booleans, as they are spelled.
func (rec record) scalar(name string) (string, error) {
	if v, ok := rec.fields[name].(json.RawMessage); ok {
		switch kind(v) {
		case "a number", "true", "false":
			return string(v), nil
		case "a list", "an object":
			return "", fmt.Errorf("field %q: expected a string or a number, found %s", name, kind(v))
		}
	}
	return rec.text(name)
}

// kind says what a valid JSON value is, in words.
func kind(v json.RawMessage) string {
	switch v[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f', 'n':
		return string(v)
	default:
		return "a number"
	}
}

// list returns a field that holds a JSON list, as it is or as the text of a CSV cell; nil if it is null, blank or not there.
func (rec record) list(name, of string) (json.RawMessage, error) {
	var v json.RawMessage
	switch f := rec.fields[name].(type) {
	case json.RawMessage:
		v = f
		if kind(v) == "a string" {
			s, err := rec.text(name)
			if err != nil {
				return nil, err
			}
			v = json.RawMessage(strings.TrimSpace(s))
		}
	case string:
		v = json.RawMessage(strings.TrimSpace(f))
	}
	if len(v) == 0 || string(v) == "null" {
		return nil, nil
	}
	if !json.Valid(v) || kind(v) != "a list" {
		found := "a string"
		if json.Valid(v) {
			found = kind(v)
		}
		return nil, fmt.Errorf("field %q: expected a list of %s, found %s", name, of, found)
	}
	return v, nil
}

// isList reports whether a field is a JSON list.
func (rec record) isList(name string) bool {
	v, ok := rec.fields[name].(json.RawMessage)
	return ok && kind(v) == "a list"
}

// find returns the first of the names that is a field, else the first field that is one of them but for case and
// white space around it; empty if there is none.
func (rec record) find(names []string) string {
	for _, n := range names {
		if _, ok := rec.fields[n]; ok {
			return n
		}
	}
	best, at := "", len(names)
	for f := range rec.fields {
		i := slices.Index(names, strings.ToLower(strings.TrimSpace(f)))
		if i >= 0 && (i < at || i == at && f < best) {
			best, at = f, i
		}
	}
	return best
}

// named checks that a field which the config names is there.
func (rec record) named(name, key string) error {
	if _, ok := rec.fields[name]; !ok {
		return fmt.Errorf("no column %q, which %s names (%s)", name, key, rec.have())
	}
	return nil
}
