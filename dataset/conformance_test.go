package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

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

// Every file of rows works by naming it alone, whatever its shape, encoding and compression: nothing is an error, and every row is either used or told of.
func TestConformance_files(t *testing.T) {
	for _, folder := range []string{"fixtures", "fixtures/alpaca", "data"} {
		testkit.Conformance(t, folder, func(t *testing.T, dir string) {
			names, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if format, _ := extension(name); format == "" {
					continue
				}
				t.Run(filepath.Base(name), func(t *testing.T) {
					c := Default()
					c.Files = []string{name}
					table, report, err := Load(c, Source{Scratch: t.TempDir()})
					if err != nil {
						t.Fatal(err)
					}
					defer table.Close()
					info := report.Files[0]
					t.Logf("%+v %q", info, report.BadRows)
					if table.Len() < 10 || table.Len()+info.Bad != info.Rows || report.Kept != table.Len() || len(report.BadRows) != info.Bad || 100*info.Bad > info.Rows {
						t.Errorf("%d rows, %+v, %q", table.Len(), info, report.BadRows)
					}
					for r, err := range table.View().All() {
						if err != nil || !r.asks() || strings.ContainsRune(r.Question()+r.Answer, utf8.RuneError) {
							t.Fatalf("%s:%d: %q, %v", name, r.Line, r.Question(), err)
						}
					}
				})
			}
		})
	}
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
		if n := report.Notes[groupOnTwoSides] + report.Notes[dropInManifest]; len(report.Dropped)+n > 0 {
			t.Errorf("dropped %v, notes %v, want none of the split", report.Dropped, report.Notes)
		}
		if l := leaksOf(t, p); l.Rows > 0 {
			t.Errorf("leaks: %v", l)
		}
	})
}
