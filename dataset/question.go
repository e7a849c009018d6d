package dataset

import (
	"encoding/json"
	"fmt"
)

// Question reads what a JSON object asks, in any of the shapes of rows but a plain text; an answer is not needed and not read. Of a
// conversation all turns ask, but for an answer at its end.
func Question(fields map[string]json.RawMessage) (Row, error) {
	rec := record{fields: make(map[string]any, len(fields))}
	for name, v := range fields {
		rec.fields[name] = v
	}
	var r Row
	turns := ""
	for _, name := range []string{"messages", "conversations", "prompt"} {
		if _, ok := rec.fields[name]; ok && turns == "" && (name != "prompt" || rec.isList(name)) {
			turns = name
		}
	}
	var err error
	if turns != "" {
		r.Messages, err = rec.turns(turns)
		if n := len(r.Messages); n > 0 && r.Messages[n-1].Role == "assistant" {
			r.Messages = r.Messages[:n-1]
		}
	} else if q := rec.find(questionNames); q != "" {
		err = rec.spelled(q, "")(rec, &r)
	} else {
		err = fmt.Errorf("no question (%s)", rec.have())
	}
	if err == nil {
		err = rec.system(&r, "")
	}
	if err == nil {
		err = rec.tools(&r)
	}
	return r, err
}
