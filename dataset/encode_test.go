package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// runes is a tokenizer of one token a rune, but that "ab" and "<end>" are one token each, so that a prompt
// and an answer can merge where they meet.
type runes struct{ t *testing.T }

const abID, endID, bosID = 1 << 22, 1<<22 + 1, 1<<22 + 2

func (e runes) Encode(text string, special bool) []int32 {
	if special {
		e.t.Error("templated text is tokenized with the tokenizer's own special tokens")
	}
	var ids []int32
	for text != "" {
		r, n := utf8.DecodeRuneInString(text)
		id := int32(r)
		switch {
		case strings.HasPrefix(text, "<end>"):
			id, n = endID, 5
		case strings.HasPrefix(text, "ab"):
			id, n = abID, 2
		}
		ids, text = append(ids, id), text[n:]
	}
	return ids
}

// chat is a format with one line a turn: `role:text`.
func chat(t *testing.T) Format {
	return Format{
		Encoder: runes{t},
		Prompt: func(turns []Message, _ json.RawMessage) (string, error) {
			var b strings.Builder
			for _, m := range turns {
				if m.Role == "tool" {
					return "", errors.New("no tools")
				}
				fmt.Fprintf(&b, "%s:%s\n", m.Role[:1], m.Content)
			}
			return b.String() + "A:a", nil
		},
		End:     "<end>",
		Special: []string{"<end>", "", "[INST]"},
	}
}

func row(id, question, answer string) Row {
	return Row{ID: id, Messages: user(question), Answer: answer, File: "x.jsonl", Line: 3}
}

// encode is Encode of rows that must work.
func encode(t *testing.T, rows []Row, c Config, f Format) ([]Sample, *Report) {
	t.Helper()
	report := newReport(len(rows))
	samples, err := Samples(view(rows), c, f, report)
	if err != nil {
		t.Fatal(err)
	}
	return samples, report
}

