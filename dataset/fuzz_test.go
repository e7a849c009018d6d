package dataset

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// parse reads the rows of one file.
func parse(name string, c Config, data []byte) ([]Row, error) {
	t := newTable("")
	r := reading{name: name, base: name, config: c, from: files{name: string(data)}.source(), table: t, report: newReport(0)}
	err := r.read()
	if got := t.Len() + r.info.Bad; got != r.info.Rows || got != r.report.Rows || r.report.Kept != t.Len() || len(r.report.BadRows) != min(r.info.Bad, maxBadRows) {
		return nil, fmt.Errorf("%d rows, %+v, %+v", t.Len(), r.info, r.report)
	}
	if err != nil {
		return nil, err
	}
	return t.View().Rows()
}

// checkRows fails the test if rows that were read break a promise to the later stages.
func checkRows(t *testing.T, data []byte, rows []Row, err error) {
	if err != nil {
		if !strings.HasPrefix(err.Error(), "x") {
			t.Errorf("error does not begin with the file: %v", err)
		}
		return
	}
	lines := 1 + strings.Count(string(data), "\n")
	last := 0
	for _, r := range rows {
		if r.ID == "" || r.Line < max(1, last) || r.Line > lines {
			t.Errorf("id %q on line %d of %d, after %d", r.ID, r.Line, lines, last)
		}
		last = r.Line
		if !utf8.ValidString(r.Question()) || !utf8.ValidString(r.Answer) || !utf8.ValidString(r.ID) {
			t.Errorf("row %q is not UTF-8", r.ID)
		}
	}
	clean(t, view(rows), newReport(len(rows)))
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"question":"q","answer":"a","id":1}`,
		"\ufeff" + `{"instruction":"i","input":"x","output":null}` + "\r\n\r\n" + `{"prompt":"p","completion":"c","group":"g"}`,
		`{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"}],"system":"s"}`,
		"[\n" + `{"question":"\ud800","answer":"a"}` + "\n,1]",
		`{"conversations":[{"from":"human","value":"u"},{"from":"function_call","value":"{\"name\":\"f\",\"arguments\":\"{}\"}"},{"from":"gpt","value":"a"}],"tools":"[{\"name\":\"f\"}]"}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"u"}]},{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]}`,
		`{"instruction":"i","input":"","output":"o","history":[["q","a"]]}`, `{"text":"t"}`, `{"prompt":[{"role":"user","content":"u"}],"completion":"c"}`,
		"[{}\n", "{", "null\n\xff", `{"v":1,"data":[{"question":"q","answer":"a"}],"w":[{}]}`, "{\n\"question\":\"q\",\"answer\":\"a\"}{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range []string{"x.jsonl", "x.json", "x"} {
			for _, policy := range []string{"stop", "drop"} {
				c := Default()
				c.BadRows = policy
				rows, err := parse(name, c, data)
				checkRows(t, data, rows, err)
			}
		}
	})
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"question,answer\nq,a\n",
		"\ufeffid,question,answer\r\n1,\"q,\"\"\n\",a\r\n\r\n2,q,\r\n",
		"question,answer,answer\n", "question,answer\nq\n", "question,answer\n\"q", "question,answer\nq\"\n", ",\n,", "\n \n\xff",
	} {
		f.Add([]byte(s))
	}
	byAnswer := Default()
	byAnswer.Split.Group = "answer"
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range []string{"x.csv", "x.tsv", "x"} {
			for _, policy := range []string{"stop", "drop"} {
				byAnswer.BadRows = policy
				rows, err := parse(name, byAnswer, data)
				checkRows(t, data, rows, err)
			}
		}
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"a\nb\n\nc", "\r\n\r\na", "\xff\xfea\x00", "\xb5\xc4\xa1\xa3\n\n\xb5"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := parse("x.txt", Default(), data)
		checkRows(t, data, rows, err)
	})
}

// FuzzArchive: what is compressed gives rows or an error that names the file.
func FuzzArchive(f *testing.F) {
	f.Add([]byte(gzipped(f, good)))
	f.Add([]byte(zstandard(f, good)))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := parse("x.jsonl", Default(), data)
		if err != nil {
			rows = nil
		}
		checkRows(t, bytes.Repeat([]byte("\n"), len(rows)), rows, err)
	})
}

func FuzzParquet(f *testing.F) {
	type row struct {
		Question string   `parquet:"question"`
		Answer   *string  `parquet:"answer,optional"`
		Tags     []string `parquet:"tags,list"`
	}
	var b bytes.Buffer
	answer := "a"
	if err := parquet.Write(&b, []row{{"q", &answer, []string{"t"}}, {"r", nil, nil}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := parse("x.parquet", Default(), data)
		checkRows(t, bytes.Repeat([]byte("\n"), len(rows)), rows, err)
	})
}
