package chat

import (
	"fmt"
	"time"

	"github.com/ardanlabs/jinja"
)

// Text is a compiled template over the fields of a row, safe for concurrent use.
type Text struct{ t *Template }

// ParseText compiles a template by Jinja2's own defaults, which are those of LM Evaluation Harness: white space around statements
// stays, and so does a new line at the end.
func ParseText(source string) (*Text, error) {
	t, err := parse(source, true)
	if err != nil {
		return nil, err
	}
	return &Text{t}, nil
}

// Render fills in the fields. To print, join or take apart what is not defined is an error.
func (t *Text) Render(fields []Field) (out string, err error) {
	vars := make(map[string]jinja.Value, len(fields))
	for _, f := range fields {
		if vars[engineName(f.Name)], err = fromJSON(f.JSON); err != nil {
			return "", fmt.Errorf("chat: %s: %w", f.Name, err)
		}
	}
	r := newRun(time.Now())
	r.strict = true
	return t.t.render(r, vars)
}

// allowsUndefined are the functions that are made for values which may be undefined.
var allowsUndefined = []string{"default", "d", "step", "enter", "leave"}

// strictly is f, but refuses undefined arguments.
func strictly(f callable) callable {
	return func(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
		for _, a := range args {
			if a.IsUndefined() {
				return a, fmt.Errorf("a value is undefined")
			}
		}
		return f(args, kwargs)
	}
}
