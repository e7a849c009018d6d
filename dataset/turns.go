package dataset

import (
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
