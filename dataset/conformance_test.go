package dataset

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"ft/internal/testkit"
)

func TestConformance_alpaca(t *testing.T) {
	testkit.Conformance(t, "fixtures/alpaca", func(t *testing.T, dir string) {
		names, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no cases in %s (%v)", dir, err)
		}
		for _, name := range names {
			t.Run(filepath.Base(name), func(t *testing.T) {
				c := Default()
				c.Files = []string{name}
				table, report, err := Load(c, Source{})
				if err != nil {
					t.Fatal(err)
				}
				rows := clean(t, table.View(), report)
				t.Logf("%d rows, dropped %v", report.Rows, report.Dropped)
				p, err := Split(rows, c.Split, Source{}, report)
				if err != nil {
					t.Fatal(err)
				}
				if n := p.Train.Len() + p.Val.Len() + p.Test.Len(); n != report.Kept || report.Kept*2 < report.Rows {
					t.Errorf("%d rows, %d kept, %d in the parts", report.Rows, report.Kept, n)
				}
			})
		}
	})
}

func TestConformance_encoding(t *testing.T) {
	testkit.Conformance(t, "fixtures", func(t *testing.T, dir string) {
		names, err := filepath.Glob(filepath.Join(dir, "*.gbk.csv"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			t.Run(filepath.Base(name), func(t *testing.T) {
				c := Default()
				c.Files = []string{name}
				_, _, err := Load(c, Source{})
				want := regexp.MustCompile(regexp.QuoteMeta(filepath.Base(name)) + `:\d+: expected UTF-8 text, found byte 0x`)
				if err == nil || !want.MatchString(err.Error()) {
					t.Errorf("got %v, want the line that is not UTF-8", err)
				}
			})
		}
	})
}

// A folder of question-answer sets, with a fixed split of one of them beside it.
func TestConformance_data(t *testing.T) {
	testkit.Conformance(t, "data", func(t *testing.T, dir string) {
		names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no cases in %s (%v)", dir, err)
		}
		for _, name := range names {
			t.Run(filepath.Base(name), func(t *testing.T) {
				c := Default()
				c.Files = []string{name}
				table, report, err := Load(c, Source{})
				if err != nil {
					t.Fatal(err)
				}
				p, err := Split(clean(t, table.View(), report), c.Split, Source{}, report)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d rows, dropped %v, parts %d, %d, %d", report.Rows, report.Dropped, p.Train.Len(), p.Val.Len(), p.Test.Len())
			})
		}
	})
	testkit.Conformance(t, "bench/split_medquad_short.json", func(t *testing.T, manifest string) {
		c := Default()
		c.Files = []string{filepath.Join(manifest, "..", "..", "data", "medquad_en_short.jsonl")}
		if _, err := os.Stat(c.Files[0]); err != nil {
			t.Skip("the split is here, its data is not")
		}
		c.Split.Manifest = manifest
		table, report, err := Load(c, Source{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := Split(clean(t, table.View(), report), c.Split, Source{}, report)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]int{p.Train.Len(), p.Val.Len(), p.Test.Len()}; got != [3]int{2870, 821, 408} {
			t.Errorf("parts %v, want 2870, 821 and 408", got)
		}
		if len(report.Dropped)+len(report.Notes) > 0 {
			t.Errorf("dropped %v, notes %v, want none", report.Dropped, report.Notes)
		}
	})
}
