package dataset

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ft/internal/testkit"
)

func TestPersonal(t *testing.T) {
	for _, c := range []struct {
		text string
		want uint8
	}{
		{"write to jo.doe+x@mail.example.org, please", hasEmail},
		{"联系a_b@163.com。", hasEmail},
		{"ask @someone or a@b or a@b.c or x@1.2.3.4", 0},
		{"call +44 20 7946 0958 now", hasPhone},
		{"call +86 138-0013-8000", hasPhone},
		{"电话13800138000。", hasPhone},
		{"电话 138 0013 8000", hasPhone},
		{"8613800138000", hasPhone},
		{"(415) 555-0134", hasPhone}, {"415-555-0134", hasPhone}, {"1-800-555-0134.", hasPhone},
		{"身份证11010519491231002X", hasIDNumber},
		{"身份证110105194912310029", 0}, // wrong check digit
		{"SSN 123-45-6789", hasIDNumber}, {"000-45-6789", 0}, {"123-45-678", 0},
		{"card 4111 1111 1111 1111", hasIDNumber}, {"4111111111111111", hasIDNumber}, {"4111-1111-1111-1112", 0}, {"5500005555555559", hasIDNumber},
		{"a.b@c.org 13800138000", hasEmail | hasPhone},
		{"1,234,567,890 cells, 12800138000, 0.13800138000, 2026-11-27 10:00:00, 120/80, ISBN 978-3-16-148410-0", 0},
		{"id13800138000 x", 0}, {"113800138000", 0}, {"£20-25 10-20-30", 0}, {"3.14159265358979", 0},
	} {
		if got := personal(c.text); got != c.want {
			t.Errorf("%q: got %b, want %b", c.text, got, c.want)
		}
	}
}

func TestTally(t *testing.T) {
	for text, want := range map[string]language{
		"What are the symptoms of asthma and how is it treated?":                                         english,
		"¿Cuáles son los síntomas del asma y por qué es una enfermedad?":                                 spanish,
		"Quels sont les symptômes de l'asthme et comment est traitée une crise ?":                        french,
		"Was sind die Symptome und wie wird das Asthma mit einem Spray behandelt, ist es nicht schlimm?": german,
		"高血压患者能吃党参吗？":                                                                                    chinese,
		"高血压患者 ACE inhibitor 能吃吗，我有点担心":                                                                  chinese,
		"喘息の症状は何ですか。教えてください":                                                                             japanese,
		"천식의 증상은 무엇입니까 그리고 어떻게 치료합니까":                                                                    korean,
		"Каковы симптомы астмы и как ее лечат":                                                           cyrillic,
		"1 + 2 = 3": undecided, "ok": undecided, "": undecided,
	} {
		var tl tally
		tl.add(text)
		if got := tl.language(); got != want {
			t.Errorf("%q: %s, want %s", text, languageNames[got], languageNames[want])
		}
	}
	var tl tally
	tl.add("Naïve men, 高血压 x2!")
	if tl.length() != 6 {
		t.Errorf("length %d, want 6", tl.length())
	}
}

func TestOutliers(t *testing.T) {
	lengths := []int{2, 5000}
	for i := range 200 {
		lengths = append(lengths, 80+i%41)
	}
	odd := outliers(lengths)
	var got []int
	for _, n := range lengths {
		if odd(n) {
			got = append(got, n)
		}
	}
	if !slices.Equal(got, []int{2, 5000}) {
		t.Errorf("got %v", got)
	}
	same := slices.Repeat([]int{10}, 50)
	if odd := outliers(same); odd(10) {
		t.Error("equal lengths are outliers")
	}
	if odd := outliers(append(same, 100000)); !odd(100000) || odd(10) {
		t.Error("one long among equal ones is none")
	}
}

// dirty has rows for every step.
func dirty() []Row {
	rows := []Row{
		{ID: "text", Messages: user("the patientâ€™s blood\u200b pressure"), Answer: "is high, and that is not a thing to be glad of"},
		{ID: "broken", Messages: user("what is \ufffd\ufffd in it"), Answer: "it is lost and gone"},
		{ID: "pii", Messages: user("whom shall I write to"), Answer: "jo@example.org or +44 20 7946 0958"},
		{ID: "first", Messages: user("what is the best that one can do about it"), Answer: "rest"},
		{ID: "dup", Messages: user("what is the best  that one can do about it"), Answer: "rest"},
		{ID: "conflict", Messages: user("what is the best that one can do about it"), Answer: "run"},
		{ID: "near", Messages: user("what is the best that one can do about IT?"), Answer: "rest!"},
		{ID: "long", Messages: user("why"), Answer: strings.Repeat("because of many other things ", 500)},
		{ID: "chinese", Messages: user("高血压患者能吃党参吗，应该注意什么"), Answer: "可以"},
	}
	for i := range 40 {
		rows = append(rows, Row{ID: fmt.Sprint("r", i), Messages: user(fmt.Sprintf("what is the name of item %d that you have", i)), Answer: fmt.Sprintf("it is called %d%d and so", i, i) + strings.Repeat(" on", i%12)})
	}
	return rows
}

