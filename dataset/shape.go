package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A shape is a set of fields that rows come in.
type shape struct {
	need []string
	read func(rec record, row *Row) error
}

// shapes are the ones that are read, in the order in which they are tried.
var shapes = []shape{
	{[]string{"messages"}, conversation("messages")},
	{[]string{"conversations"}, conversation("conversations")},
	{[]string{"question", "answer"}, pair("question", "answer")},
	{[]string{"instruction", "output"}, readAlpaca("instruction", "output")},
	{[]string{"prompt", "completion"}, readCompletion},
}

const shapesRead = "a row is {messages}, {conversations}, {question, answer}, {instruction, input, output}, {prompt, completion} or {text}; " +
	"data.columns.question and data.columns.answer name other fields"

// Spellings of questions and answers that need no data.columns, the surest first. Case does not count.
var (
	questionNames = []string{"question", "instruction", "query", "ask", "prompt", "input", "user", "human", "q",
		"问题", "提问", "问", "题目", "问句", "患者提问", "咨询问题", "指令"}
	answerNames = []string{"answer", "output", "response", "reply", "completion", "assistant", "target", "gpt", "a",
		"回答", "答案", "答复", "回复", "答", "医生回答", "医生回复", "输出"}
)

// row understands a record as c says; an error does not name the place. base begins the id of a row that has none.
func (rec record) row(base string, c Config) (Row, error) {
	r := Row{File: rec.file, Line: rec.line}
	read, err := rec.reader(c.Columns)
	if err == nil {
		err = read(rec, &r)
	}
	if err == nil {
		err = rec.system(&r, c.Columns.System)
	}
	if err == nil {
		err = rec.tools(&r)
	}
	if err == nil {
		err = rec.id(&r, c.Columns.ID)
	}
	if err == nil {
		err = rec.group(&r, c)
	}
	if err == nil {
		err = rec.stratum(&r, c.Split.Stratify)
	}
	if err != nil {
		return Row{}, err
	}
	if strings.TrimSpace(r.ID) == "" {
		r.ID = fmt.Sprintf("%s:%d", base, rec.line)
		if rec.nth > 0 { // a list may be one long line
			r.ID += fmt.Sprintf(":%d", rec.nth+1)
		}
	}
	return r, nil
}

// reader returns what understands the record: the columns that the config names, else the first shape whose fields are
// all there, else fields that are called like a question and an answer, else a text.
func (rec record) reader(c ColumnsConfig) (func(record, *Row) error, error) {
	switch {
	case c.Messages != "":
		return conversation(c.Messages), rec.named(c.Messages, "data.columns.messages")
	case c.Text != "":
		return readText(c.Text), rec.named(c.Text, "data.columns.text")
	case c.Question != "" || c.Answer != "":
		return rec.namedPair(c)
	}
	for _, s := range shapes {
		if len(rec.missing(s.need)) == 0 {
			return s.read, nil
		}
	}
	if q, a := rec.find(questionNames), rec.find(answerNames); q != "" && a != "" {
		return rec.spelled(q, a), nil
	}
	if _, ok := rec.fields["text"]; ok {
		return readText("text"), nil
	}
	return nil, rec.shapeless()
}

// namedPair reads a question and an answer at least one of which the config names.
func (rec record) namedPair(c ColumnsConfig) (func(record, *Row) error, error) {
	q, a := c.Question, c.Answer
	if q == "" {
		q = rec.find(questionNames)
	} else if err := rec.named(q, "data.columns.question"); err != nil {
		return nil, err
	}
	if a == "" {
		a = rec.find(answerNames)
	} else if err := rec.named(a, "data.columns.answer"); err != nil {
		return nil, err
	}
	switch {
	case q == "":
		return nil, fmt.Errorf("no question beside %q (%s); name it in data.columns.question", a, rec.have())
	case a == "":
		return nil, fmt.Errorf("no answer beside %q (%s); name it in data.columns.answer", q, rec.have())
	}
	return pair(q, a), nil
}

// spelled reads a question and an answer by the names that they were found under.
func (rec record) spelled(question, answer string) func(record, *Row) error {
	switch name := strings.ToLower(strings.TrimSpace(question)); {
	case name == "instruction":
		return readAlpaca(question, answer)
	case name == "ask" && rec.find([]string{"title"}) != "":
		return titled(rec.find([]string{"title"}), question, answer)
	}
	return pair(question, answer)
}

// missing lists the fields that are not there, in quotes.
func (rec record) missing(need []string) []string {
	var missing []string
	for _, f := range need {
		if _, ok := rec.fields[f]; !ok {
			missing = append(missing, fmt.Sprintf("%q", f))
		}
	}
	return missing
}

// shapeless is the error of a record of no shape: it names what the nearest shape lacks, and proposes names for a record of two texts.
func (rec record) shapeless() error {
	for _, s := range shapes {
		if missing := rec.missing(s.need); len(missing) < len(s.need) {
			return fmt.Errorf("missing field %s (%s); %s", strings.Join(missing, ", "), rec.have(), shapesRead)
		}
	}
	var texts []string
	for name := range rec.fields {
		if s, err := rec.text(name); err == nil && strings.TrimSpace(s) != "" && strings.ToLower(name) != "id" {
			texts = append(texts, name)
		}
	}
	if len(texts) != 2 {
		return fmt.Errorf("no question and answer (%s); %s", rec.have(), shapesRead)
	}
	q, a := texts[0], texts[1]
	question, _ := rec.text(q)
	answer, _ := rec.text(a)
	if len(question) > len(answer) || len(question) == len(answer) && q > a { // the order of columns is not known here
		q, a = a, q
	}
	return fmt.Errorf("no question and answer (%s); tell which is which, such as data.columns: {question: %q, answer: %q}", rec.have(), q, a)
}

