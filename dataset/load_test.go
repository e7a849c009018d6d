package dataset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// files is a set of files in memory.
type files map[string]string

func (f files) open(name string) (io.ReadCloser, error) {
	s, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(strings.NewReader(s)), nil
}

// source is a Source of the files.
func (f files) source() Source { return Source{Open: f.open} }

// load loads the named files under split.group.
func (f files) load(group string, names ...string) ([]Row, *Report, error) {
	c := Default()
	c.Files, c.Split.Group = names, group
	t, report, err := Load(c, f.source())
	if err != nil {
		return nil, nil, err
	}
	rows, err := t.View().Rows()
	return rows, report, err
}

// one loads a single file.
func one(name, content string) ([]Row, error) {
	rows, _, err := files{name: content}.load("auto", name)
	return rows, err
}

// view is rows as a View.
func view(rows []Row) View { return NewTable(slices.Clone(rows)...).View() }

// all are a view's rows.
func all(t *testing.T, v View) []Row {
	t.Helper()
	rows, err := v.Rows()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// clean is Clean of rows that can be read.
func clean(t *testing.T, rows View, report *Report) View {
	t.Helper()
	kept, err := Clean(rows, Default().Clean, report)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func user(text string) []Message { return []Message{{Role: "user", Content: text}} }

func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(Row{}))
}

