package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// record is one object of a JSON file or one line of a CSV file, not yet understood.
type record struct {
	file   string // as given
	line   int
	fields map[string]any // string (CSV) or json.RawMessage
}

// A shape is a set of fields that rows come in.
type shape struct {
	need []string
	read func(rec record, row *Row) error
}

// shapes are the ones that are read, in the order in which they are tried.
var shapes = []shape{
	{[]string{"messages"}, readMessages},
	{[]string{"question", "answer"}, pair("question", "answer")},
	{[]string{"instruction", "output"}, readAlpaca},
	{[]string{"prompt", "completion"}, pair("prompt", "completion")},
}

const shapesRead = "a row is {messages}, {question, answer}, {instruction, input, output} or {prompt, completion}"

// row understands a record. split names the columns that keep rows together (the optional field `group` for
// auto) and that parts are stratified by. base begins the id of a row that has none.
func (rec record) row(base string, split SplitConfig) (Row, error) {
	r := Row{File: rec.file, Line: rec.line}
	s, err := rec.shape()
	if err == nil {
		err = s.read(rec, &r)
	}
	if err == nil {
		err = rec.system(&r)
	}
	if err == nil {
		r.ID, err = rec.scalar("id")
	}
	if err == nil {
		err = rec.group(&r, split.Group)
	}
	if err == nil {
		err = rec.stratum(&r, split.Stratify)
	}
	if err != nil {
		return Row{}, fmt.Errorf("%s:%d: %w", rec.file, rec.line, err)
	}
	if strings.TrimSpace(r.ID) == "" {
		r.ID = fmt.Sprintf("%s:%d", base, rec.line)
	}
	return r, nil
}

// shape returns the first shape whose fields are all there; the error names what the nearest one lacks.
func (rec record) shape() (shape, error) {
	lacks := ""
	for _, s := range shapes {
		var missing []string
		for _, f := range s.need {
			if _, ok := rec.fields[f]; !ok {
				missing = append(missing, fmt.Sprintf("%q", f))
			}
		}
		if len(missing) == 0 {
			return s, nil
		}
		if lacks == "" && len(missing) < len(s.need) {
			lacks = strings.Join(missing, ", ")
		}
	}
	if lacks == "" {
		return shape{}, fmt.Errorf("no question and answer (%s); %s", rec.have(), shapesRead)
	}
	return shape{}, fmt.Errorf("missing field %s (%s); %s", lacks, rec.have(), shapesRead)
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

// system adds the row's `system` field unless its messages begin with a system message.
func (rec record) system(r *Row) error {
	s, err := rec.text("system")
	if err != nil || strings.TrimSpace(s) == "" {
		return err
	}
	r.Messages = r.Prompt(s)
	return nil
}

// group fills in the row's group. A column that the config names must be there and not be empty.
func (rec record) group(r *Row, column string) error {
	if column == "none" {
		return nil
	}
	named := column != "auto" && column != nearGroups
	if !named {
		column = "group"
	} else if _, ok := rec.fields[column]; !ok {
		return fmt.Errorf("no column %q, which split.group names (%s)", column, rec.have())
	}
	g, err := rec.scalar(column)
	if err != nil {
		return err
	}
	if strings.TrimSpace(g) == "" {
		if named {
			return fmt.Errorf("column %q, which split.group names, is empty", column)
		}
		g = ""
	}
	r.Group = g
	return nil
}

// stratum fills in the value by which parts are stratified. The column must be there; an empty value is one like the others.
func (rec record) stratum(r *Row, column string) (err error) {
	if column == "" {
		return nil
	}
	if _, ok := rec.fields[column]; !ok {
		return fmt.Errorf("no column %q, which split.stratify names (%s)", column, rec.have())
	}
	r.Stratum, err = rec.scalar(column)
	return err
}

// pair reads a question and an answer from two fields.
func pair(question, answer string) func(record, *Row) error {
	return func(rec record, r *Row) (err error) {
		q, err := rec.text(question)
		if err != nil {
			return err
		}
		r.Messages = []Message{{Role: "user", Content: q}}
		r.Answer, err = rec.text(answer)
		return err
	}
}

// readAlpaca reads an instruction, an input that may be empty or not there, and an output.
func readAlpaca(rec record, r *Row) error {
	if err := pair("instruction", "output")(rec, r); err != nil {
		return err
	}
	in, err := rec.text("input")
	if err == nil && strings.TrimSpace(in) != "" {
		r.Messages[0].Content += "\n" + in
	}
	return err
}

// Roles are the ones that a message may have.
var Roles = []string{"system", "developer", "user", "assistant", "tool"}

// readMessages reads a conversation: the last assistant turn is the answer, the turns before it are the
// prompt, and turns behind it are ignored.
func readMessages(rec record, r *Row) error {
	raw, ok := rec.fields["messages"].(json.RawMessage)
	if !ok {
		return errors.New(`field "messages": expected a list of {role, content}, found a string`)
	}
	if k := kind(raw); k != "a list" && k != "null" {
		return fmt.Errorf(`field "messages": expected a list of {role, content}, found %s`, k)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	turns := make([]Message, len(list))
	last := -1
	for i, v := range list {
		m, err := readMessage(v)
		if err != nil {
			return fmt.Errorf("messages[%d]: %w", i, err)
		}
		turns[i] = m
		if m.Role == "assistant" {
			last = i
		}
	}
	if last < 0 { // no answer: Clean counts it
		r.Messages = turns
		return nil
	}
	r.Messages, r.Answer, r.turnsAfter = turns[:last:last], turns[last].Content, last+1 < len(turns)
	return nil
}

func readMessage(v json.RawMessage) (Message, error) {
	if k := kind(v); k != "an object" {
		return Message{}, fmt.Errorf("expected {role, content}, found %s", k)
	}
	fields, err := jsonFields(v)
	if err != nil {
		return Message{}, err
	}
	rec := record{fields: fields}
	for _, f := range []string{"role", "content"} {
		if _, ok := fields[f]; !ok {
			return Message{}, fmt.Errorf("missing field %q (%s)", f, rec.have())
		}
	}
	var m Message
	if m.Role, err = rec.text("role"); err != nil {
		return Message{}, err
	}
	if !slices.Contains(Roles, m.Role) {
		return Message{}, fmt.Errorf("role %q: expected one of %s", m.Role, strings.Join(Roles, ", "))
	}
	m.Content, err = rec.text("content")
	return m, err
}