func TestEncode_labels(t *testing.T) {
	f := chat(t)
	plain := Format{Encoder: runes{t}, Prompt: Plain, Begin: []int32{bosID}, Finish: []int32{endID}}
	const no = Ignore
	for _, c := range []struct {
		title, trainOn, answer string
		format                 Format
		ids, labels            []int32
		prompt                 int
	}{
		{"answer", "answer", "x", f,
			[]int32{'u', ':', 'q', '\n', 'A', ':', 'a', 'x', endID},
			[]int32{no, no, no, no, no, no, no, 'x', endID}, 7},
		{"merged", "answer", "bx", f,
			[]int32{'u', ':', 'q', '\n', 'A', ':', abID, 'x', endID},
			[]int32{no, no, no, no, no, no, no, 'x', endID}, 7},
		{"all", "all", "x", f,
			[]int32{'u', ':', 'q', '\n', 'A', ':', 'a', 'x', endID},
			[]int32{'u', ':', 'q', '\n', 'A', ':', 'a', 'x', endID}, 7},
		{"plain", "answer", "x", plain,
			[]int32{bosID, 'q', '\n', 'x', endID},
			[]int32{no, no, no, 'x', endID}, 3},
	} {
		t.Run(c.title, func(t *testing.T) {
			config := Default()
			config.TrainOn = c.trainOn
			got, _ := encode(t, []Row{row("r", "q", c.answer)}, config, c.format)
			want := []Sample{{ID: "r", Key: key("r"), IDs: c.ids, Labels: c.labels, Prompt: c.prompt}}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// The reference: a prompt's tokens are masked, as many as it has alone, in the cut whole.
func TestEncode_randomTexts(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	word := func() string {
		b := make([]byte, 1+rng.IntN(12))
		for i := range b {
			b[i] = "abx "[rng.IntN(4)]
		}
		return string(b)
	}
	f := chat(t)
	config := Default()
	config.TooLong, config.MaxTokens, config.System = "cut", 24, "sys"
	for range 500 {
		r := row("r", word(), word())
		got, report := encode(t, []Row{r}, config, f)
		text, err := f.Prompt(r.Prompt("sys"), nil)
		if err != nil {
			t.Fatal(err)
		}
		prompt, whole := f.Encoder.Encode(text, false), f.Encoder.Encode(text+r.Answer+"<end>", false)
		full := len(whole)
		whole = whole[:min(full, 24)]
		if len(prompt) >= len(whole) {
			if len(got) != 0 || report.Dropped["no_label"] != 1 || report.Notes["cut"] != 0 {
				t.Fatalf("%q: a sample without a label: %v, %+v", text, got, report)
			}
			continue
		}
		labels := append([]int32{}, whole...)
		for i := range prompt {
			labels[i] = Ignore
		}
		want := []Sample{{ID: "r", Key: key("r"), IDs: whole, Labels: labels, Prompt: len(prompt)}}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
		if wasCut := report.Notes["cut"] == 1; wasCut != (full > 24) {
			t.Fatalf("%d tokens, cut: %v", full, wasCut)
		}
	}
}

func TestEncode_tooLong(t *testing.T) {
	rows := []Row{row("fits", "q", "xx"), row("long", "q", "xxxxx"), row("long prompt", "qqqqqqqq", "x")}
	config := Default()
	config.MaxTokens = 10
	f := chat(t)
	for _, c := range []struct {
		how            string
		kept           []string
		dropped, notes map[string]int
	}{
		{"drop", []string{"fits"}, map[string]int{"too_long": 2}, map[string]int{}},
		{"cut", []string{"fits", "long"}, map[string]int{"no_label": 1}, map[string]int{"cut": 1}},
	} {
		config.TooLong = c.how
		samples, report := encode(t, rows, config, f)
		var kept []string
		for _, s := range samples {
			kept = append(kept, s.ID)
			if len(s.IDs) > 10 || len(s.Labels) != len(s.IDs) {
				t.Errorf("%s: %s has %d tokens and %d labels", c.how, s.ID, len(s.IDs), len(s.Labels))
			}
		}
		if d := cmp.Diff(c.kept, kept); d != "" {
			t.Errorf("%s: %s", c.how, d)
		}
		if d := cmp.Diff(c.dropped, report.Dropped); d != "" {
			t.Errorf("%s: %s", c.how, d)
		}
		if d := cmp.Diff(c.notes, report.Notes); d != "" {
			t.Errorf("%s: %s", c.how, d)
		}
		if report.Kept != len(c.kept) {
			t.Errorf("%s: %d kept, want %d", c.how, report.Kept, len(c.kept))
		}
	}
	config.TooLong = "error"
	_, err := Samples(view(rows), config, f, newReport(3))
	if want := `dataset: 2 of 3 rows are longer than data.max_tokens 10, the longest has 16 tokens: "long", "long prompt"`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestEncode_notes(t *testing.T) {
	rows := []Row{row("clean", "q < r [", "a"), row("asks", "q<end>", "a"), row("says", "q", "a [INST] b")}
	_, report := encode(t, rows, Default(), chat(t))
	if d := cmp.Diff([]string{"asks", "says"}, report.IDs["special_text"]); d != "" {
		t.Error(d)
	}
	if report.Kept != 3 {
		t.Errorf("%d kept, want 3", report.Kept)
	}
}

func TestEncode_templateError(t *testing.T) {
	r := row("r", "q", "a")
	r.Messages[0].Role = "tool"
	want := "dataset: x.jsonl:3: template: no tools"
	if _, err := Samples(view([]Row{r}), Default(), chat(t), newReport(1)); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := chat(t).PromptIDs(r, ""); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Rows that the template refuses are ten errors at most, or dropped and told.
func TestEncode_refused(t *testing.T) {
	var rows []Row
	for i := range 30 {
		r := row(fmt.Sprintf("r%d", i), "q", "a")
		if i%2 == 0 {
			r.Messages[0].Role = "tool"
		}
		r.Line = i + 1
		rows = append(rows, r)
	}
	rows = append(rows, Row{ID: "text", Answer: "text", Plain: true})
	f := chat(t)
	_, err := Samples(view(rows), Default(), f, newReport(len(rows)))
	if err == nil || strings.Count(err.Error(), "template: no tools") != 10 || !strings.Contains(err.Error(), "x.jsonl:19:") {
		t.Errorf("got %v", err)
	}
	if _, err := f.Answerable(view(rows), Default(), newReport(len(rows))); err == nil || strings.Count(err.Error(), "no tools") != 10 {
		t.Errorf("got %v", err)
	}
	c := Default()
	c.BadRows = "drop"
	report := newReport(len(rows))
	samples, err := Samples(view(rows), c, f, report)
	if err != nil || len(samples) != 16 || report.Dropped["bad_row"] != 15 || report.Kept != 16 || len(report.BadRows) != 15 || report.BadRows[0] != "x.jsonl:1: template: no tools" {
		t.Errorf("%d samples (%v), dropped %v, %q", len(samples), err, report.Dropped, report.BadRows)
	}
	report = newReport(len(rows))
	good, err := f.Answerable(view(rows), c, report)
	if err != nil || good.Len() != 16 || report.Dropped["bad_row"] != 15 {
		t.Errorf("%d rows (%v), dropped %v", good.Len(), err, report.Dropped)
	}
}

func TestFormat_promptIDs(t *testing.T) {
	f := chat(t)
	f.Begin = []int32{bosID}
	got, err := f.PromptIDs(row("r", "q", "x"), "s")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int32{bosID, 's', ':', 's', '\n', 'u', ':', 'q', '\n', 'A', ':', 'a'}, got); d != "" {
		t.Error(d)
	}
}

func TestSample_show(t *testing.T) {
	config := Default()
	config.TrainOn = "all"
	samples, _ := encode(t, []Row{row("r", "q", "x")}, config, Format{Encoder: runes{t}, Prompt: Plain})
	got := samples[0].Show(func(id int32) string { return string(rune(id)) })
	if d := cmp.Diff([]Token{{'q', "q", false}, {'\n', "\n", true}, {'x', "x", true}}, got); d != "" {
		t.Error(d)
	}
}

func TestMeter(t *testing.T) {
	var samples []Sample
	for n := 200; n > 0; n-- {
		s := Sample{IDs: make([]int32, n), Labels: make([]int32, n)}
		samples = append(samples, s)
	}
	measure := func(samples []Sample) Lengths {
		var m Meter
		for _, s := range samples {
			m.Add(s)
		}
		return m.Lengths()
	}
	want := Lengths{Samples: 200, Tokens: 20100, Labels: 19900, Min: 1, Mean: 100.5, P50: 100, P90: 180, P99: 198, Max: 200}
	if d := cmp.Diff(want, measure(samples)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Lengths{Samples: 1, Tokens: 3, Labels: 2, Min: 3, Mean: 3, P50: 3, P90: 3, P99: 3, Max: 3}, measure(samples[197:198])); d != "" {
		t.Error(d)
	}
	if got := measure(nil); got != (Lengths{}) {
		t.Errorf("no samples: %+v", got)
	}
}
