package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Row is one question with its answer, as a file gave it.
type Row struct {
	ID    string // the row's `id` field, or file:line
	Group string // the row's `group` field, or the column that split.group names; may be empty
	// Messages are the turns before the answer: an optional system message first, then the question or the
	// conversation so far.
	Messages []Message
	Answer   string
	File     string // as given
	Line     int    // 1 is the first; where the row starts

	turnsAfter bool // turns behind the answer were ignored
}

// Message is one turn of a conversation. Role is system, developer, user, assistant or tool.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
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
// line `role: text` for each turn.
func (r Row) Question() string {
	turns := r.turns()
	if len(turns) == 1 {
		return turns[0].Content
	}
	var b strings.Builder
	for i, m := range turns {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(m.Role + ": " + m.Content)
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

// Hash returns the SHA-256 of the question, a zero byte and the answer, in hex, all byte for byte as in the
// file. A split manifest keeps it to notice that a row has changed.
func (r Row) Hash() string {
	h := sha256.New()
	h.Write([]byte(r.Question()))
	h.Write([]byte{0})
	h.Write([]byte(r.Answer))
	return hex.EncodeToString(h.Sum(nil))
}

// size is the number of bytes of the row's text.
func (r Row) size() int {
	n := len(r.ID) + len(r.Group) + len(r.Answer)
	for _, m := range r.Messages {
		n += len(m.Role) + len(m.Content)
	}
	return n
}

// normalise returns s in Unicode normal form C with every run of white space as one blank and none at the
// ends, so that texts that look the same are the same.
func normalise(s string) string {
	return strings.Join(strings.Fields(norm.NFC.String(s)), " ")
}
