package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Format is how a row becomes tokens. A conversation is Begin, the tokens of prompt + Lead + answer + End, Finish; a plain text is
// TextBegin, its tokens, TextEnd.
type Format struct {
	Encoder Encoder
	// Prompt lays out the turns before an answer as text, up to where the answer starts. tools is Row.Tools.
	Prompt func(turns []Message, tools json.RawMessage) (string, error)
	// Whole lays out turns that end in an answer; nil if the layout knows nothing but the text of turns.
	Whole func(turns []Message, tools json.RawMessage) (string, error)
	// Lead is white space that the layout has between prompt and answer, such as the blank behind [/INST]. A model
	// that answers writes it itself, so it counts as the answer's.
	Lead string
	// Preface is what Whole has there of its own accord beside white space, such as an empty thought. Answers are learnt without it.
	Preface string
	// End is the text that ends the answer's turn, such as <|im_end|>.
	End string
	// Behind is all that Whole has behind an answer: End and perhaps more, or what End takes the place of.
	Behind string
	// Begin are ids in front of the prompt that its text does not spell, such as BOS under the plain
	// template; Finish are ids behind End.
	Begin, Finish []int32
	// TextBegin and TextEnd are the ids around a plain text.
	TextBegin, TextEnd []int32
	// Special are the texts of the special tokens. Rows that spell one are noted in the report, because
	// it becomes the token and not text.
	Special []string
}

// Plain is the prompt of models without a chat template: every turn's text and a newline. It cannot write tools.
func Plain(turns []Message, tools json.RawMessage) (string, error) {
	if len(tools) > 0 {
		return "", errors.New("the plain layout cannot write tools; a model with a chat template can")
	}
	var b strings.Builder
	for _, m := range turns {
		if m.calls() != nil {
			return "", errors.New("the plain layout cannot write tool_calls; a model with a chat template can")
		}
		b.WriteString(m.Content)
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// PromptIDs returns the tokens that a model answers to: Begin and the row's prompt under the given system
// message (see Row.Prompt). It fails if the template does.
func (f Format) PromptIDs(r Row, system string) ([]int32, error) {
	text, err := f.prompt(r, system)
	if err != nil {
		return nil, err
	}
	return slices.Concat(f.Begin, f.Encoder.Encode(text, false)), nil
}

// prompt is the row's prompt as text.
func (f Format) prompt(r Row, system string) (string, error) {
	text, err := f.Prompt(r.Prompt(system), r.Tools)
	if err != nil {
		return "", r.templateError(err)
	}
	return text, nil
}

func (r Row) templateError(err error) error {
	return fmt.Errorf("dataset: %s:%d: template: %w", r.File, r.Line, err)
}

// turn is the text of the assistant's turn m behind a prompt, which lays out the turns before it: what a model has to write. A turn of nothing but text is
// taken as it is; how others look is the template's to say.
func (f Format) turn(prompt string, before []Message, m Message, tools json.RawMessage) (string, error) {
	if len(m.Fields) == 0 {
		return f.Lead + m.Content + f.End, nil
	}
	if f.Whole == nil {
		if m.calls() != nil {
			return "", errors.New("the plain layout cannot write tool_calls; a model with a chat template can")
		}
		return f.Lead + m.Content + f.End, nil
	}
	whole, err := f.Whole(append(before[:len(before):len(before)], m), tools)
	if err != nil {
		return "", err
	}
	text, ok := strings.CutPrefix(whole, prompt)
	if !ok {
		return "", errors.New("it begins an answer in another way than it writes this turn of the assistant, which therefore cannot be learnt; give the turn as text")
	}
	text = strings.TrimPrefix(text, f.Preface)
	if body, ok := strings.CutSuffix(text, f.Behind); ok {
		text = body + f.End
	} else {
		text = strings.TrimRight(text, " \n")
		if !slices.ContainsFunc(f.Special, func(s string) bool { return s != "" && strings.HasSuffix(text, s) }) {
			return "", fmt.Errorf("no special token ends the turn of the assistant: %q", tail(text))
		}
	}
	return text, m.written(text)
}

// written checks that a turn's text has the functions that the turn calls: a template that knows no tools leaves them out.
func (m Message) written(text string) error {
	for _, call := range m.calls() {
		name, err := nameOf(call)
		if err != nil {
			return fmt.Errorf("tool_calls: %w", err)
		}
		if !strings.Contains(text, name) {
			return fmt.Errorf("it leaves out tool_calls (%s): the model knows no tools", name)
		}
	}
	return nil
}

// calls are the turn's tool_calls.
func (m Message) calls() []json.RawMessage {
	for _, f := range m.Fields {
		var list []json.RawMessage
		if f.Name == "tool_calls" && json.Unmarshal(f.JSON, &list) == nil {
			return list
		}
	}
	return nil
}

// tail is the end of a text, for a message.
func tail(s string) string {
	r := []rune(s)
	return string(r[max(0, len(r)-40):])
}
