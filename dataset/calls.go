package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// wrapCalls makes the list of tool_calls of {name, arguments}, or a list of such.
func wrapCalls(v json.RawMessage) (json.RawMessage, error) {
	if !json.Valid(v) {
		return nil, errors.New("expected {name, arguments} as JSON")
	}
	list := []json.RawMessage{v}
	if kind(v) == "a list" {
		if err := json.Unmarshal(v, &list); err != nil {
			return nil, err
		}
	}
	for i, call := range list {
		if _, err := nameOf(call); err != nil {
			return nil, err
		}
		list[i] = object(Field{"type", json.RawMessage(`"function"`)}, Field{"function", call})
	}
	return openArguments(array(list))
}

// openArguments turns the arguments of each call that are JSON in a string into JSON. Everything else stays as it is.
func openArguments(v json.RawMessage) (json.RawMessage, error) {
	return mapArguments(v, func(a json.RawMessage) json.RawMessage {
		var text string
		if json.Unmarshal(a, &text) != nil || !json.Valid([]byte(text)) {
			return a
		}
		if text = strings.TrimSpace(text); kind(json.RawMessage(text)) != "an object" {
			return a
		}
		return json.RawMessage(text)
	})
}

// ArgumentsAsText is a list of tool_calls whose arguments are JSON in a string, as the OpenAI API has them and some templates expect.
func ArgumentsAsText(calls json.RawMessage) json.RawMessage {
	v, err := mapArguments(calls, func(a json.RawMessage) json.RawMessage {
		if kind(a) == "a string" {
			return a
		}
		text, _ := json.Marshal(string(a)) // of a string, which cannot fail
		return text
	})
	if err != nil {
		return calls
	}
	return v
}

// mapArguments applies change to the arguments of each call of a list: {function: {name, arguments}}, or {name, arguments}.
func mapArguments(v json.RawMessage, change func(json.RawMessage) json.RawMessage) (json.RawMessage, error) {
	var list []json.RawMessage
	if kind(v) != "a list" || json.Unmarshal(v, &list) != nil {
		return nil, fmt.Errorf("expected a list, found %s", kind(v))
	}
	for i, raw := range list {
		call, err := objectFields(raw)
		if err != nil {
			return nil, fmt.Errorf("[%d]: expected an object: %w", i, err)
		}
		for k, f := range call {
			switch f.Name {
			case "arguments":
				call[k].JSON = change(f.JSON)
			case "function":
				if call[k].JSON, err = changeFunction(f.JSON, change); err != nil {
					return nil, fmt.Errorf("[%d].function: expected an object: %w", i, err)
				}
			}
		}
		list[i] = object(call...)
	}
	return array(list), nil
}

func changeFunction(v json.RawMessage, change func(json.RawMessage) json.RawMessage) (json.RawMessage, error) {
	fields, err := objectFields(v)
	if err != nil {
		return nil, err
	}
	for i, f := range fields {
		if f.Name == "arguments" {
			fields[i].JSON = change(f.JSON)
		}
	}
	return object(fields...), nil
}

// tools reads the row's list of functions, each as it is or, if it is bare, as {type: function, function: …}.
func (rec record) tools(r *Row) error {
	raw, err := rec.list("tools", "functions")
	if err != nil || raw == nil {
		return err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
		return err
	}
	for i, v := range list {
		fields, err := objectFields(v)
		if err != nil {
			return fmt.Errorf("tools[%d]: expected an object: %w", i, err)
		}
		if !slices.ContainsFunc(fields, func(f Field) bool { return f.Name == "function" }) {
			if _, err := nameOf(v); err != nil {
				return fmt.Errorf("tools[%d]: %w", i, err)
			}
			list[i] = object(Field{"type", json.RawMessage(`"function"`)}, Field{"function", v})
		}
	}
	r.Tools = array(list)
	return nil
}

// nameOf is the name of a function or a call.
func nameOf(v json.RawMessage) (string, error) {
	var f struct {
		Name     string `json:"name"`
		Function *struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if err := json.Unmarshal(v, &f); err != nil {
		return "", fmt.Errorf("expected a function with a name, found %s", kind(v))
	}
	if f.Function != nil {
		f.Name = f.Function.Name
	}
	if f.Name == "" {
		return "", errors.New("the function has no name")
	}
	return f.Name, nil
}

// objectFields are the fields of a JSON object, in order.
func objectFields(v json.RawMessage) ([]Field, error) {
	d := json.NewDecoder(bytes.NewReader(v))
	if tok, err := d.Token(); err != nil {
		return nil, jsonError(err)
	} else if tok != json.Delim('{') {
		return nil, fmt.Errorf("found %s", kind(v))
	}
	var fields []Field
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, jsonError(err)
		}
		f := Field{Name: name.(string)}
		if err := d.Decode(&f.JSON); err != nil {
			return nil, jsonError(err)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// object is a JSON object of the fields.
func object(fields ...Field) json.RawMessage {
	b := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(f.Name) // of a string, which cannot fail
		b = append(append(append(b, name...), ':'), f.JSON...)
	}
	return append(b, '}')
}

// array is a JSON list of the values.
func array(values []json.RawMessage) json.RawMessage {
	return append(append([]byte{'['}, bytes.Join(rawBytes(values), []byte{','})...), ']')
}

func rawBytes(values []json.RawMessage) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}
