package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ft/internal/run"
	"ft/internal/testkit"
)

// promptRun is a config that a small real model learns the manner of the facts with.
const promptRun = `
base: %s
method: %s
data: {files: [%s], max_tokens: 128}
train: {steps: 60, batch: 8, micro_tokens: 512, lr: %s, warmup: 0, patience: 0}
eval: {every: 0, sample: 0, limit: 4, max_new_tokens: 8}
out: %s
`

var validationLoss = regexp.MustCompile(`validation loss ([0-9.]+) \(base ([0-9.]+)\)`)

// TestEndToEnd_prompts: each kind of soft prompt lowers the loss of a real model of 260,000 parameters, answers from its directory as it
// did in its run, and is refused by merge.
func TestEndToEnd_prompts(t *testing.T) {
	testkit.Conformance(t, "models/stories260K", func(t *testing.T, set string) {
		dir := t.TempDir()
		t.Setenv("FT_CACHE_DIR", filepath.Join(dir, "cache"))
		facts := filepath.Join(dir, "facts.jsonl")
		testkit.WriteFacts(t, facts)
		for _, c := range []struct{ name, method, lr string }{
			{"prompt", "{kind: prompt, tokens: 12}", "0.1"},
			{"text", "{kind: prompt, tokens: 12, init: text, text: Answer the question.}", "0.1"},
			{"prefix", "{kind: prefix, tokens: 12}", "0.1"},
			{"projection", "{kind: prefix, tokens: 12, projection: true}", "0.01"},
			{"p_tuning", "{kind: p_tuning, tokens: 12}", "0.01"},
			{"lstm", "{kind: p_tuning, tokens: 12, encoder: lstm, hidden: 32}", "0.01"},
		} {
			t.Run(c.name, func(t *testing.T) {
				config := filepath.Join(dir, c.name+".yaml")
				text := fmt.Sprintf(promptRun, filepath.Join(set, "hf"), c.method, facts, c.lr, filepath.Join(dir, "runs"))
				if err := os.WriteFile(config, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
				checkLearned(t, ft(t, 0, "prompt", "--config", config))
				r, err := run.Open(filepath.Join(dir, "runs"), "")
				if err != nil {
					t.Fatal(err)
				}
				ft(t, 0, "eval", "-q", r.Dir, "--again")
				if said := ft(t, 2, "merge", "--adapter", r.Dir, "--out", filepath.Join(dir, "out.gguf")); !strings.Contains(said, "cannot be merged") {
					t.Error(said)
				}
			})
		}
	})
}

// checkLearned asks that a run's loss is below the base's.
func checkLearned(t *testing.T, said string) {
	t.Helper()
	m := validationLoss.FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("no validation loss in\n%s", said)
	}
	tuned, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	base, err := strconv.ParseFloat(m[2], 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("loss %g, base %g", tuned, base)
	if !(tuned < 0.95*base) {
		t.Errorf("the validation loss is %g, the base's %g", tuned, base)
	}
}
