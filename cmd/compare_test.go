//go:build unix

package cmd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ft/internal/run"
	"ft/internal/testkit"
	"ft/peft"
)

// comparison writes a config of tinyRun's settings with these entries.
func comparison(t *testing.T, dir, model, entries string) string {
	t.Helper()
	text := fmt.Sprintf(tinyRun, model, filepath.Join(dir, "facts.jsonl"), 12, 4, filepath.Join(dir, "runs"))
	text = strings.Replace(text, "method: {kind: lora, rank: 16, alpha: 32, dropout: 0.05}\n", "", 1) + "compare:\n" + entries
	path := filepath.Join(dir, "compare.yaml")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCompare_interrupt: a signal to the comparison alone stops the run under way, which saves; what was finished before is used when the
// comparison goes on.
func TestCompare_interrupt(t *testing.T) {
	dir, _ := tiny(t, 1)
	config := comparison(t, dir, filepath.Join(dir, "tiny"), `
  - {name: short, method: {kind: lora, rank: 4}, train: {epochs: 1}}
  - {name: long, method: {kind: lora, rank: 4}, train: {epochs: 20000}}
`)
	runs := filepath.Join(dir, "runs")
	for _, want := range []string{"short: run 1 of 2", "short: using the finished run"} {
		c, out := child(t, "compare", "--config", config)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer c.Process.Kill()
		waitFor(t, func() bool {
			r, err := run.Open(runs, "compare-long")
			if err != nil || r.Info.Status != run.Running {
				return false
			}
			log, _ := os.ReadFile(r.Path(run.LogFile))
			return strings.Count(string(log), "\n") > 5
		})
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		c.Wait()
		if code := c.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(out.String(), want) {
			t.Fatalf("exit code %d, want %d and %q\n%s", code, exitInterrupted, want, out)
		}
		r, err := run.Open(runs, "compare-long")
		if err != nil {
			t.Fatal(err)
		}
		if r.Info.Status != run.Interrupted {
			t.Errorf("the run's status is %s", r.Info.Status)
		}
		if _, err := peft.Load(r.Path(run.AdapterDir)); err != nil {
			t.Error(err)
		}
	}
}

// TestCompare_failure: a run that fails is a row of its own, and the others go on.
func TestCompare_failure(t *testing.T) {
	dir, _ := tiny(t, 1)
	config := comparison(t, dir, filepath.Join(dir, "tiny"), `
  - {name: wild, method: {kind: lora, rank: 4}, train: {lr: 1.0e+30}}
  - {name: tame, method: {kind: lora, rank: 4}, train: {epochs: 1}}
`)
	c, out := child(t, "compare", "--config", config)
	c.Run()
	if code := c.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	for _, want := range []string{"\nwild (failed)  ", "\ntame  ", "\nbase  ", "ft: compare: 1 of 2 runs failed: wild\n", "is not finite"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "runs", "compare.html"))
	if err != nil || !strings.Contains(string(page), "the run failed (exit code 1)") {
		t.Errorf("%v; the page does not tell of the failure", err)
	}
}

// TestCompare_stories compares two ranks on a real pre-trained model, which a conformance set may hold.
func TestCompare_stories(t *testing.T) {
	testkit.Conformance(t, "models/stories260K", func(t *testing.T, set string) {
		dir := t.TempDir()
		t.Setenv("FT_CACHE_DIR", filepath.Join(dir, "cache"))
		testkit.WriteFacts(t, filepath.Join(dir, "facts.jsonl"))
		config := comparison(t, dir, filepath.Join(set, "hf"), `
  - {name: small, method: {kind: lora, rank: 2, alpha: 4}}
  - {name: large, method: {kind: lora, rank: 16, alpha: 32}}
`)
		c, out := child(t, "compare", "--config", config, "--set", "data.max_tokens=128", "--set", "train.lr=5e-3", "--json", "-q")
		if err := c.Run(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var report struct {
			Rows []struct {
				Name      string
				Trainable int
				Peak      int64   `json:"peak_bytes"`
				Loss      float64 `json:"val_loss"`
				Metrics   map[string]float64
				Size      int64 `json:"adapter_bytes"`
			}
		}
		if err := json.Unmarshal(out.Bytes(), &report); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if len(report.Rows) != 3 {
			t.Fatalf("%d rows", len(report.Rows))
		}
		base, small, large := report.Rows[0], report.Rows[1], report.Rows[2]
		if large.Trainable != 8*small.Trainable || large.Size < 4*small.Size || small.Peak < 1<<20 || base.Trainable != 0 {
			t.Errorf("rows %+v", report.Rows)
		}
		if small.Loss > base.Loss/2 || large.Loss > base.Loss/2 || len(base.Metrics) == 0 || small.Metrics["rougeL"] <= base.Metrics["rougeL"] {
			t.Errorf("nothing was learnt: %+v", report.Rows)
		}
	})
}
