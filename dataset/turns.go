package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Roles are the ones that a message may have.
var Roles = []string{"system", "developer", "user", "assistant", "tool"}

// otherRoles are what ShareGPT and its kin call them. The text of a function_call is the call as JSON.
var otherRoles = map[string]string{
	"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant",
	"function_call": "assistant", "observation": "tool", "function": "tool", "function_response": "tool", "ipython": "tool",
}

// conversation reads a list of turns: the last one of the assistant is the answer, the turns before it are the prompt, and
// turns behind it are ignored.
func conversation(column string) func(record, *Row) error {
	return func(rec record, r *Row) error {
		turns, err := rec.turns(column)
		if err != nil {
			return err
		}
		r.converse(turns)
		return nil
	}
}

// converse divides turns into prompt and answer. Without an answer, which Clean counts, all are the prompt.
func (r *Row) converse(turns []Message) {
	last := -1
	for i, m := range turns {
		if m.Role == "assistant" {
			last = i
		}
	}
	if last < 0 {
		r.Messages = turns
		return
	}
	m := turns[last]
	r.Messages, r.Answer, r.Fields, r.turnsAfter = turns[:last:last], m.Content, m.Fields, last+1 < len(turns)
}

// turns reads a field that holds a list of turns.
func (rec record) turns(column string) ([]Message, error) {
	raw, err := rec.list(column, "{role, content}")
	if err != nil || raw == nil {
		return nil, err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	turns := make([]Message, len(list))
	for i, v := range list {
		if turns[i], err = readMessage(v); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", column, i, err)
		}
	}
	return turns, nil
}

// readMessage reads {role, content} or {from, value}. Other keys are kept for the template, in their order; the arguments of a
// call that are JSON in a string become JSON, as templates expect.
func readMessage(v json.RawMessage) (Message, error) {
	if k := kind(v); k != "an object" {
		return Message{}, fmt.Errorf("expected {role, content}, found %s", k)
	}
	all, err := objectFields(v)
	if err != nil {
		return Message{}, err
	}
	rec := record{fields: make(map[string]any, len(all))}
	for _, f := range all {
		rec.fields[f.Name] = f.JSON
	}
	role, content := "role", "content"
	if _, ok := rec.fields[role]; !ok {
		if _, ok := rec.fields["from"]; ok {
			role = "from"
		}
	}
	if _, ok := rec.fields[content]; !ok && role == "from" {
		content = "value"
	}
	var m Message
	if err := m.readRole(rec, role); err != nil {
		return m, err
	}
	calls := false
	for _, f := range all {
		switch {
		case f.Name == role || f.Name == content || string(f.JSON) == "null":
			continue
		case f.Name == "tool_calls":
			if f.JSON, err = openArguments(f.JSON); err != nil {
				return m, fmt.Errorf("tool_calls: %w", err)
			}
			if string(f.JSON) == "[]" {
				continue
			}
			calls = true
		case f.Name == "function_call":
			f.Name = "tool_calls"
			if f.JSON, err = wrapCalls(f.JSON); err != nil {
				return m, fmt.Errorf("function_call: %w", err)
			}
			calls = true
		}
		m.Fields = append(m.Fields, f)
	}
	return m, m.readContent(rec, role, content, calls)
}

func (m *Message) readRole(rec record, field string) (err error) {
	if _, ok := rec.fields[field]; !ok {
		return fmt.Errorf("missing field %q (%s)", field, rec.have())
	}
	if m.Role, err = rec.text(field); err != nil {
		return err
	}
	if slices.Contains(Roles, m.Role) {
		return nil
	}
	role, ok := otherRoles[strings.ToLower(m.Role)]
	if !ok {
		return fmt.Errorf("role %q: expected one of %s (or human, gpt, function_call, observation)", m.Role, strings.Join(Roles, ", "))
	}
	m.Role = role
	return nil
}

// readContent fills in what the turn says: a text, a list of {type: text} parts, which become lines, or for a turn with calls nothing.
func (m *Message) readContent(rec record, role, content string, calls bool) error {
	raw, ok := rec.fields[content].(json.RawMessage)
	switch {
	case !ok && !calls:
		return fmt.Errorf("missing field %q (%s)", content, rec.have())
	case !ok:
		return nil
	case calls && string(raw) == "null": // templates tell none from empty
		m.Fields = append(m.Fields, Field{"content", raw})
		return nil
	case kind(raw) == "a list":
		return m.readParts(raw)
	}
	var err error
	if m.Content, err = rec.text(content); err != nil {
		return err
	}
	if name, _ := rec.text(role); strings.ToLower(name) != "function_call" {
		return nil
	}
	list, err := wrapCalls(json.RawMessage(strings.TrimSpace(m.Content)))
	if err != nil {
		return fmt.Errorf("function_call: %w", err)
	}
	m.Content = ""
	m.Fields = append(m.Fields, Field{"tool_calls", list})
	return nil
}

func (m *Message) readParts(raw json.RawMessage) error {
	var parts []struct {
		Type string  `json:"type"`
		Text *string `json:"text"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return errors.New("content: expected a text or a list of {type: text, text}")
	}
	var texts []string
	for i, p := range parts {
		if p.Text == nil || p.Type != "text" && p.Type != "" {
			return fmt.Errorf("content[%d]: expected {type: text, text}, found type %q; only text is read", i, p.Type)
		}
		texts = append(texts, *p.Text)
	}
	m.Content = strings.Join(texts, "\n")
	return nil
}

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
			if f.Name != "function" {
				continue
			}
			function, err := objectFields(f.JSON)
			if err != nil {
				return nil, fmt.Errorf("[%d].function: expected an object: %w", i, err)
			}
			for j, a := range function {
				var text string
				if a.Name == "arguments" && json.Unmarshal(a.JSON, &text) == nil && json.Valid([]byte(text)) {
					if text = strings.TrimSpace(text); kind(json.RawMessage(text)) == "an object" {
						function[j].JSON = json.RawMessage(text)
					}
				}
			}
			call[k].JSON = object(function...)
		}
		list[i] = object(call...)
	}
	return array(list), nil
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
