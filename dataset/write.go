package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
)

// WriteJSONL writes the rows of a view as JSON lines that Load reads as the same rows: {id, question, answer} where that says all, else
// {id, messages} or {id, text}; group and the column of split.stratify under the names by which c finds them. Fields that are no
// part of a Row are not kept.
func (v View) WriteJSONL(w io.Writer, c SplitConfig) error {
	out := bufio.NewWriterSize(w, 1<<16)
	for r, err := range v.All() {
		if err != nil {
			return err
		}
		line, err := r.jsonLine(c)
		if err != nil {
			return err
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	return out.Flush() // has the first error of all writes
}

func (r Row) jsonLine(c SplitConfig) ([]byte, error) {
	fields := []Field{{"id", quoted(r.ID)}}
	add := func(name string, v json.RawMessage) { fields = append(fields, Field{name, v}) }
	switch {
	case r.Plain:
		add("text", quoted(r.Answer))
	case r.pair():
		add("question", quoted(r.Messages[0].Content))
		add("answer", quoted(r.Answer))
	default:
		var list []json.RawMessage
		for _, m := range append(r.Messages[:len(r.Messages):len(r.Messages)], Message{"assistant", r.Answer, r.Fields}) {
			list = append(list, m.json())
		}
		all, err := json.Marshal(list)
		if err != nil {
			return nil, err
		}
		add("messages", all)
	}
	if len(r.Tools) > 0 {
		add("tools", r.Tools)
	}
	if column := c.groupColumn(); r.Group != "" {
		add(column, quoted(r.Group))
	}
	if c.Stratify != "" && c.Stratify != c.groupColumn() {
		add(c.Stratify, quoted(r.Stratum))
	}
	return joinFields(fields), nil
}

// pair reports whether the row is a question and an answer and nothing else.
func (r Row) pair() bool {
	return len(r.Messages) == 1 && r.Messages[0].Role == "user" && len(r.Messages[0].Fields) == 0 && len(r.Fields) == 0
}

// groupColumn is the field that a row's group is read from.
func (c SplitConfig) groupColumn() string {
	switch c.Group {
	case "auto", "none", nearGroups:
		return "group"
	}
	return c.Group
}

// json is the turn with its further keys, as readMessage reads it.
func (m Message) json() json.RawMessage {
	fields := []Field{{"role", quoted(m.Role)}}
	content := Field{"content", quoted(m.Content)}
	for _, f := range m.Fields {
		if f.Name == "content" { // null
			content = f
		}
	}
	fields = append(fields, content)
	for _, f := range m.Fields {
		if f.Name != "content" {
			fields = append(fields, f)
		}
	}
	return joinFields(fields)
}

// joinFields is a JSON object of fields, in their order, on one line.
func joinFields(fields []Field) []byte {
	var b bytes.Buffer
	for i, f := range fields {
		b.WriteByte(separator(i))
		b.Write(quoted(f.Name))
		b.WriteByte(':')
		if err := json.Compact(&b, f.JSON); err != nil { // it was read as JSON
			b.Write(f.JSON)
		}
	}
	b.WriteByte('}')
	return b.Bytes()
}

// quoted is s as a JSON string, on one line.
func quoted(s string) json.RawMessage { return json.RawMessage(quote(s)) }

// separator is what stands before field i of an object.
func separator(i int) byte {
	if i == 0 {
		return '{'
	}
	return ','
}
