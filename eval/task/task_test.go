package task

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ft/eval"
)

// write puts files into a fresh folder and returns the path of the first.
func write(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, files[0])
}

const good = `
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: c
doc_to_target: a
`

const goodRows = `{"q": "1?", "c": ["x", "y"], "a": 0}
{"q": "2?", "c": ["x", "y"], "a": 1}
{"q": "3?", "c": ["x", "y"], "a": 1}
{"q": "4?", "c": ["x", "y"], "a": 0}
`

func TestLoad_bad(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"misspelt", good + "num_fewshots: 3\n", []string{"t.yaml:9: num_fewshots: unknown key (did you mean num_fewshot?)"}},
		{"Python", good + "process_docs: !function utils.f\ndoc_to_image: x\n", []string{"!function names a Python function", "doc_to_image: is not supported"}},
		{"two at once", strings.Replace(good, "multiple_choice", "multiple_choices", 1) + "num_fewshot: -1\n",
			[]string{`output_type: must be one of multiple_choice`, "did you mean multiple_choice?", "num_fewshot: expected a whole number from 0, got -1"}},
		{"generated", strings.Replace(good, "multiple_choice", "generate_until", 1), []string{"output_type: must be one of"}},
		{"template", strings.Replace(good, "{{q}}", "{{q", 1), []string{"t.yaml:6: doc_to_text: line 1: the tag is not closed"}},
		{"no choices", strings.Replace(good, "doc_to_choice: c\n", "", 1), []string{"doc_to_choice: goes with output_type: multiple_choice"}},
		{"no target", strings.Replace(good, "doc_to_target: a\n", "", 1), []string{"doc_to_target: is missing"}},
		{"no files", strings.Replace(good, "dataset_kwargs: {data_files: {test: rows.jsonl}}\n", "", 1), []string{"dataset_kwargs.data_files: is missing"}},
		{"no such split", strings.Replace(good, "test_split: test", "test_split: dev", 1), []string{`test_split: there are no files of a split "dev" (have: test)`}},
		{"metric", good + "metric_list: [{metric: acc_nrm}, {metric: perplexity}, {metric: acc, aggregation: median}]\n",
			[]string{`unknown metric "acc_nrm" (did you mean acc_norm?)`, "acc is aggregated by mean, not by median"}},
		{"metric of another kind", good + "metric_list: [{metric: perplexity}]\n", []string{`multiple_choice has no metric "perplexity"`}},
		{"sampler", good + "fewshot_config: {sampler: first}\n", []string{`must be default (drawn) or first_n, got "first"`}},
		{"twice", good + "task: a\ntask: b\n", []string{"task: given twice"}},
		{"network", strings.Replace(good, "dataset_path: json", "dataset_path: openlifescienceai/medmcqa", 1), []string{"must be json, csv or parquet"}},
		{"a name with an escape", good + `task: "a\e[2J"` + "\n", []string{"task: the name \"a\\x1b[2J\" has nothing to show"}},
		{"not YAML", "a: [", []string{"not YAML"}},
		{"a list", "- a", []string{"expected keys with values"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(write(t, "t.yaml", c.text))
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
		})
	}
}

func TestPrepare_bad(t *testing.T) {
	for _, c := range []struct {
		name, rows string
		want       []string
	}{
		{"no field", `{"q": "?", "c": ["x", "y"]}` + "\n" + `{"q": "?", "c": ["x", "y"], "a": 0}`, []string{"rows.jsonl:1", `no field "a"`}},
		{"undefined", `{"c": ["x", "y"], "a": 0}`, []string{"rows.jsonl:1", "{{q}}", "undefined", "the row has: a, c"}},
		{"out of range", `{"q": "?", "c": ["x", "y"], "a": 2}`, []string{"rows.jsonl:1: the target 2 is neither one of the 2 choices nor the index of one"}},
		{"number as text", `{"q": "?", "c": ["x", "y"], "a": "1"}`, []string{`the target "1"`, "write doc_to_target as a template"}},
		{"one choice", `{"q": "?", "c": ["x"], "a": 0}`, []string{"at least two choices, found 1"}},
		{"empty choice", `{"q": "?", "c": ["x", ""], "a": 0}`, []string{"choice 1 is empty"}},
		{"choices no list", `{"q": "?", "c": "xy", "a": 0}`, []string{"expected a list of texts"}},
		{"bad row", `{"q": "?"`, []string{"rows.jsonl:1"}},
		{"no rows", "", []string{"no rows"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Load(write(t, "t.yaml", good, "rows.jsonl", c.rows))
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Prepare(0)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
		})
	}
}

