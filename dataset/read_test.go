package dataset

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// The same three rows in every format of text, and on which lines they are.
var sameRows = []struct {
	ext, text string
	lines     []int
}{
	{".jsonl", `{"question":"感冒了吃什么药？","answer":"多喝水，\n多休息。"}` + "\n\n" + `{"question":"发烧怎么办？","answer":"量体温，看医生。"}` + "\r\n" + `{"question":"q","answer":"a"}`, []int{1, 3, 4}},
	{".json", "\n[\n" + `{"question":"感冒了吃什么药？","answer":"多喝水，\n多休息。"},` + "\n\n" + `{"question":"发烧怎么办？",` + "\n" + `"answer":"量体温，看医生。"},` + "\n" + `{"question":"q","answer":"a"}]`, []int{3, 5, 7}},
	{".json", `{"version":1,"about":{"n":[1,"}"]},` + "\n" + `"data":` + "\n" + `[{"question":"感冒了吃什么药？","answer":"多喝水，\n多休息。"},` + "\n" + `{"question":"发烧怎么办？","answer":"量体温，看医生。"},` + "\n" + `{"question":"q","answer":"a"}],"more":[1]}`, []int{3, 4, 5}},
	{".json", "{\n" + ` "question":"感冒了吃什么药？", "answer":"多喝水，\n多休息。"` + "\n}\n" + `{"question":"发烧怎么办？","answer":"量体温，看医生。"}` + "\n" + `{"question":"q","answer":"a"}`, []int{1, 4, 5}},
	{".csv", "question,answer\r\n感冒了吃什么药？,\"多喝水，\n多休息。\"\r\n\r\n发烧怎么办？,量体温，看医生。\r\nq,a", []int{2, 5, 6}},
	{".tsv", "question\tanswer\n感冒了吃什么药？\t\"多喝水，\n多休息。\"\n发烧怎么办？\t量体温，看医生。\nq\ta\n", []int{2, 4, 5}},
}

var encodings = map[string]encoding.Encoding{
	"UTF-8": encoding.Nop, "UTF-8 with BOM": unicode.UTF8BOM, "GB18030": simplifiedchinese.GBK,
	"UTF-16LE": unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "UTF-16BE": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
}

func gzipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t testing.TB, s string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return string(z.EncodeAll([]byte(s), nil))
}

var packings = map[string]func(testing.TB, string) string{
	"": func(_ testing.TB, s string) string { return s }, "gzip": gzipped, "zstd": zstandard,
}

// TestRead: every format in every encoding and compression gives the same rows with their lines, whether the name tells of it or not.
func TestRead(t *testing.T) {
	for _, f := range sameRows {
		for encodingName, e := range encodings {
			for packing, pack := range packings {
				text, err := e.NewEncoder().String(f.text)
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"x" + f.ext, "x" + f.ext + map[string]string{"gzip": ".gz", "zstd": ".zst"}[packing], "x"} {
					rows, report, err := files{name: pack(t, text)}.load("auto", name)
					at := fmt.Sprintf("%s %s %s", name, encodingName, packing)
					if err != nil {
						t.Errorf("%s: %v", at, err)
						continue
					}
					var lines []int
					said := ""
					for _, r := range rows {
						lines = append(lines, r.Line)
						said += r.Question() + "|" + r.Answer + "|"
					}
					if want := "感冒了吃什么药？|多喝水，\n多休息。|发烧怎么办？|量体温，看医生。|q|a|"; said != want || !slices.Equal(lines, f.lines) {
						t.Errorf("%s: lines %v, rows %q", at, lines, said)
					}
					if info := report.Files[0]; info.Rows != 3 || info.Encoding != encodingName || info.Compression != packing || "."+strings.TrimSuffix(info.Format, "l") != strings.TrimSuffix(f.ext, "l") {
						t.Errorf("%s: %+v", at, info)
					}
				}
			}
		}
	}
}

