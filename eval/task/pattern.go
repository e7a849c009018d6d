package task

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ft/tokenizer/chat"
)

// row is what patterns are filled in from.
type row struct {
	at     string // file:line
	fields []chat.Field
}

func (r *row) field(name string) (json.RawMessage, bool) {
	i := slices.IndexFunc(r.fields, func(f chat.Field) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	return r.fields[i].JSON, true
}

// pattern is the name of a field, or a Jinja template over all of them.
type pattern struct {
	source string
	text   *chat.Text
}

func parsePattern(source string) (*pattern, error) {
	t, err := chat.ParseText(source)
	if err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "chat: "))
	}
	return &pattern{source, t}, nil
}

// of fills the pattern in. known are the fields that some row has. The result is a field's value as JSON has it, or else the
// template's text.
func (p *pattern) of(r *row, known map[string]bool) (any, error) {
	if known[p.source] {
		raw, ok := r.field(p.source)
		if !ok {
			return nil, fmt.Errorf("%s: no field %q", r.at, p.source)
		}
		return decode(raw)
	}
	text, err := p.text.Render(r.fields)
	if err != nil {
		return nil, fmt.Errorf("%s: the template %.60q: %s (the row has: %s)", r.at, p.source, strings.TrimPrefix(err.Error(), "chat: "), r.names())
	}
	return text, nil
}

func (r *row) names() string {
	var names []string
	for _, f := range r.fields {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// decode reads a JSON value; whole numbers are ints.
func decode(raw json.RawMessage) (any, error) {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return plain(v), nil
}

func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}

// textOf is of for what must be text.
func (p *pattern) textOf(r *row, known map[string]bool, key string) (string, error) {
	v, err := p.of(r, known)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%s: %s: expected text in field %q, found %v", r.at, key, p.source, v)
	}
	return s, nil
}

// digits reports whether s is a number written in digits.
func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// listOf is of for what must be a list of texts: a field that is one, or a template that prints one as Python does.
func (p *pattern) listOf(r *row, known map[string]bool) ([]string, error) {
	v, err := p.of(r, known)
	if err != nil {
		return nil, err
	}
	if s, ok := v.(string); ok && !known[p.source] {
		if v, err = parseLiteral(s); err != nil {
			return nil, fmt.Errorf("%s: doc_to_choice: expected a list such as ['a', 'b'], found %.80q: %w", r.at, s, err)
		}
	}
	items, ok := v.([]any)
	texts := make([]string, len(items))
	for i, x := range items {
		s, isText := x.(string)
		texts[i], ok = s, ok && isText
	}
	if !ok {
		return nil, fmt.Errorf("%s: doc_to_choice: expected a list of texts, found %.80v", r.at, v)
	}
	return texts, nil
}

// targetOf is of for a target: an int, a text, or a list of either.
func (p *pattern) targetOf(r *row, known map[string]bool, choices bool) (any, error) {
	v, err := p.of(r, known)
	s, ok := v.(string)
	if err != nil || !ok || known[p.source] {
		return v, err
	}
	if digits(s) && choices {
		n, err := strconv.Atoi(s)
		if err != nil {
			return nil, fmt.Errorf("%s: doc_to_target: %q is no index", r.at, s)
		}
		return n, nil
	}
	if len(s) >= 2 && s[0] == '[' && s[len(s)-1] == ']' {
		if list, err := parseLiteral(s); err == nil {
			return list, nil
		}
	}
	return s, nil
}