// Drawn examples depend on the seed and the row, and a row is never its own example.
func TestExamples(t *testing.T) {
	contexts := func(more string) (out []string) {
		task := prepared(t, write(t, "t.yaml", good+more, "rows.jsonl", goodRows))
		for i, it := range task.items {
			question := string(rune('1'+i)) + "?"
			if n := strings.Count(it.contexts[0], question); n != 1 {
				t.Errorf("row %d's own question stands in its prompt %d times: %q", i, n, it.contexts[0])
			}
			out = append(out, it.contexts[0])
		}
		return out
	}
	a := contexts("num_fewshot: 2\n")
	if b := contexts("num_fewshot: 2\n"); !slices.Equal(a, b) {
		t.Errorf("drawn anew: %q, %q", a, b)
	}
	if b := contexts("num_fewshot: 2\nfewshot_seed: 7\n"); slices.Equal(a, b) {
		t.Errorf("another seed draws the same: %q", a)
	}
	if got, want := contexts("num_fewshot: 3\nfewshot_config: {sampler: first_n}\n")[1], "1? x\n\n3? y\n\n4? x\n\n2?"; got != want {
		t.Errorf("the first three for row 2: %q, want %q", got, want)
	}
	d, err := Load(write(t, "t.yaml", good+"num_fewshot: 4\n", "rows.jsonl", goodRows))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Prepare(0); err == nil || !strings.Contains(err.Error(), "num_fewshot is 4, there are 3 other rows") {
		t.Errorf("too many examples: %v", err)
	}
}

func TestPair(t *testing.T) {
	m := hashed{8}.model()
	for _, c := range []struct {
		context, continuation string
		want                  Request
	}{
		{"ab", " c", Request{ids("ab"), ids(" c")}},
		{"ab \n", "c", Request{ids("ab"), ids(" \nc")}},
		{"", "c", Request{[]int32{256}, ids("c")}},
		{" ", "c", Request{[]int32{256}, ids(" c")}},
	} {
		if got, err := m.Pair(c.context, c.continuation); err != nil {
			t.Errorf("%q, %q: %v", c.context, c.continuation, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q, %q: %s", c.context, c.continuation, diff)
		}
	}
	for _, c := range [][2]string{{"ab", ""}, {"ab", "123456789"}} {
		if got, err := m.Pair(c[0], c[1]); err == nil {
			t.Errorf("%q: %v", c, got)
		}
	}
	r := Request{ids("abcdefg"), ids("hij")}
	if !m.fit(&r) || len(r.Context) != 6 || m.fit(&r) {
		t.Errorf("10 tokens in a window of 8: %d of context are left", len(r.Context))
	}
}

func ids(s string) []int32 { return hashed{}.Encode(s, false) }

// All tokens are predicted once, whatever the window.
func TestWindows(t *testing.T) {
	text := ids("abcdefghij")
	for window := 1; window <= 12; window++ {
		var all []int32
		for _, w := range Windows(text, 256, window) {
			if n := len(w.Context) + len(w.Continuation); n > window+1 || len(w.Context) == 0 {
				t.Errorf("window %d: %d tokens, %d of them context", window, n, len(w.Context))
			}
			all = append(all, w.Continuation...)
		}
		if !slices.Equal(all, text) {
			t.Errorf("window %d predicts %v", window, all)
		}
	}
}

// Python's len(re.split(r"\s+", text)) of the same texts.
func TestWords(t *testing.T) {
	for text, want := range map[string]int{"": 1, "a": 1, "a b": 2, " a  b\n": 4, "短文本": 1, "a\u00a0b\u3000c": 3} {
		if got := Words(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// Python's ast.literal_eval of the same texts.
func TestLiteral(t *testing.T) {
	for text, want := range map[string]any{
		`['a', "it's", '\n\t\\', 'é\x41é']`: []any{"a", "it's", "\n\t\\", "éAé"},
		`[1, -2, 1.5, True, None]`:          []any{1, -2, 1.5, true, nil},
		`('a', ['b',],)`:                    []any{"a", []any{"b"}},
		`'a' "b"`:                           "ab",
		` []`:                               []any{},
		`'\q'`:                              `\q`,
	} {
		got, err := parseLiteral(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", text, err, diff)
		}
	}
	for _, text := range []string{"", "[", "['a'", "'a", "[a]", "['a' 1]", "[1] 2", strings.Repeat("[", 1000)} {
		if got, err := parseLiteral(text); err == nil {
			t.Errorf("%.20s gives %v", text, got)
		}
	}
}

// P values are those of scipy.stats.binomtest(k, n).
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		gained, lost int
		p            float64
		verdict      string
	}{
		{0, 0, 1, eval.NoDifference}, {5, 0, 0.0625, eval.NoDifference}, {8, 1, 0.0390625, eval.IsBetter}, {1, 8, 0.0390625, eval.IsWorse},
		{7, 3, 0.34375, eval.NoDifference}, {20, 40, 0.01348929373119186, eval.IsWorse}, {5, 5, 1, eval.NoDifference},
	} {
		var before, after []float64
		for range c.gained {
			before, after = append(before, 0), append(after, 1)
		}
		for range c.lost {
			before, after = append(before, 1), append(after, 0)
		}
		got := compare(append(before, 1, 0), append(after, 1, 0))
		if math.Abs(got.P-c.p) > 1e-9 || got.Verdict != c.verdict {
			t.Errorf("%d gained, %d lost: %+v, want p %v, %s", c.gained, c.lost, got, c.p, c.verdict)
		}
	}
}
