package dataset

import (
	"encoding/json"
	"strings"
	"testing"
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func field(name, value string) Field { return Field{name, raw(value)} }

func TestShapes(t *testing.T) {
	turn := func(role, text string, fields ...Field) Message { return Message{role, text, fields} }
	call := field("tool_calls", `[{"type":"function","function":{"name":"f","arguments":{"z":1,"a":"b"}}}]`)
	for _, c := range []struct {
		title, name, content string
		want                 Row
	}{
		{"spelled otherwise", "x.jsonl", `{"Query":"q","Response":"a"}`, Row{Messages: user("q"), Answer: "a"}},
		{"Chinese", "x.csv", "科室,问题,回答\nx,q,a\n", Row{Messages: user("q"), Answer: "a"}},
		{"title and question", "x.csv", "department,title,ask,answer\nd,t,q,a\n", Row{Messages: user("t\nq"), Answer: "a"}},
		{"the same as the title", "x.csv", "title,ask,answer\nq ,q,a\n", Row{Messages: user("q"), Answer: "a"}},
		{"with context", "x.jsonl", `{"instruction":"i","context":"c","response":"a"}`, Row{Messages: user("i\nc"), Answer: "a"}},
		{"input alone", "x.jsonl", `{"instruction":"","input":"q","output":"a"}`, Row{Messages: user("q"), Answer: "a"}},
		{"input and output", "x.jsonl", `{"input":"q","output":"a"}`, Row{Messages: user("q"), Answer: "a"}},
		{"history", "x.jsonl", `{"instruction":"i","output":"o","history":[["q","a"]],"system":"s"}`,
			Row{Messages: []Message{turn("system", "s"), turn("user", "q"), turn("assistant", "a"), turn("user", "i")}, Answer: "o"}},
		{"text", "x.jsonl", `{"text":"t","label":1}`, Row{Answer: "t", Plain: true}},
		{"prompt and completion as turns", "x.jsonl",
			`{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"q"}],"completion":[{"role":"assistant","content":"a"}]}`,
			Row{Messages: []Message{turn("system", "s"), turn("user", "q")}, Answer: "a"}},
		{"prompt as turns", "x.jsonl", `{"prompt":[{"role":"user","content":"q"}],"completion":"a"}`, Row{Messages: user("q"), Answer: "a"}},
		{"sharegpt", "x.jsonl", `{"conversations":[{"from":"system","value":"s"},{"from":"human","value":"q"},{"from":"gpt","value":"a"},` +
			`{"from":"human","value":"r"},{"from":"gpt","value":"b"}]}`,
			Row{Messages: []Message{turn("system", "s"), turn("user", "q"), turn("assistant", "a"), turn("user", "r")}, Answer: "b"}},
		{"sharegpt with roles", "x.jsonl", `{"conversations":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}`, Row{Messages: user("q"), Answer: "a"}},
		{"sharegpt with tools", "x.jsonl", `{"conversations":[{"from":"human","value":"q"},{"from":"function_call","value":"{\"name\":\"f\",\"arguments\":{\"z\":1,\"a\":\"b\"}}"},` +
			`{"from":"observation","value":"o"},{"from":"gpt","value":"a"}],"tools":"[{\"name\":\"f\",\"parameters\":{}}]"}`,
			Row{Messages: []Message{turn("user", "q"), turn("assistant", "", call), turn("tool", "o")}, Answer: "a",
				Tools: raw(`[{"type":"function","function":{"name":"f","parameters":{}}}]`)}},
		{"calls with arguments in a string", "x.jsonl", `{"messages":[{"role":"user","content":"q"},` +
			`{"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":"{\"z\":1,\"a\":\"b\"}"}}]},` +
			`{"role":"tool","name":"f","tool_call_id":"1","content":"o"},{"role":"assistant","content":"a"}],"tools":[{"type":"function","function":{"name":"f"}}]}`,
			Row{Messages: []Message{turn("user", "q"), turn("assistant", "", call, field("content", "null")),
				turn("tool", "o", field("name", `"f"`), field("tool_call_id", `"1"`))}, Answer: "a", Tools: raw(`[{"type":"function","function":{"name":"f"}}]`)}},
		{"a call is the answer", "x.jsonl", `{"messages":[{"role":"user","content":"q"},{"role":"assistant","function_call":{"name":"f","arguments":"{\"z\":1,\"a\":\"b\"}"}}]}`,
			Row{Messages: user("q"), Fields: []Field{call}}},
		{"parts of text", "x.jsonl", `{"messages":[{"role":"user","content":[{"type":"text","text":"q"},{"type":"text","text":"r"}]},{"role":"assistant","content":"a"}]}`,
			Row{Messages: user("q\nr"), Answer: "a"}},
		{"turns in a table", "x.csv", "messages\n\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"q\"\"},{\"\"role\"\":\"\"assistant\"\",\"\"content\"\":\"\"a\"\"}]\"\n",
			Row{Messages: user("q"), Answer: "a"}},
	} {
		t.Run(c.title, func(t *testing.T) {
			rows, err := one(c.name, c.content)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != 1 {
				t.Fatalf("%d rows", len(rows))
			}
			c.want.ID, c.want.File, c.want.Line = rows[0].ID, rows[0].File, rows[0].Line
			if d := diff([]Row{c.want}, rows); d != "" {
				t.Error(d)
			}
			if !rows[0].asks() || !rows[0].answers() {
				t.Error("the row would be dropped")
			}
		})
	}
}

func TestShapes_columns(t *testing.T) {
	const line = `{"vraag":"q","antwoord":"a","chat":[{"role":"user","content":"u"},{"role":"assistant","content":"b"}],"body":"t","nr":7,"topic":"g","rol":"s"}`
	for _, c := range []struct {
		title   string
		columns ColumnsConfig
		want    Row
		err     string
	}{
		{title: "pair", columns: ColumnsConfig{Question: "vraag", Answer: "antwoord", ID: "nr", Group: "topic", System: "rol"},
			want: Row{ID: "7", Group: "g", Messages: []Message{{Role: "system", Content: "s"}, {Role: "user", Content: "q"}}, Answer: "a"}},
		{title: "messages", columns: ColumnsConfig{Messages: "chat"}, want: Row{ID: "x:1", Messages: user("u"), Answer: "b"}},
		{title: "text", columns: ColumnsConfig{Text: "body"}, want: Row{ID: "x:1", Answer: "t", Plain: true}},
		{title: "not there", columns: ColumnsConfig{Question: "frage"}, err: `no column "frage", which data.columns.question names (have: antwoord, body, `},
		{title: "one alone", columns: ColumnsConfig{Question: "vraag"}, err: `no answer beside "vraag" (have:`},
		{title: "id not there", columns: ColumnsConfig{Text: "body", ID: "key"}, err: `no column "key", which data.columns.id names`},
	} {
		t.Run(c.title, func(t *testing.T) {
			config := Default()
			config.Columns = c.columns
			rows, err := parse("x", config, []byte(line))
			if !fails(t, err, c.err) {
				return
			}
			c.want.File, c.want.Line = "x", 1
			if d := diff([]Row{c.want}, rows); d != "" {
				t.Error(d)
			}
		})
	}
	for want, c := range map[string]ColumnsConfig{
		"columns.messages: a conversation has": {Messages: "m", Answer: "a"},
		"columns.text: a plain text has":       {Text: "t", Messages: "m"},
	} {
		fails(t, c.validate(), want)
	}
}

// fails checks an error against the text that it must have in it, empty for none, and reports whether there was to be none.
func fails(t *testing.T, err error, want string) bool {
	t.Helper()
	switch {
	case err == nil && want != "":
		t.Errorf("no error, want %q", want)
	case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
		t.Errorf("got error %q, want %q", err, want)
	}
	return err == nil && want == ""
}
