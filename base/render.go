package base

import (
	"encoding/json"

	"ft/dataset"
	"ft/tokenizer/chat"
)

// render lays out turns by a template. Templates disagree about turns with calls: the first form that the template takes is used,
// of content none or empty, arguments as an object or as JSON in a string. The error is that of the first form.
func render(t *chat.Template, turns []dataset.Message, tools json.RawMessage, begin bool) (string, error) {
	var extra []chat.Field
	if len(tools) > 0 {
		extra = append(extra, chat.Field{Name: "tools", JSON: tools})
	}
	text, first := t.Render(messages(turns, callForm{}), begin, extra...)
	if first == nil || !haveCalls(turns) {
		return text, first
	}
	for _, form := range []callForm{{empty: true}, {strings: true}, {empty: true, strings: true}} {
		if text, err := t.Render(messages(turns, form), begin, extra...); err == nil {
			return text, nil
		}
	}
	return "", first
}

func haveCalls(turns []dataset.Message) bool {
	for _, m := range turns {
		for _, f := range m.Fields {
			if f.Name == "tool_calls" {
				return true
			}
		}
	}
	return false
}

// callForm is how turns with calls are given to a template.
type callForm struct {
	empty   bool // content is "" where the row has null
	strings bool // arguments are JSON in a string
}

func messages(turns []dataset.Message, form callForm) []chat.Message {
	out := make([]chat.Message, len(turns))
	for i, m := range turns {
		out[i] = chat.Message{Role: m.Role, Content: m.Content}
		for _, f := range m.Fields {
			switch {
			case f.Name == "content" && form.empty:
				continue
			case f.Name == "tool_calls" && form.strings:
				f.JSON = dataset.ArgumentsAsText(f.JSON)
			}
			out[i].Fields = append(out[i].Fields, chat.Field(f))
		}
	}
	return out
}
