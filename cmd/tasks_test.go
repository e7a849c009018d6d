package cmd

import (
	"bufio"
	"cmp"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ft/eval"
	"ft/internal/testkit"
)

// TestLMEval lets LM Evaluation Harness do all tasks of the repository with the same model: log-likelihoods of every row agree within 1e-3, accuracies and their
// standard errors are equal. The model is a tiny one, or the directory that FT_BASE names. FT_PYTHON names a Python that has lm_eval.
func TestLMEval(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Python")
	}
	python := cmp.Or(os.Getenv("FT_PYTHON"), "python3")
	if err := exec.Command(python, "-c", "import lm_eval, torch, transformers").Run(); err != nil {
		t.Skipf("%s has no lm_eval, torch and transformers (FT_PYTHON names another interpreter): %v", python, err)
	}
	dir := t.TempDir()
	model := os.Getenv("FT_BASE")
	if model == "" {
		model = filepath.Join(dir, "tiny")
		if err := os.Mkdir(model, 0o777); err != nil {
			t.Fatal(err)
		}
		testkit.TinyLlama{Seed: 11, Context: 256}.Write(t, model)
	}
	t.Chdir(testkit.Root())
	var files []string
	for _, pattern := range []string{"configs/tasks/*.yaml", "eval/task/testdata/*.yaml"} {
		some, _ := filepath.Glob(pattern)
		files = append(files, some...)
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{filepath.Join("cmd", "testdata", "harness.py"), model}
	flags := []string{"-q", "eval", "--base", model, "--json", "--task-rows", filepath.Join(dir, "rows.jsonl")}
	for _, file := range files {
		args, flags = append(args, filepath.Join(root, file)), append(flags, "--task", file)
	}
	c := exec.Command(python, args...)
	c.Env = append(os.Environ(), "OUT="+filepath.Join(dir, "golden.json"), "HF_DATASETS_CACHE="+filepath.Join(dir, "cache"))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var want map[string]struct {
		Scores map[string]float64
		Rows   [][]float64
	}
	readJSONFile(t, filepath.Join(dir, "golden.json"), &want)
	var got eval.Result
	if err := json.NewDecoder(strings.NewReader(ft(t, 0, flags...))).Decode(&got); err != nil {
		t.Fatal(err)
	}
	rows := readTaskRows(t, filepath.Join(dir, "rows.jsonl"))
	worst := 0.0
	for name, w := range want {
		g := got.Tasks[name]
		if g == nil || len(rows[name]) != len(w.Rows) {
			t.Errorf("%s: %d rows, lm-eval has %d", name, len(rows[name]), len(w.Rows))
			continue
		}
		for i, row := range w.Rows {
			for j, l := range row {
				d := math.Abs(l - rows[name][i][j])
				if worst = max(worst, d); d > 1e-3 {
					t.Errorf("%s row %d, continuation %d: log-likelihood %v, lm-eval's %v", name, i, j, rows[name][i][j], l)
				}
			}
		}
		for key, v := range w.Scores {
			metric, isError := strings.CutSuffix(key, "_stderr")
			have, scale := g.Metrics[metric], 1.0
			if isError {
				have = g.Stderr[metric]
			}
			if strings.HasPrefix(key, "acc") {
				scale = 100
			}
			if tolerance := 1e-9 + 1e-3*math.Abs(v)*(1-math.Floor(scale/100)); key != "perplexity_stderr" && math.Abs(have/scale-v) > tolerance {
				t.Errorf("%s: %s is %v, lm-eval's %v", name, key, have/scale, v)
			}
		}
	}
	t.Logf("%d tasks; the farthest log-likelihood is off by %.2g", len(want), worst)
}

func readJSONFile(t *testing.T, path string, to any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// readTaskRows reads the log-likelihoods of --task-rows by task.
func readTaskRows(t *testing.T, path string) map[string][][]float64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := map[string][][]float64{}
	for s := bufio.NewScanner(f); s.Scan(); {
		var row taskRow
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		rows[row.Task] = append(rows[row.Task], row.LogLikelihoods)
	}
	return rows
}
