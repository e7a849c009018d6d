package eval

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"ft/internal/workers"
)

// rowForms are the spellings of a row, the first that a row has both keys of counts. "references" holds a
// list; the others hold one string each. predict and label are LLaMA-Factory's.
var rowForms = []struct{ prediction, reference string }{
	{"prediction", "references"},
	{"prediction", "reference"},
	{"predict", "label"},
	{"hyp", "ref"},
}

// ReadPredictions reads a JSONL file of predictions with their references, one object a line: {"prediction",
// "references": [..]}, or with one reference {"prediction", "reference"}, {"predict", "label"} or {"hyp", "ref"}. Other
// keys and blank lines are passed over. name is what errors call the file; they say the line as well.
func ReadPredictions(r io.Reader, name string) ([]Pair, error) {
	const batch = 4096 // lines that are decoded together
	var pairs []Pair
	in := bufio.NewReader(r)
	var rows []rowLine
	for line, more := 1, true; more; line++ {
		raw, err := in.ReadBytes('\n')
		if more = err == nil; err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("eval: %s:%d: %w", name, line, err)
		}
		if line == 1 {
			raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
		}
		if len(bytes.TrimSpace(raw)) > 0 {
			rows = append(rows, rowLine{raw: raw, line: line})
		}
		if !more || len(rows) == batch {
			if pairs, err = decodeRows(pairs, rows); err != nil {
				return nil, fmt.Errorf("eval: %s:%w", name, err)
			}
			rows = rows[:0]
		}
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("eval: %s: no rows", name)
	}
	return pairs, nil
}

// rowLine is a line that holds a row, and what it was decoded to.
type rowLine struct {
	raw  []byte
	line int
	pair Pair
	err  error
}

// decodeRows appends the pairs of rows. The error is that of the first bad one and begins with its line.
func decodeRows(pairs []Pair, rows []rowLine) ([]Pair, error) {
	workers.Each(len(rows), rowGrain, func(i int) { rows[i].pair, rows[i].err = parseRow(rows[i].raw) })
	for _, r := range rows {
		if r.err != nil {
			return nil, fmt.Errorf("%d: %w", r.line, r.err)
		}
		pairs = append(pairs, r.pair)
	}
	return pairs, nil
}

func parseRow(raw []byte) (Pair, error) {
	var row map[string]json.RawMessage
	if err := json.Unmarshal(raw, &row); err != nil {
		return Pair{}, fmt.Errorf("not a JSON object: %w", err)
	}
	for _, f := range rowForms {
		pred, okPred := row[f.prediction]
		ref, okRef := row[f.reference]
		if !okPred || !okRef {
			continue
		}
		var p Pair
		var err error
		if p.Prediction, err = textField(f.prediction, pred); err != nil {
			return Pair{}, err
		}
		if f.reference == "references" {
			p.References, err = listField(f.reference, ref)
		} else {
			p.References = make([]string, 1)
			p.References[0], err = textField(f.reference, ref)
		}
		return p, err
	}
	have := strings.Join(slices.Sorted(maps.Keys(row)), ", ")
	return Pair{}, fmt.Errorf("a row needs prediction and references or reference, or predict and label, or hyp and ref (have: %s)", have)
}

// textField decodes a string. JSON's null, which would decode as "", is refused.
func textField(key string, raw json.RawMessage) (string, error) {
	var s *string
	if err := json.Unmarshal(raw, &s); err != nil || s == nil {
		return "", fmt.Errorf("field %q must be a string, got %s", key, clip(raw))
	}
	return *s, nil
}

func listField(key string, raw json.RawMessage) ([]string, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil || len(items) == 0 {
		return nil, fmt.Errorf("field %q must be a list of at least one string, got %s", key, clip(raw))
	}
	out := make([]string, len(items))
	for i, item := range items {
		s, err := textField(fmt.Sprintf("%s[%d]", key, i), item)
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}

// clip shortens a value for an error message.
func clip(raw json.RawMessage) string {
	if r := []rune(string(raw)); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return string(raw)
}