// Each step drops, notes or does not look, as the config says, and does nothing else.
func TestClean_steps(t *testing.T) {
	none := CleanConfig{Text: off, Duplicates: off, Near: off, Similarity: 0.8, Conflicts: off, Outliers: off, Language: off, PII: off}
	for _, c := range []struct {
		step   string
		set    func(c *CleanConfig, how string)
		counts map[string][]string // ids by reason
	}{
		{"duplicates", func(c *CleanConfig, how string) { c.Duplicates = how }, map[string][]string{"duplicate": {"dup"}}},
		{"near", func(c *CleanConfig, how string) { c.Near = how }, map[string][]string{"near_duplicate": {"dup", "conflict", "near"}}},
		{"conflicts", func(c *CleanConfig, how string) { c.Conflicts = how }, map[string][]string{"conflicting_answer": {"conflict"}}},
		{"outliers", func(c *CleanConfig, how string) { c.Outliers = how }, map[string][]string{"length_outlier": {"long"}}},
		{"language", func(c *CleanConfig, how string) { c.Language = how }, map[string][]string{"other_language": {"chinese"}}},
		{"pii", func(c *CleanConfig, how string) { c.PII = how }, map[string][]string{"email": {"pii"}, "phone": {"pii"}}},
	} {
		for _, how := range []string{off, noteIt, dropIt} {
			config := none
			c.set(&config, how)
			report := newReport(0)
			rows := dirty()
			kept, err := Clean(view(rows), config, report)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string][]string{}
			lost := 0
			if how != off {
				for reason, ids := range c.counts {
					for _, id := range ids {
						if !slices.ContainsFunc(rows, func(r Row) bool { return r.ID == id }) {
							t.Fatal(id)
						}
					}
					want[reason] = ids
				}
			}
			if how == dropIt {
				delete(want, "phone") // a row goes once
				for _, ids := range want {
					lost += len(ids)
				}
			}
			if c.step == "near" && how != off {
				for reason := range want {
					slices.Sort(want[reason])
					slices.Sort(report.IDs[reason])
				}
			}
			if d := cmp.Diff(want, report.IDs); d != "" {
				t.Errorf("%s %s: %s", c.step, how, d)
			}
			if kept.Len() != len(rows)-lost || -report.Kept != lost {
				t.Errorf("%s %s: %d of %d rows kept, report %d", c.step, how, kept.Len(), len(rows), report.Kept)
			}
		}
	}
}

func TestClean_text(t *testing.T) {
	config := CleanConfig{Text: fixIt, Duplicates: off, Near: off, Similarity: 0.8, Conflicts: off, Outliers: off, Language: off, PII: off}
	rows := dirty()
	for how, want := range map[string]struct {
		text string
		ids  map[string][]string
	}{
		fixIt:  {"the patient’s blood pressure", map[string][]string{"text_fixed": {"text"}, "text_broken": {"broken"}}},
		noteIt: {rows[0].Messages[0].Content, map[string][]string{"text_broken": {"text", "broken"}}},
		off:    {rows[0].Messages[0].Content, map[string][]string{}},
	} {
		config.Text = how
		report := newReport(len(rows))
		v := view(rows)
		kept, err := Clean(v, config, report)
		if err != nil {
			t.Fatal(err)
		}
		if got := all(t, kept)[0].Messages[0].Content; got != want.text {
			t.Errorf("%s: %q, want %q", how, got, want.text)
		}
		if d := cmp.Diff(want.ids, report.IDs); d != "" {
			t.Errorf("%s: %s", how, d)
		}
		if rows[0].Messages[0].Content != dirty()[0].Messages[0].Content {
			t.Fatal("the file's row was changed")
		}
		// A manifest's hashes are of what the file says, whatever is repaired.
		var m bytes.Buffer
		if err := (Parts{Train: kept}).WriteManifest(&m, true); err != nil || !strings.Contains(m.String(), rows[0].Hash()) {
			t.Errorf("%s: no hash of the file's row (%v)", how, err)
		}
		if how != fixIt {
			continue
		}
		var details []Detail
		err = report.Details(v, []string{"text_fixed"}, func(d Detail) error { details = append(details, d); return nil })
		if err != nil || len(details) != 1 || details[0].Before != "the patientâ€™s blood\u200b pressure" || details[0].After != want.text {
			t.Errorf("details %+v (%v)", details, err)
		}
	}
}

// TestConformance_writeJSONL: what is written is read back as the same rows, for every file of every shape.
func TestConformance_writeJSONL(t *testing.T) {
	for _, place := range []string{"data", "fixtures/alpaca"} {
		testkit.Conformance(t, place, func(t *testing.T, dir string) {
			names, err := filepath.Glob(filepath.Join(dir, "*.json*"))
			if err != nil || len(names) == 0 {
				t.Fatalf("no cases in %s (%v)", dir, err)
			}
			for _, name := range names {
				roundTrip(t, name)
			}
		})
	}
}

func TestWriteJSONL(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.jsonl")
	lines := []string{
		`{"id":"1","question":"q <&>\u2028","answer":"a\n","group":"g"}`,
		`{"id":"2","messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"},{"role":"user","content":"v"},{"role":"assistant","content":"b"}]}`,
		`{"id":"3","text":"plain"}`,
		`{"id":"4","messages":[{"role":"user","content":"u"},{"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1}}}]},{"role":"tool","content":"1","name":"f"},{"role":"assistant","content":"b"}],"tools":[{"type":"function","function":{"name":"f"}}]}`,
		`{"instruction":"i","input":"x","output":"o","system":"s"}`,
	}
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o666); err != nil {
		t.Fatal(err)
	}
	roundTrip(t, name)
}

func roundTrip(t *testing.T, name string) {
	t.Helper()
	load := func(name string) []Row {
		c := Default()
		c.Files = []string{name}
		table, _, err := Load(c, Source{})
		if err != nil {
			t.Fatal(err)
		}
		defer table.Close()
		return all(t, table.View())
	}
	want := load(name)
	var b bytes.Buffer
	if err := view(want).WriteJSONL(&b, Default().Split); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.jsonl")
	if err := os.WriteFile(out, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, load(out), cmpopts.IgnoreFields(Row{}, "File", "Line"), cmpopts.IgnoreUnexported(Row{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s: %s", name, d[:min(len(d), 2000)])
	}
}