// TestRead_parquet: columns of all kinds become what JSON would have.
func TestRead_parquet(t *testing.T) {
	type turn struct {
		Role    string `parquet:"role"`
		Content string `parquet:"content"`
		Name    *int64 `parquet:"name,optional"`
	}
	type row struct {
		ID       int64   `parquet:"id"`
		Messages []turn  `parquet:"messages,list"`
		Group    *string `parquet:"group,optional"`
		Score    float64 `parquet:"score"`
		Picture  []byte  `parquet:"picture"`
	}
	group := "g"
	var rows []row
	for i := range 40 {
		rows = append(rows, row{ID: int64(i), Messages: []turn{{"user", fmt.Sprint("问", i), nil}, {"assistant", "答", nil}}, Picture: []byte{0xff, 0xd8}})
		if i%2 == 0 {
			rows[i].Group = &group
		}
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, rows, parquet.MaxRowsPerRowGroup(7)); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"x.parquet": b.String(), "x": b.String(), "x.parquet.gz": gzipped(t, b.String())} {
		got, report, err := files{name: content}.load("auto", name)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 40 || report.Files[0].Format != "parquet" {
			t.Fatalf("%d rows, %+v", len(got), report.Files)
		}
		want := Row{ID: "38", Group: "g", Messages: []Message{{Role: "user", Content: "问38"}}, Answer: "答", File: name, Line: 39}
		if d := diff(want, got[38]); d != "" {
			t.Error(d)
		}
	}
	for i := 0; i < b.Len(); i += 17 { // one clear error, or another row; never a panic
		damaged := bytes.Clone(b.Bytes())
		damaged[i] ^= 0x55
		_, _, err := files{"x.parquet": string(damaged)}.load("auto", "x.parquet")
		if err != nil && !strings.Contains(err.Error(), "x.parquet") {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}

// TestRead_parquetBytes: bytes that are no text do no harm where nobody reads them, and make a bad row where somebody does.
func TestRead_parquetBytes(t *testing.T) {
	type row struct {
		Question string `parquet:"question"`
		Answer   []byte `parquet:"answer"`
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, []row{{"q", []byte("a")}, {"r", []byte("\xffb")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := one("x.parquet", b.String()); err == nil || !strings.Contains(err.Error(), "x.parquet:2: holds bytes that are no text") {
		t.Errorf("got %v", err)
	}
}

// TestRead_damaged: a compressed file that is damaged or cut off is one error that says so.
func TestRead_damaged(t *testing.T) {
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, `{"question":"q%d","answer":"a%d"}`+"\n", i*7919%2000, i)
	}
	for packing, pack := range packings {
		if packing == "" {
			continue
		}
		whole := pack(t, text.String())
		wrong := []byte(whole)
		for i := len(wrong) / 2; i < len(wrong)/2+40; i++ {
			wrong[i] ^= 0xff
		}
		for what, content := range map[string]string{"cut": whole[:len(whole)/2], "damaged": string(wrong), "cut at once": whole[:12]} {
			for _, policy := range []string{"stop", "drop"} {
				c := Default()
				c.Files, c.BadRows = []string{"x.jsonl"}, policy
				_, _, err := Load(c, files{"x.jsonl": content}.source())
				if want := "x.jsonl: damaged " + packing + " file: "; err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 0 {
					t.Errorf("%s %s: got %v, want %s", what, packing, err, want)
				}
			}
		}
	}
}

// TestRead_longRows: rows of megabytes are read; what never becomes a row is refused.
func TestRead_longRows(t *testing.T) {
	long := strings.Repeat("医", 1<<20)
	for name, text := range map[string]string{
		"x.jsonl": `{"question":"` + long + `","answer":"a"}`, "x.json": `[{"question":"` + long + `","answer":"a"}]`, "x": `{"question":"` + long + `","answer":"a"}`,
		"x.csv": "question,answer\n\"" + long + "\",a\n", "x.txt": "t\n\n" + long,
	} {
		rows, err := one(name, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r := rows[len(rows)-1]; len(r.Question()) != len(long) {
			t.Errorf("%s: %d bytes of %d", name, len(r.Question()), len(long))
		}
	}
	endless := io.MultiReader(strings.NewReader("question,answer\n\""), zeros{})
	c := Default()
	c.Files = []string{"x.csv"}
	_, _, err := Load(c, Source{Open: func(string) (io.ReadCloser, error) { return io.NopCloser(endless), nil }})
	if err == nil || !strings.Contains(err.Error(), "x.csv:1: a row of more than 64 MiB") {
		t.Errorf("got %v", err)
	}
}

// zeros is text without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// TestRead_badRows: with data.bad_rows: drop every kind of bad row is left out and told with file, line and reason; with stop it is the error.
func TestRead_badRows(t *testing.T) {
	for _, c := range []struct {
		name, text string
		kept       int
		want       []string
	}{
		{"x.jsonl", good + "{\n" + good + `{"answer":"a"}` + "\n[]\n" + good + `{"question":"a\xff"}` + "\n" + good[:len(good)-3], 3,
			[]string{"x.jsonl:2: expected one JSON object", "x.jsonl:4: missing field", "x.jsonl:5: expected one JSON object on the line: found a list", "x.jsonl:7: expected one JSON", "x.jsonl:8: expected one JSON object on the line: unexpected end"}},
		{"x.csv", "question,answer\nq\nq,a\nq,a,b\n\"q\n\",a \"b\" c\nq,\xe5a\nq,感冒感冒感冒感冒感冒\n", 2,
			[]string{"x.csv:2: expected 2 fields as in the header, found 1", "x.csv:4: expected 2 fields as in the header, found 3", `x.csv:5: bare "`, "x.csv:7: holds bytes that are no text"}},
		{"x.json", "[\n1,\n" + `{"question":"q","answer":"a"},{"question":1,"answer":"a"}]`, 1, []string{"x.json:2: expected a JSON object: found a number", `x.json:3: field "question": expected a string`}},
	} {
		config := Default()
		config.Files, config.BadRows = []string{c.name}, "drop"
		table, report, err := Load(config, files{c.name: c.text}.source())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		n := len(c.want)
		if table.Len() != c.kept || report.Rows != c.kept+n || report.Kept != c.kept || report.Dropped[badRow] != n || len(report.IDs[badRow]) != n || report.Files[0].Bad != n {
			t.Errorf("%s: %d rows, %+v", c.name, table.Len(), report)
		}
		for i, want := range c.want {
			if i >= len(report.BadRows) || !strings.HasPrefix(report.BadRows[i], want) {
				t.Errorf("%s: told %q, want %q", c.name, report.BadRows, want)
				break
			}
		}
		config.BadRows = "stop"
		_, _, err = Load(config, files{c.name: c.text}.source())
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", c.name, err, want)
			}
		}
	}
}

// TestRead_cutOff: a row that the file's end cuts in a character is left out and told, whatever data.bad_rows says.
func TestRead_cutOff(t *testing.T) {
	gbk := func(s string) string {
		b, err := simplifiedchinese.GBK.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const two = "question,answer\n感冒了吃什么药？,多喝水。\n发烧怎么办？,"
	for what, text := range map[string]string{
		"UTF-8": two + "量"[:2], "GBK": gbk(two+"看") + "\xd2", "quoted": gbk(two+"\"看") + "\xd2", "first cell": gbk("question,answer\n感冒了吃什么药？,多喝水。\n发") + "\xc9",
	} {
		rows, report, err := files{"x.csv": text}.load("auto", "x.csv")
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if len(rows) != 1 || report.Rows != 2 || report.Dropped[cutOff] != 1 || !slices.Equal(report.BadRows, []string{"x.csv:3: " + errCutOff.Error()}) || !slices.Equal(report.IDs[cutOff], []string{"x.csv:3"}) {
			t.Errorf("%s: %d rows, %+v", what, len(rows), report)
		}
	}
}

// TestRead_text: paragraphs are rows, or lines where there is no blank one.
func TestRead_text(t *testing.T) {
	for text, want := range map[string][]string{
		"a\nb\n\n \nc\r\n": {"1 a\nb", "5 c"}, "\n\na\nb\n": {"3 a", "4 b"}, "a": {"1 a"}, "a\n\t\nb": {"1 a", "3 b"},
	} {
		rows, err := one("x.txt", text)
		var got []string
		for _, r := range rows {
			got = append(got, fmt.Sprint(r.Line, " ", r.Answer))
		}
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%q: %v %s", text, err, d)
		}
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{
		"d/b.jsonl", "d/a.csv.gz", "d/e/c.tsv.zst", "d/notes.txt", "d/README.md", "d/.hidden.json", "d/.git/x.json", "texts/one.txt", "texts/two.txt", "none/x.md", "odd[1].json",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("b.jsonl", "d/z.jsonl"); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		names, want []string
		skipped     int
	}{
		{[]string{"d"}, []string{"d/a.csv.gz", "d/b.jsonl", "d/e/c.tsv.zst"}, 3},
		{[]string{"texts", "d/b.jsonl"}, []string{"texts/one.txt", "texts/two.txt", "d/b.jsonl"}, 0},
		{[]string{"d/*.jsonl", "d/b.jsonl"}, []string{"d/b.jsonl"}, 2},
		{[]string{"d/**/*.zst"}, []string{"d/e/c.tsv.zst"}, 0},
		{[]string{"**/[ab].*"}, []string{"d/a.csv.gz", "d/b.jsonl"}, 0},
		{[]string{"d/**"}, []string{"d/README.md", "d/a.csv.gz", "d/b.jsonl", "d/e/c.tsv.zst", "d/notes.txt"}, 1},
		{[]string{"odd[1].json", "embedded:x", "./d/b.jsonl", "d/z.jsonl"}, []string{"odd[1].json", "embedded:x", "./d/b.jsonl"}, 1},
	} {
		got, skipped, err := Resolve(c.names)
		for i := range got {
			got[i] = filepath.ToSlash(got[i])
		}
		if d := cmp.Diff(c.want, got); err != nil || d != "" || len(skipped) != c.skipped {
			t.Errorf("%v: skipped %q, error %v\n%s", c.names, skipped, err, d)
		}
		again, skipped, err := Resolve(got)
		if err != nil || !slices.Equal(got, again) || len(skipped) > 0 {
			t.Errorf("%v resolves to %v", got, again)
		}
	}
	for names, want := range map[string]string{"none": "folder none has no file to read", "*.csv": "no file matches *.csv", "d/**/*.md5": "no file matches", "[": "syntax error"} {
		if _, _, err := Resolve([]string{names}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", names, err, want)
		}
	}
}
