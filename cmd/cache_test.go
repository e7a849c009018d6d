package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/run"
)

// trained runs a training and returns its directory and the losses in its log.
func trained(t *testing.T, config string, args ...string) (r *run.Run, losses string) {
	t.Helper()
	ft(t, 0, append([]string{"lora", "--config", config, "--set", "train.steps=4", "--set", "eval.limit=2"}, args...)...)
	r, err := run.Open(filepath.Join(filepath.Dir(config), "runs"), "")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(readFile(t, r.Path(run.LogFile))) {
		var row struct {
			Step   int      `json:"step"`
			Loss   *float64 `json:"loss"`
			Eval   *float64 `json:"eval_loss"`
			RougeL *float64 `json:"rougeL"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(row)
		losses += string(text) + "\n"
	}
	return r, losses
}

// TestCache: a run out of the cache is the run from the files, and so is one that finds the cache damaged or cannot have one.
func TestCache(t *testing.T) {
	_, config := tiny(t, 3)
	cache := os.Getenv("FT_CACHE_DIR")
	first, want := trained(t, config)
	files := func() []string {
		list, err := filepath.Glob(filepath.Join(cache, "*.data"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if len(files()) != 1 || strings.Count(want, "eval_loss\":null") == strings.Count(want, "\n") {
		t.Fatalf("cached %v, log\n%s", files(), want)
	}
	check := func(what string, args ...string) {
		t.Helper()
		r, got := trained(t, config, args...)
		if got != want {
			t.Errorf("%s: log\n%s\nwant\n%s", what, got, want)
		}
		for _, name := range []string{run.SplitFile, run.PredictionsFile, basePredictionsFile, run.MetricsFile} {
			if readFile(t, r.Path(name)) != readFile(t, first.Path(name)) {
				t.Errorf("%s: another %s", what, name)
			}
		}
		if len(r.Info.Files) != len(first.Info.Files) || r.Info.Files[0] != first.Info.Files[0] {
			t.Errorf("%s: run.json has the files %v, want %v", what, r.Info.Files, first.Info.Files)
		}
	}
	check("a hit")
	data := []byte(readFile(t, files()[0]))
	data[len(data)-9] ^= 1
	if err := os.WriteFile(files()[0], data, 0o666); err != nil {
		t.Fatal(err)
	}
	check("a damaged cache")
	if now := readFile(t, files()[0]); now == string(data) {
		t.Error("the damaged file is still there")
	}
	check("a hit after the repair")
	t.Setenv("FT_CACHE_DIR", filepath.Join(config, "no folder"))
	check("no cache")
	t.Setenv("FT_CACHE_DIR", cache)
	if trained(t, config, "--set", "data.max_tokens=63"); len(files()) != 2 {
		t.Errorf("another setting, and the cache has %v", files())
	}
}

func TestProfile(t *testing.T) {
	_, config := tiny(t, 3)
	text := ft(t, 0, "lora", "-q", "--profile", "--config", config, "--set", "train.steps=4", "--set", "eval.limit=2")
	for _, stage := range []string{"stage", "base load", "data", "tokenize", "embedding", "norm+qkv", "norm+qkv backward", "attention", "attention backward", "project", "project backward", "mlp", "mlp backward", "head+loss", "optimizer", "evaluation", "answers", "other"} {
		if !strings.Contains(text, "\n"+stage) {
			t.Errorf("no %s in\n%s", stage, text)
		}
	}
	r, err := run.Open(filepath.Join(filepath.Dir(config), "runs"), "")
	if err != nil {
		t.Fatal(err)
	}
	if r.Info.Times["evaluation"] <= 0 || r.Info.Times["train"] <= 0 {
		t.Errorf("run.json has the times %v", r.Info.Times)
	}
	if text := ft(t, 0, "lora", "-q", "--config", config, "--set", "train.steps=1"); strings.Contains(text, "optimizer") {
		t.Errorf("a profile that nobody asked for:\n%s", text)
	}
}