// knownHeader reports whether rows with the given columns can be read.
func knownHeader(header []string, c ColumnsConfig) bool {
	rec := record{fields: map[string]any{}}
	for _, h := range header {
		rec.fields[strings.TrimSpace(h)] = ""
	}
	_, err := rec.reader(c)
	return err == nil
}

// system adds the row's system message unless its messages begin with one.
func (rec record) system(r *Row, column string) error {
	if column == "" {
		column = "system"
	} else if err := rec.named(column, "data.columns.system"); err != nil {
		return err
	}
	s, err := rec.text(column)
	if err != nil || strings.TrimSpace(s) == "" || r.Plain {
		return err
	}
	r.Messages = r.Prompt(s)
	return nil
}

// id fills in the row's id.
func (rec record) id(r *Row, column string) (err error) {
	if column == "" {
		column = "id"
	} else if err := rec.named(column, "data.columns.id"); err != nil {
		return err
	}
	r.ID, err = rec.scalar(column)
	return err
}

// group fills in the row's group: the column that split.group names, which must be there and not be empty, or else the
// optional one that data.columns.group names.
func (rec record) group(r *Row, c Config) error {
	column, key := c.Split.Group, "split.group"
	switch column {
	case "none":
		return nil
	case "auto", nearGroups:
		if column, key = c.Columns.Group, "data.columns.group"; column == "" {
			column, key = "group", ""
		}
	}
	if key != "" {
		if err := rec.named(column, key); err != nil {
			return err
		}
	}
	g, err := rec.scalar(column)
	if err != nil {
		return err
	}
	if strings.TrimSpace(g) == "" {
		if key == "split.group" {
			return fmt.Errorf("column %q, which split.group names, is empty", column)
		}
		g = ""
	}
	r.Group = g
	return nil
}

// stratum fills in the value by which parts are stratified. The column must be there; an empty value is one like the others.
func (rec record) stratum(r *Row, column string) (err error) {
	if column == "" {
		return nil
	}
	if _, ok := rec.fields[column]; !ok {
		return fmt.Errorf("no column %q, which split.stratify names (%s)", column, rec.have())
	}
	r.Stratum, err = rec.scalar(column)
	return err
}

// pair reads a question and an answer from two fields.
func pair(question, answer string) func(record, *Row) error {
	return func(rec record, r *Row) (err error) {
		q, err := rec.text(question)
		if err != nil {
			return err
		}
		r.Messages = []Message{{Role: "user", Content: q}}
		r.Answer, err = rec.text(answer)
		return err
	}
}

// titled reads a question that has a title, as in Chinese medical dialogue files: title and question are two lines, one if they
// say the same.
func titled(title, question, answer string) func(record, *Row) error {
	return func(rec record, r *Row) error {
		if err := pair(question, answer)(rec, r); err != nil {
			return err
		}
		t, err := rec.text(title)
		q := &r.Messages[0].Content
		if normalise(t) != normalise(*q) {
			*q = lines(t, *q)
		}
		return err
	}
}

// lines joins two texts by a line end, unless one of them is blank.
func lines(a, b string) string {
	switch {
	case strings.TrimSpace(a) == "":
		return b
	case strings.TrimSpace(b) == "":
		return a
	}
	return a + "\n" + b
}

// readAlpaca reads an instruction, an input or context that may be empty or not there, an answer, and a history of
// earlier [question, answer] pairs.
func readAlpaca(instruction, answer string) func(record, *Row) error {
	return func(rec record, r *Row) error {
		if err := pair(instruction, answer)(rec, r); err != nil {
			return err
		}
		if input := rec.find([]string{"input", "context"}); input != "" {
			in, err := rec.text(input)
			if err != nil {
				return err
			}
			r.Messages[0].Content = lines(r.Messages[0].Content, in)
		}
		raw, err := rec.list("history", "[question, answer]")
		if err != nil || raw == nil {
			return err
		}
		var history [][]string
		if err := json.Unmarshal(raw, &history); err != nil {
			return errors.New(`field "history": expected a list of [question, answer], both text`)
		}
		var turns []Message
		for i, h := range history {
			if len(h) != 2 {
				return fmt.Errorf("history[%d]: expected [question, answer], found a list of %d", i, len(h))
			}
			turns = append(turns, Message{Role: "user", Content: h[0]}, Message{Role: "assistant", Content: h[1]})
		}
		r.Messages = append(turns, r.Messages...)
		return nil
	}
}

// readCompletion reads a prompt and a completion, each a text or a list of turns.
func readCompletion(rec record, r *Row) error {
	if !rec.isList("prompt") && !rec.isList("completion") {
		return pair("prompt", "completion")(rec, r)
	}
	prompt, err := rec.side("prompt", "user")
	if err != nil {
		return err
	}
	completion, err := rec.side("completion", "assistant")
	r.converse(slices.Concat(prompt, completion))
	return err
}

// side is a field that is a text, which is one turn of the role, or a list of turns.
func (rec record) side(name, role string) ([]Message, error) {
	if rec.isList(name) {
		return rec.turns(name)
	}
	text, err := rec.text(name)
	return []Message{{Role: role, Content: text}}, err
}

// readText reads a plain text.
func readText(column string) func(record, *Row) error {
	return func(rec record, r *Row) (err error) {
		r.Plain = true
		r.Answer, err = rec.text(column)
		return err
	}
}
