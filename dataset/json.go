package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// readJSONLines hands every line of data that is not blank to take as one object.
func readJSONLines(name string, data []byte, take func(record) bool, bad *rowErrors) {
	for n := 1; len(data) > 0; n++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		fields, err := jsonFields(line)
		if err != nil {
			if !bad.add(fmt.Errorf("%s:%d: expected one JSON object on the line: %w", name, n, err)) {
				return
			}
			continue
		}
		if !take(record{line: n, fields: fields}) {
			return
		}
	}
}

// jsonFields decodes one object.
func jsonFields(v []byte) (map[string]any, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(v, &raw); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, fmt.Errorf("found %s", kind(v))
		}
		return nil, jsonError(err)
	}
	if raw == nil {
		return nil, errors.New("found null")
	}
	fields := make(map[string]any, len(raw))
	for k, f := range raw {
		fields[k] = f
	}
	return fields, nil
}

// jsonError says what is wrong and at which byte, without the package's jargon.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w (byte %d)", err, syntax.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends too early")
	}
	return err
}

// readJSON hands every object of a JSON list to take.
func readJSON(name string, data []byte, take func(record) bool, bad *rowErrors) {
	dec := json.NewDecoder(bytes.NewReader(data))
	line, seen := 1, 0 // the line of byte seen
	lineAt := func(offset int) int {
		line += bytes.Count(data[seen:offset], []byte("\n"))
		seen = offset
		return line
	}
	fail := func(offset int64, err error) {
		bad.add(fmt.Errorf("%s:%d: expected a list of JSON objects: %w", name, lineAt(max(seen, min(int(offset), len(data)))), err))
	}
	if tok, err := dec.Token(); err != nil {
		fail(0, jsonError(err))
		return
	} else if tok != json.Delim('[') {
		fail(0, fmt.Errorf("found %v", tok))
		return
	}
	for dec.More() {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			offset := dec.InputOffset()
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) {
				offset = max(offset, syntax.Offset-1)
			} else {
				offset = int64(len(data))
			}
			fail(offset, jsonError(err))
			return
		}
		at := lineAt(int(dec.InputOffset()) - len(raw))
		fields, err := jsonFields(raw)
		if err != nil {
			if !bad.add(fmt.Errorf("%s:%d: expected a JSON object: %w", name, at, err)) {
				return
			}
			continue
		}
		if !take(record{line: at, fields: fields}) {
			return
		}
	}
	if _, err := dec.Token(); err != nil {
		fail(int64(len(data)), jsonError(err))
	} else if rest := bytes.TrimSpace(data[dec.InputOffset():]); len(rest) > 0 {
		fail(int64(len(data)-len(rest)), errors.New("found text behind its end"))
	}
}