func TestLoad_formats(t *testing.T) {
	two := func(name string, line1, line2 int) []Row {
		return []Row{
			{ID: "a", Messages: user("q1"), Answer: "r\n1", File: name, Line: line1},
			{ID: "7", Messages: user("q2"), Answer: "r2", File: name, Line: line2},
		}
	}
	object1 := `{"id":"a","question":"q1","answer":"r\n1"}`
	object2 := `{"id" : 7 , "question" : "q2" , "answer" : "r2"}`
	for _, c := range []struct {
		title, name, content string
		line1, line2         int
	}{
		{"lines", "x.jsonl", object1 + "\n" + object2 + "\n", 1, 2},
		{"lines without last end", "x.jsonl", object1 + "\n" + object2, 1, 2},
		{"BOM, CRLF, blank lines", "x.jsonl", "\ufeff\r\n" + object1 + "\r\n \r\n\r\n" + object2 + "\r\n\r\n", 2, 5},
		{"upper-case extension", "X.JSONL", object1 + "\n" + object2, 1, 2},
		{"list", "x.json", "[" + object1 + "," + object2 + "]", 1, 1},
		{"list over lines", "x.json", "\ufeff\n[\n" + object1 + "\n,\n\n  " + object2 + "\n]\n", 3, 6},
		{"lines named json", "x.json", object1 + "\n" + object2, 1, 2},
		{"table", "x.csv", "id,question,answer\na,q1,\"r\n1\"\n7,q2,r2\n", 2, 4},
		{"table with BOM, CRLF and blank lines", "x.csv", "\ufeff\r\nid, question ,answer\r\na,q1,\"r\r\n1\"\r\n\r\n  \r\n7,q2,r2\r\n", 3, 7},
		{"list by content", "x.txt", "\n [" + object1 + ",\n" + object2 + "]", 2, 3},
		{"lines by content", "embedded:medqa", object1 + "\n" + object2, 1, 2},
		{"table by content", "x", "\ufeffid,question,answer\na,q1,\"r\n1\"\n7,q2,r2\n", 2, 4},
	} {
		t.Run(c.title, func(t *testing.T) {
			rows, err := one(c.name, c.content)
			if err != nil {
				t.Fatal(err)
			}
			if d := diff(two(c.name, c.line1, c.line2), rows); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestLoad_longRows(t *testing.T) {
	long := strings.Repeat("long 长 ", 1<<19)
	for name, content := range map[string]string{
		"x.jsonl": fmt.Sprintf(`{"question":"q","answer":%q}`, long) + "\n" + `{"question":"q","answer":"a"}`,
		"x.json":  fmt.Sprintf("[\n"+`{"question":"q","answer":%q}`, long) + "\n," + `{"question":"q","answer":"a"}]`,
		"x.csv":   "question,answer\nq,\"" + long + "\"\nq,a\n",
	} {
		rows, err := one(name, content)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if len(rows) != 2 || rows[0].Answer != long {
			t.Errorf("%s: %d rows, or the long answer is not whole", name, len(rows))
		}
	}
}

func TestLoad_shapes(t *testing.T) {
	for _, c := range []struct {
		title, row string
		want       Row
	}{
		{"question", `{"question":" q ","answer":" a\t"}`, Row{Messages: user(" q "), Answer: " a\t"}},
		{"group and numbers", `{"question":"q","answer":"a","group":1e3,"id":12345678901234567890}`,
			Row{ID: "12345678901234567890", Group: "1e3", Messages: user("q"), Answer: "a"}},
		{"null id and group", `{"question":"q","answer":"a","group":null,"id":null}`, Row{Messages: user("q"), Answer: "a"}},
		{"nulls", `{"question":null,"answer":null}`, Row{Messages: user("")}},
		{"escapes", `{"question":"\u4f60\ud83d\ude00\"","answer":"a"}`, Row{Messages: user("你😀\""), Answer: "a"}},
		{"alpaca", `{"instruction":"i","input":"x","output":"o"}`, Row{Messages: user("i\nx"), Answer: "o"}},
		{"alpaca, empty input", `{"instruction":"i","input":" ","output":"o"}`, Row{Messages: user("i"), Answer: "o"}},
		{"alpaca, no input", `{"instruction":"i","output":"o"}`, Row{Messages: user("i"), Answer: "o"}},
		{"completion", `{"prompt":"p","completion":"c","id":"x"}`, Row{ID: "x", Messages: user("p"), Answer: "c"}},
		{"system", `{"question":"q","answer":"a","system":"s"}`,
			Row{Messages: []Message{{Role: "system", Content: "s"}, {Role: "user", Content: "q"}}, Answer: "a"}},
		{"messages", `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}`,
			Row{Messages: []Message{{Role: "system", Content: "s"}, {Role: "user", Content: "u"}}, Answer: "a"}},
		{"several turns", `{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"},{"role":"user","content":"v"},{"role":"assistant","content":"b"}],"system":"s"}`,
			Row{Messages: []Message{{Role: "system", Content: "s"}, {Role: "user", Content: "u"}, {Role: "assistant", Content: "a"}, {Role: "user", Content: "v"}}, Answer: "b"}},
		{"own system message wins", `{"system":"t","messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}`,
			Row{Messages: []Message{{Role: "system", Content: "s"}, {Role: "user", Content: "u"}}, Answer: "a"}},
		{"no assistant", `{"messages":[{"role":"user","content":"u"}]}`, Row{Messages: user("u")}},
		{"no content", `{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":null,"tool_calls":[]}]}`, Row{Messages: user("u")}},
		{"messages before question", `{"question":"q","answer":"a","messages":[{"role":"user","content":"u"},{"role":"assistant","content":"b"}]}`,
			Row{Messages: user("u"), Answer: "b"}},
	} {
		t.Run(c.title, func(t *testing.T) {
			rows, err := one("dir/x.jsonl", c.row)
			if err != nil {
				t.Fatal(err)
			}
			if c.want.ID == "" {
				c.want.ID = "x.jsonl:1"
			}
			c.want.File, c.want.Line = "dir/x.jsonl", 1
			if d := diff([]Row{c.want}, rows); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestLoad_turnsBehindTheAnswer(t *testing.T) {
	rows, report, err := files{"x.jsonl": `{"id":"z","messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"},{"role":"user","content":"bye"}]}`}.load("auto", "x.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if rows[0].Answer != "a" || len(rows[0].Messages) != 1 {
		t.Errorf("got %+v", rows[0])
	}
	if d := cmp.Diff([]string{"z"}, report.IDs["turns_after_answer"]); d != "" {
		t.Error(d)
	}
}

// good is a row.
const good = `{"question":"q","answer":"a"}` + "\n"

func TestLoad_badFiles(t *testing.T) {
	for _, c := range []struct {
		title, name, content string
		want                 []string // all in the message
	}{
		{"missing field", "x.jsonl", good + "\n" + `{"id":1,"question":"q"}`, []string{`dataset: x.jsonl:3: missing field "answer" (have: id, question)`, "{question, answer}"}},
		{"no shape", "x.jsonl", `{"note":"q"}`, []string{`x.jsonl:1: no question and answer (have: note); a row is`}},
		{"two texts", "x.jsonl", `{"id":"1","vraag":"q","antwoord":"longer"}`, []string{`no question and answer (have: antwoord, id, vraag); tell which is which, such as data.columns: {question: "vraag", answer: "antwoord"}`}},
		{"no fields", "x.jsonl", `{}`, []string{"x.jsonl:1:", "has no fields"}},
		{"many fields", "x.jsonl", `{` + strings.Repeat(`"aaaa":1,`, 3) + `"b":1}`, []string{"(have: aaaa, b)"}},
		{"every bad row", "x.jsonl", `{"question":"q"}` + "\n" + good + `{"answer":"q"}`, []string{"x.jsonl:1: missing", `x.jsonl:3: missing field "question"`}},
		{"syntax", "x.jsonl", good + `{"question":"q",answer:"a"}`, []string{"x.jsonl:2: expected one JSON object", "invalid character 'a'", "byte 17"}},
		{"cut off", "x.jsonl", good + `{"question":"q","ans`, []string{"x.jsonl:2:", "unexpected end"}},
		{"two on a line", "x.jsonl", good + good[:len(good)-1] + good, []string{"x.jsonl:2:", "after top-level value"}},
		{"not an object", "x.jsonl", good + `["q","a"]`, []string{"x.jsonl:2:", "found a list"}},
		{"null", "x.jsonl", "null", []string{"x.jsonl:1:", "found null"}},
		{"number as answer", "x.jsonl", `{"question":"q","answer":42}`, []string{`x.jsonl:1: field "answer": expected a string, found a number`}},
		{"list as id", "x.jsonl", `{"question":"q","answer":"a","id":[1]}`, []string{`field "id": expected a string or a number, found a list`}},
		{"messages", "x.jsonl", `{"messages":"u"}`, []string{`field "messages": expected a list of {role, content}, found a string`}},
		{"message", "x.jsonl", `{"messages":[1]}`, []string{`messages[0]: expected {role, content}, found a number`}},
		{"no role", "x.jsonl", `{"messages":[{"value":"q"}]}`, []string{`messages[0]: missing field "role" (have: value)`}},
		{"no value", "x.jsonl", `{"conversations":[{"from":"human","text":"q"}]}`, []string{`conversations[0]: missing field "value" (have: from, text)`}},
		{"call without JSON", "x.jsonl", `{"conversations":[{"from":"human","value":"q"},{"from":"function_call","value":"f()"}]}`, []string{`conversations[1]: function_call: expected {name, arguments} as JSON`}},
		{"call without name", "x.jsonl", `{"conversations":[{"from":"function_call","value":"{}"}]}`, []string{`conversations[0]: function_call: the function has no name`}},
		{"calls", "x.jsonl", `{"messages":[{"role":"assistant","content":"","tool_calls":{}}]}`, []string{`messages[0]: tool_calls: expected a list, found an object`}},
		{"tools", "x.jsonl", `{"question":"q","answer":"a","tools":"f"}`, []string{`field "tools": expected a list of functions, found a string`}},
		{"tool without name", "x.jsonl", `{"question":"q","answer":"a","tools":[{"type":"object"}]}`, []string{`tools[0]: the function has no name`}},
		{"picture", "x.jsonl", `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":"u"}]}]}`, []string{`content[0]: expected {type: text, text}, found type "image_url"; only text is read`}},
		{"history", "x.jsonl", `{"instruction":"i","output":"o","history":[["q"]]}`, []string{`history[0]: expected [question, answer], found a list of 1`}},
		{"role", "x.jsonl", `{"messages":[{"role":"narrator","content":"q"}]}`, []string{`messages[0]: role "narrator": expected one of system, developer, user, assistant, tool`}},
		{"content", "x.jsonl", `{"messages":[{"role":"user","content":[{}]}]}`, []string{`messages[0]: content[0]: expected {type: text, text}, found type ""`}},
		{"messages in a table", "x.csv", "messages\nu\n", []string{`x.csv:2: field "messages": expected a list`}},
		{"list syntax", "x.json", "[\n" + `{"question":"q","answer":"a"},` + "\n" + `{"question":"q" "answer":"a"}]`, []string{"x.json:3: expected a list of JSON objects", `invalid character '"'`}},
		{"list cut off", "x.json", "[\n" + `{"question":"q","answer":"a"},` + "\n\n", []string{"x.json:", "ends too early"}},
		{"list not closed", "x.json", "[\n" + `{"question":"q","answer":"a"}`, []string{"x.json:2:", "ends too early"}},
		{"list of numbers", "x.json", "[\n\n1]", []string{"x.json:3: expected a JSON object: found a number"}},
		{"text behind the list", "x.json", "[]\n\n[]", []string{"x.json:3:", "behind its end"}},
		{"object over lines", "x.json", "\n{\n" + `"data":[]}`, []string{"x.json:2: no question and answer (have: data)"}},
		{"wrapped list", "x.json", `{"data":[]}`, []string{"x.json:1: no question and answer (have: data)"}},
		{"string", "x.json", `"q"`, []string{"x.json:1: expected a list of JSON objects: found q"}},
		{"empty json", "x.json", "", []string{"x.json:1:", "ends too early"}},
		{"table, no shape", "x.csv", "question;answer\nq;a\n", []string{"x.csv:2: no question and answer (have: question;answer)"}},
		{"table, missing column", "x.csv", "question,remark\nq,a\n", []string{`x.csv:2: missing field "answer" (have: question, remark)`}},
		{"table, field count", "x.csv", "question,answer\n\nq,a,b\nq,a\n\"q\n\",a\nq\n", []string{"x.csv:3: expected 2 fields as in the header, found 3", "x.csv:7: expected 2 fields as in the header, found 1"}},
		{"table, two columns of one name", "x.csv", "answer,question,answer\n", []string{`x.csv:1: expected a header of different column names, found "answer" twice`}},
		{"table, open quote", "x.csv", "question,answer\nq,a\nq,\"a\nb\nc\n", []string{"x.csv:3: ", "extraneous or missing"}},
		{"table, bare quote", "x.csv", "question,answer\nq,a \"b\"\n", []string{`x.csv:2: bare "`}},
		{"latin-1", "x.jsonl", good + "{\"question\":\"caf\xe9\",\"answer\":\"a\"}", []string{"x.jsonl:2: neither UTF-8 nor UTF-16 nor GB18030: found byte 0xe9 at position 17"}},
		{"cut UTF-8", "x.csv", "question,answer\nq,\xe4\xbd", []string{"no rows in x.csv", "x.csv:2: the file ends in the middle of a character"}},
		{"damaged Parquet", "x", "PAR1\x00\xff", []string{"x: damaged Parquet file: "}},
		{"not Parquet", "x.parquet", "{}", []string{"x.parquet: its name says Parquet"}},
		{"not gzip", "x.csv.gz", "question,answer\n", []string{"x.csv.gz: its name says gzip"}},
		{"prose", "x.md", "Once upon a time\n", []string{"x.md: ", "files read are"}},
		{"empty", "x.jsonl", "\n\n", []string{"no rows in x.jsonl"}},
		{"header only", "x.csv", "question,answer\n", []string{"no rows in x.csv"}},
		{"empty table", "x.csv", "", []string{"no rows in x.csv"}},
		{"same id", "x.jsonl", `{"id":1,"question":"q","answer":"a"}` + "\n\n" + `{"id":"1","question":"r","answer":"b"}`, []string{`x.jsonl:3: id "1" is also the id of x.jsonl:1`}},
	} {
		t.Run(c.title, func(t *testing.T) {
			_, err := one(c.name, c.content)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q\nlacks %q", err, w)
				}
			}
		})
	}
}

func TestLoad_boundsErrors(t *testing.T) {
	for name, content := range map[string]string{
		"x.jsonl": strings.Repeat("{}\nx\n", 500),
		"x.json":  "[" + strings.Repeat("{},1,", 500) + "{}]",
		"x.csv":   "question,answer\n" + strings.Repeat("q\nq,a,b\n", 500),
	} {
		_, err := one(name, content)
		if n := strings.Count(fmt.Sprint(err), name+":"); n != maxErrors+1 || !strings.Contains(err.Error(), "data.bad_rows: drop") {
			t.Errorf("%s: %d errors, want %d and what to do", name, n, maxErrors)
		}
	}
}

// TestLoad_sameFault: a fault that row after row has is told once, with their number.
func TestLoad_sameFault(t *testing.T) {
	_, err := one("x.csv", "ask_text,reply_text\n"+strings.Repeat("q,a\n", 20)+"q\nq\n")
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "x.csv:2: no question and answer") || !strings.HasSuffix(lines[0], "(as in 19 more behind it)") ||
		!strings.Contains(lines[1], "x.csv:22: ") || !strings.HasSuffix(lines[1], "(as in 1 more behind it)") {
		t.Errorf("%s", err)
	}
}

// TestLoad_oneLine: rows of a list that is one long line have ids of their own.
func TestLoad_oneLine(t *testing.T) {
	rows, err := one("x.json", `[{"question":"q","answer":"a"},{"question":"r","answer":"b"},{"id":"z","question":"s","answer":"c"},`+"\n"+`{"question":"t","answer":"d"}]`)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"x.json:1", "x.json:1:2", "z", "x.json:2"}, ids(rows)); d != "" {
		t.Error(d)
	}
}

func TestLoad_severalFiles(t *testing.T) {
	row := `{"question":"q","answer":"a"}` + "\n"
	f := files{"a/x.jsonl": row, "b/x.jsonl": row + row, "y.csv": "question,answer\nq,a\n", "z.jsonl": `{"id":"y.csv:2","question":"q","answer":"a"}`}
	rows, report, err := f.load("auto", "b/x.jsonl", "y.csv", "a/x.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	if d := cmp.Diff([]string{"b/x.jsonl:1", "b/x.jsonl:2", "y.csv:2", "a/x.jsonl:1"}, ids); d != "" {
		t.Error(d)
	}
	if report.Rows != 4 || report.Kept != 4 {
		t.Errorf("report: %+v", report)
	}
	_, _, err = f.load("auto", "y.csv", "z.jsonl")
	if want := `dataset: z.jsonl:1: id "y.csv:2" is also the id of y.csv:2`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, _, err = f.load("auto", "y.csv", "none.csv"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none.csv") {
		t.Errorf("file that is not there: %v", err)
	}
}

func TestLoad_groupColumn(t *testing.T) {
	f := files{"x.csv": "question,answer,topic,group\nq,a,t1,g\nr,b,t2,g\n", "y.jsonl": `{"question":"q","answer":"a","topic":""}`, "z.jsonl": `{"question":"q","answer":"a"}`}
	for group, want := range map[string][2]string{"topic": {"t1", "t2"}, "auto": {"g", "g"}, "group": {"g", "g"}, "none": {}} {
		rows, _, err := f.load(group, "x.csv")
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{rows[0].Group, rows[1].Group}; got != want {
			t.Errorf("%s: groups %q, want %q", group, got, want)
		}
	}
	for name, want := range map[string]string{
		"y.jsonl": `y.jsonl:1: column "topic", which split.group names, is empty`,
		"z.jsonl": `z.jsonl:1: no column "topic", which split.group names (have: answer, question)`,
	} {
		if _, _, err := f.load("topic", name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
