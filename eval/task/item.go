package task

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// choicesOf are a row's choices, nil if the kind of task has none.
func (b *builder) choicesOf(r *row) ([]string, error) {
	switch d := b.d; {
	case d.Choices != nil:
		return d.Choices, nil
	case d.Choice != nil:
		return d.Choice.listOf(r, b.known)
	}
	return nil, nil
}

// targetOf is a row's target: an int, a text, or a list of either.
func (b *builder) targetOf(r *row) (any, error) {
	switch d := b.d; {
	case d.Target != nil:
		return d.Target.targetOf(r, b.known, d.Choice != nil || d.Choices != nil)
	case len(d.Targets) == 1:
		return d.Targets[0], nil
	}
	return b.d.Targets, nil
}

// item lays out row i.
func (b *builder) item(i int, r *row) (item, error) {
	it := item{at: r.at}
	target, err := b.targetOf(r)
	if err != nil {
		return it, err
	}
	if b.d.OutputType == Rolling {
		text, ok := target.(string)
		if !ok || text == "" {
			return it, fmt.Errorf("%s: doc_to_target: expected the text to score, found %v", r.at, target)
		}
		it.continued = []string{text}
		return it, nil
	}
	before, err := b.before(i, r)
	if err != nil {
		return it, err
	}
	if b.d.OutputType == MultipleChoice {
		return b.choiceItem(r, before, target)
	}
	question, err := b.d.Text.textOf(r, b.known, "doc_to_text")
	if err != nil {
		return it, err
	}
	text, ok := target.(string)
	if n, isInt := target.(int); isInt {
		text, ok = strconv.Itoa(n), true
	}
	if !ok || text == "" {
		return it, fmt.Errorf("%s: doc_to_target: expected a text, found %v", r.at, target)
	}
	// lm-eval puts no target_delimiter here: the target brings its own white space.
	it.contexts, it.continued = []string{before + question}, []string{text}
	return it, nil
}

// choiceItem lays out a row's choices behind its question, or, where doc_to_text is an index, the target behind each choice.
func (b *builder) choiceItem(r *row, before string, target any) (item, error) {
	it := item{at: r.at}
	var err error
	if it.choices, err = b.choicesOf(r); err != nil {
		return it, err
	}
	if len(it.choices) < 2 {
		return it, fmt.Errorf("%s: expected at least two choices, found %d", r.at, len(it.choices))
	}
	if i := slices.Index(it.choices, ""); i >= 0 {
		return it, fmt.Errorf("%s: choice %d is empty", r.at, i)
	}
	if b.inputs {
		return b.inputItem(r, it, before, target)
	}
	question, err := b.d.Text.textOf(r, b.known, "doc_to_text")
	if err != nil {
		return it, err
	}
	for _, c := range it.choices {
		it.contexts = append(it.contexts, before+question)
		it.continued = append(it.continued, b.d.TargetDelimiter+c)
	}
	it.gold, err = goldOf(r, target, it.choices)
	return it, err
}

func (b *builder) inputItem(r *row, it item, before string, target any) (item, error) {
	for _, c := range it.choices {
		it.contexts = append(it.contexts, before+c)
		it.continued = append(it.continued, b.d.TargetDelimiter+fmt.Sprint(target))
	}
	right, err := b.d.Text.of(r, b.known)
	if err != nil {
		return it, err
	}
	if s, ok := right.(string); ok && digits(s) {
		right, _ = strconv.Atoi(s)
	}
	it.gold, err = goldOf(r, right, it.choices)
	return it, err
}

// goldOf finds the right choices.
func goldOf(r *row, target any, choices []string) ([]int, error) {
	list, ok := target.([]any)
	if !ok {
		list = []any{target}
	}
	var gold []int
	for _, t := range list {
		at := -1
		switch t := t.(type) {
		case int:
			if t < len(choices) {
				at = t
			}
		case string:
			at = slices.Index(choices, t)
		}
		if at < 0 {
			hint := ""
			if s, ok := t.(string); ok && digits(s) {
				hint = "; for an index that is text, write doc_to_target as a template: \"{{field}}\""
			}
			return nil, fmt.Errorf("%s: the target %#v is neither one of the %d choices nor the index of one%s", r.at, t, len(choices), hint)
		}
		gold = append(gold, at)
	}
	if len(gold) == 0 {
		return nil, fmt.Errorf("%s: the target is an empty list", r.at)
	}
	return gold, nil
}

// before is what stands in front of row i's own question: the description and the examples.
func (b *builder) before(i int, r *row) (string, error) {
	var out strings.Builder
	if b.d.Description != nil {
		text, err := b.d.Description.textOf(r, b.known, "description")
		if err != nil {
			return "", err
		}
		out.WriteString(text)
	}
	if b.d.Shots == 0 {
		return out.String(), nil
	}
	examples, err := b.examples(i, r)
	if err != nil {
		return "", err
	}
	for _, e := range examples {
		if err := b.example(&out, e); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

// example writes a row with its answer.
func (b *builder) example(out *strings.Builder, r *row) error {
	target, err := b.targetOf(r)
	if err != nil {
		return err
	}
	choices, err := b.choicesOf(r)
	if err != nil {
		return err
	}
	question := ""
	if b.inputs {
		right, err := b.d.Text.of(r, b.known)
		if err != nil {
			return err
		}
		if s, ok := right.(string); ok && digits(s) {
			right, _ = strconv.Atoi(s)
		}
		gold, err := goldOf(r, right, choices)
		if err != nil {
			return err
		}
		question, choices = choices[gold[0]], nil
	} else if question, err = b.d.Text.textOf(r, b.known, "doc_to_text"); err != nil {
		return err
	}
	answer, err := answerOf(r, target, choices)
	if err != nil {
		return err
	}
	out.WriteString(question)
	if answer != "" {
		out.WriteString(b.d.TargetDelimiter + answer + b.d.FewshotDelim)
	}
	return nil
}

// answerOf is the text of a target, the first one's if there are several.
func answerOf(r *row, target any, choices []string) (string, error) {
	if list, ok := target.([]any); ok && len(list) > 0 {
		target = list[0]
	}
	if n, ok := target.(int); ok && choices != nil {
		if n >= len(choices) {
			return "", fmt.Errorf("%s: the target %d is not the index of one of the %d choices", r.at, n, len(choices))
		}
		return choices[n], nil
	}
	return fmt.Sprint(target), nil
}
