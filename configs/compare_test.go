package configs

import (
	"slices"
	"strings"
	"testing"
)

func loadCompare(t *testing.T, text string, set ...string) ([]Entry, error) {
	t.Helper()
	return LoadCompare(Options{File: write(t, text), Set: append(set, "data.files=x.jsonl"), Method: method, NeedBase: true})
}

func TestLoadCompare(t *testing.T) {
	entries, err := loadCompare(t, `
base: b
train: {lr: 1.0e-3, schedule_options: {min_lr: 1.0e-6}, schedule: cosine_with_min_lr, batch: 4}
compare:
  - method: {kind: lora, rank: 8}
  - name: large
    method:
      kind: dora
      rank: 64
    train: {lr: 2.0e-4}
out: here
`, "train.seed=7")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 || entries[0].Name != "lora" || entries[1].Name != "large" {
		t.Fatalf("entries %+v", entries)
	}
	for i, want := range []struct {
		name, kind string
		rank       int
		lr         float64
	}{{"med-lora", "lora", 8, 1e-3}, {"med-large", "dora", 64, 2e-4}} {
		c := entries[i].Config
		if c.Name != want.name || c.Method.Kind != want.kind || c.Method.Config.(*lowRank).Rank != want.rank || c.Train.LR != want.lr {
			t.Errorf("entry %d: %q, kind %s, %+v, lr %g", i, c.Name, c.Method.Kind, c.Method.Config, c.Train.LR)
		}
		if c.Base != "b" || c.Out != "here" || c.Train.Batch != 4 || c.Train.Seed != 7 || c.Train.ScheduleOptions.MinLR == nil {
			t.Errorf("entry %d: %+v", i, c)
		}
	}
	if entries[0].Config.Method.Config == entries[1].Config.Method.Config {
		t.Error("the entries share a method config")
	}
}

func TestLoadCompare_problems(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"none":         {"base: b\n", []string{"med.yaml: compare: missing: list the runs"}},
		"no list":      {"base: b\ncompare: lora\n", []string{`med.yaml:2: compare: expected a list of methods, got "lora"`}},
		"empty":        {"base: b\ncompare: []\n", []string{"med.yaml:2: compare: expected a list of methods"}},
		"not sections": {"base: b\ncompare: [lora]\n", []string{`med.yaml:2: compare[0]: expected {name, method, train}, got "lora"`}},
		"method above": {"base: b\nmethod: {kind: lora}\ncompare:\n- method: {kind: lora}\n", []string{"med.yaml:2: method.kind: give each entry of compare its method"}},
		"each where it is": {`base: b
train: {lr: -1, batchh: 3}
compare:
  - name: one
    method: {kind: lora, rank: 0}
  - name: two
    methd: {kind: lora}
    method: {rank: 3}
  - name: one
    method: {kind: lora, rnk: 3}
    train: {lr: fast}
  - name: a/b
    method: {kind: lorra}
    train: {epochs: -1}
    name: again
`, []string{
			"med.yaml:2: train.lr: must be above 0, got -1",
			"med.yaml:2: train.batchh: unknown key (did you mean batch?)",
			"med.yaml:5: compare[0].method.rank: must be at least 1, got 0",
			"med.yaml:7: compare[1].methd: unknown key (did you mean method?)",
			"med.yaml:8: compare[1].method.kind: missing",
			`med.yaml:9: compare[2].name: "one" is the name of compare[0] too`,
			"med.yaml:10: compare[2].method.rnk: unknown key (did you mean rank?)",
			`med.yaml:11: compare[2].train.lr: expected a number, got "fast"`,
			`med.yaml:12: compare[3].name: name "med-a/b" cannot be a folder`,
			`med.yaml:13: compare[3].method.kind: unknown method "lorra"`,
			"med.yaml:14: compare[3].train.epochs: must be 0 or more, got -1",
			"med.yaml:15: compare[3].name: given twice, first on line 12",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadCompare(t, c.text)
			if err == nil {
				t.Fatal("no error")
			}
			lines := strings.Split(err.Error(), "\n")
			for i, l := range lines { // without the folder
				lines[i] = l[strings.Index(l, "med.yaml"):]
			}
			for _, want := range c.want {
				if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, want) }) {
					t.Errorf("no problem %q", want)
				}
			}
			if len(lines) != len(c.want) {
				t.Errorf("%d problems, want %d:\n%s", len(lines), len(c.want), strings.Join(lines, "\n"))
			}
		})
	}
}
