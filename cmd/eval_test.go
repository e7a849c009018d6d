package cmd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/eval"
)

// TestEval_predictions scores a file: intervals by default, others with another seed, none with --bootstrap 0.
func TestEval_predictions(t *testing.T) {
	var rows strings.Builder
	for i := range 30 {
		fmt.Fprintf(&rows, `{"prediction": "take %d tablets with water a day", "references": ["take %d tablets with water", "%d tablets a day"]}`+"\n", i%4, i%3, i%5)
	}
	file := filepath.Join(t.TempDir(), "answers.jsonl")
	if err := os.WriteFile(file, []byte(rows.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	score := func(more ...string) (r eval.Result) {
		t.Helper()
		args := append([]string{"eval", "-q", "--predictions", file, "--metric", "bleu,f1,distinct", "--json"}, more...)
		if err := json.Unmarshal([]byte(ft(t, 0, args...)), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	r, same, other, without := score(), score("--bootstrap", "1000", "--bootstrap-seed", "42"), score("--bootstrap-seed", "7"), score("--bootstrap", "0")
	for _, name := range []string{"bleu", "f1"} {
		ends, v := r.CI95[name], r.Metrics[name]
		if !(ends[0] < v && v < ends[1]) || ends != same.CI95[name] || ends == other.CI95[name] {
			t.Errorf("%s: %g in %v; with the same seed %v, with another %v", name, v, ends, same.CI95[name], other.CI95[name])
		}
	}
	if len(r.CI95) != 2 || r.N != 30 || r.Bootstrap == nil || *r.Bootstrap != (eval.Bootstrap{Resamples: 1000, Seed: 42}) {
		t.Errorf("%+v", r)
	}
	if without.CI95 != nil || without.Bootstrap != nil || without.Metrics["bleu"] != r.Metrics["bleu"] {
		t.Errorf("without resamples: %+v", without)
	}
	ft(t, 2, "eval", "-q", "--predictions", file, "--bootstrap", "5")
	if table := ft(t, 0, "eval", "-q", "--predictions", file, "--metric", "bleu"); !strings.Contains(table, "95% interval") {
		t.Errorf("no interval in\n%s", table)
	}
}
