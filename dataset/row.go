package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Row is one question with its answer, or one plain text, as a file gave it.
type Row struct {
	ID    string // the row's `id` field, or file:line
	Group string // the row's `group` field, or the column that split.group names; may be empty
	// Stratum is the value of the column that split.stratify names.
	Stratum string `json:",omitempty"`
	// Messages are the turns before the answer: an optional system message first, then the question or the
	// conversation so far.
	Messages []Message
	Answer   string  // content of the turn that answers; all of a plain text
	Fields   []Field `json:",omitempty"` // further keys of that turn, such as tool_calls
	// Tools is the JSON list of the functions that the model may call, for the template; empty for none.
	Tools json.RawMessage `json:",omitempty"`
	Plain bool            // a plain text: nothing is asked, and all of it is learnt
	File  string          // as given
	Line  int             // 1 is the first; where the row starts

	turnsAfter bool // turns behind the answer were ignored
}

// Message is one turn of a conversation. Role is system, developer, user, assistant or tool.
type Message struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Fields  []Field `json:"fields,omitempty"` // further keys that templates may read: tool_calls, name, tool_call_id, …
}

// Field is a named value of a turn, as the file has it. One named content takes the place of Content in the template.
type Field struct {
	Name string          `json:"name"`
	JSON json.RawMessage `json:"json"`
}

// Text is what the turn says, with the calls of tools as JSON.
func (m Message) Text() string { return textOf(m.Content, m.Fields) }

// Reference is what the answer says, as Message.Text.
func (r Row) Reference() string { return textOf(r.Answer, r.Fields) }

func textOf(content string, fields []Field) string {
	for _, f := range fields {
		if f.Name != "tool_calls" {
			continue
		}
		if content == "" {
			return string(f.JSON)
		}
		return content + "\n" + string(f.JSON)
	}
	return content
}

// Prompt returns the turns before the answer, with a system message first: the row's own, or else the given
// one unless that is empty. The row is not changed, but the result may share its memory.
func (r Row) Prompt(system string) []Message {
	if system == "" || len(r.Messages) > 0 && r.Messages[0].Role == "system" {
		return r.Messages
	}
	return slices.Concat([]Message{{Role: "system", Content: system}}, r.Messages)
}

// Question returns what is asked, without the system message: the one turn's text, or for a conversation a
// line `role: text` for each turn. Of a plain text it is all of it.
func (r Row) Question() string {
	if r.Plain {
		return r.Answer
	}
	turns := r.turns()
	if len(turns) == 1 {
		return turns[0].Text()
	}
	var b strings.Builder
	for i, m := range turns {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(m.Role + ": " + m.Text())
	}
	return b.String()
}

// turns returns the messages behind the system message.
func (r Row) turns() []Message {
	if len(r.Messages) > 0 && r.Messages[0].Role == "system" {
		return r.Messages[1:]
	}
	return r.Messages
}

// asks reports whether there is anything to learn from: a plain text, or a turn with text that is no system message.
func (r Row) asks() bool {
	return r.Plain || slices.ContainsFunc(r.turns(), func(m Message) bool { return strings.TrimSpace(m.Text()) != "" })
}

// answers reports whether there is an answer.
func (r Row) answers() bool { return strings.TrimSpace(r.Reference()) != "" }

// Hash returns the SHA-256 of the question, a zero byte and the answer, in hex, all byte for byte as in the
// file. A split manifest keeps it to notice that a row has changed.
func (r Row) Hash() string {
	h := sha256.New()
	h.Write([]byte(r.Question()))
	h.Write([]byte{0})
	h.Write([]byte(r.Reference()))
	return hex.EncodeToString(h.Sum(nil))
}

// size is the number of bytes of the row's text.
func (r Row) size() int {
	n := len(r.ID) + len(r.Group) + len(r.Stratum) + len(r.Answer) + len(r.Tools)
	for _, f := range r.Fields {
		n += len(f.Name) + len(f.JSON)
	}
	for _, m := range r.Messages {
		n += len(m.Role) + len(m.Content)
		for _, f := range m.Fields {
			n += len(f.Name) + len(f.JSON)
		}
	}
	return n + len(r.Tools)
}

// normalise returns s in Unicode normal form C with every run of white space as one blank and none at the
// ends, so that texts that look the same are the same.
func normalise(s string) string {
	return strings.Join(strings.Fields(norm.NFC.String(s)), " ")
}
