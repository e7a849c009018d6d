package chat

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ardanlabs/jinja"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string
	Content string
	Fields  []Field // further keys such as tool_calls; one named content takes the place of Content
}

// Field is a named value. Objects keep the order of their keys.
type Field struct {
	Name string
	JSON json.RawMessage // empty: the name is left undefined
}

// Options are what a template may refer to beside the conversation.
type Options struct {
	BOS, EOS, Unknown, Pad string    // bos_token and so on; empty ones are undefined
	Now                    time.Time // for strftime_now; zero: the time of rendering
}

// Template is a compiled chat template, safe for concurrent use.
type Template struct {
	opt     Options
	tmpl    *jinja.Template
	methods []string
}

// maxSource bounds a template's source in bytes; the longest known ones have 30 KB.
const maxSource = 1 << 20

// Parse compiles a template. Syntax errors and statements that are not supported are errors.
func Parse(source string, opt Options) (*Template, error) {
	t, err := parse(source, false)
	if err != nil {
		return nil, err
	}
	t.opt = opt
	return t, nil
}

// parse compiles a template; plain leaves white space around statements and at the end as it is.
func parse(source string, plain bool) (t *Template, err error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("chat: the template has %d bytes, the most is %d", len(source), maxSource)
	}
	tags, err := lex(source, plain)
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	r := rewriter{}
	if err := r.all(tags); err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	defer recoverTo(&err)
	tmpl, err := jinja.Compile(r.out.String())
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	return &Template{tmpl: tmpl, methods: r.methods}, nil
}

// Render lays out messages; addGenerationPrompt asks for the beginning of the assistant's next turn.
// extra are further variables (tools, enable_thinking); tools and documents are none unless given. What the
// template raises is an error.
func (t *Template) Render(messages []Message, addGenerationPrompt bool, extra ...Field) (out string, err error) {
	list := make([]jinja.Value, len(messages))
	for i, m := range messages {
		if list[i], err = m.value(); err != nil {
			return "", fmt.Errorf("chat: message %d: %w", i, err)
		}
	}
	vars := map[string]jinja.Value{
		"messages":              jinja.NewList(list),
		"add_generation_prompt": jinja.NewBool(addGenerationPrompt),
		"tools":                 jinja.None(),
		"documents":             jinja.None(),
	}
	o := t.opt
	for name, token := range map[string]string{"bos_token": o.BOS, "eos_token": o.EOS, "unk_token": o.Unknown, "pad_token": o.Pad} {
		if token != "" {
			vars[name] = jinja.NewString(token)
		}
	}
	for _, f := range extra {
		if len(f.JSON) == 0 {
			delete(vars, f.Name)
			continue
		}
		if vars[f.Name], err = fromJSON(f.JSON); err != nil {
			return "", fmt.Errorf("chat: %s: %w", f.Name, err)
		}
	}
	now := t.opt.Now
	if now.IsZero() {
		now = time.Now()
	}
	return t.render(newRun(now), vars)
}

// render fills in the variables.
func (t *Template) render(r *run, vars map[string]jinja.Value) (out string, err error) {
	r.define(vars, t.methods)
	defer recoverTo(&err)
	if out, err = t.tmpl.RenderValues(vars); err != nil {
		return "", fmt.Errorf("chat: %w", err)
	}
	return out, nil
}

func (m Message) value() (jinja.Value, error) {
	v := jinja.NewDict()
	d := v.AsDict()
	d.Set("role", jinja.NewString(m.Role))
	d.Set("content", jinja.NewString(m.Content))
	for _, f := range m.Fields {
		x, err := fromJSON(f.JSON)
		if err != nil {
			return v, fmt.Errorf("%s: %w", f.Name, err)
		}
		d.Set(f.Name, x)
	}
	return v, nil
}

// recoverTo turns a panic of the engine, which some malformed templates cause, into an error.
func recoverTo(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("chat: the template engine failed: %v", p)
	}
}
