package cmd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/base"
	"ft/eval"
	"ft/internal/quant"
	"ft/internal/run"
	"ft/internal/testkit"
	"ft/internal/ui"
	"ft/merge"
)

// ft runs the program in this process and returns what it wrote to stdout. It fails the test on another exit code than want.
func ft(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := execute(args, ui.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	if code != want {
		t.Fatalf("ft %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out.String(), errs.String())
	}
	return out.String() + errs.String()
}

// tinyRun is a config that a tiny model learns the facts with.
const tinyRun = `
base: %s
method: {kind: lora, rank: 16, alpha: 32, dropout: 0.05}
data: {files: [%s], max_tokens: 64}
train: {epochs: %d, batch: 8, micro_tokens: 256, lr: 1.0e-2, patience: 0}
eval: {every: %d, sample: 4, max_new_tokens: 24}
out: %s
`

// tiny writes a tiny model, the facts and a config into a fresh folder.
func tiny(t *testing.T, epochs int) (dir, config string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("FT_CACHE_DIR", filepath.Join(dir, "cache"))
	model := filepath.Join(dir, "tiny")
	if err := os.Mkdir(model, 0o777); err != nil {
		t.Fatal(err)
	}
	testkit.TinyLlama{Seed: 7}.Write(t, model)
	testkit.WriteFacts(t, filepath.Join(dir, "facts.jsonl"))
	return dir, writeConfig(t, dir, "tiny.yaml", model, epochs)
}

func writeConfig(t *testing.T, dir, name, model string, epochs int) string {
	t.Helper()
	path := filepath.Join(dir, name)
	text := fmt.Sprintf(tinyRun, model, filepath.Join(dir, "facts.jsonl"), epochs, max(1, epochs/3), filepath.Join(dir, "runs"))
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEndToEnd walks the whole job as a user would: train, evaluate, merge, ask the merged model. Once from a Hugging Face
// directory and once from a GGUF file of the same model.
func TestEndToEnd(t *testing.T) {
	dir, fromDir := tiny(t, 90)
	model := filepath.Join(dir, "tiny")
	gguf := filepath.Join(dir, "tiny.gguf")
	toGGUF(t, model, gguf)
	fromGGUF := writeConfig(t, dir, "tiny-gguf.yaml", gguf, 90)
	var losses []float64
	for _, config := range []string{fromDir, fromGGUF} {
		name := strings.TrimSuffix(filepath.Base(config), ".yaml")
		t.Run(name, func(t *testing.T) {
			ft(t, 0, "lora", "--config", config)
			r, err := run.Open(filepath.Join(dir, "runs"), "")
			if err != nil {
				t.Fatal(err)
			}
			first, last := checkRun(t, r)
			losses = append(losses, last)
			if last > first/4 {
				t.Errorf("the loss fell from %.3f to %.3f only", first, last)
			}
			checkEval(t, dir)
			base := model
			if name == "tiny-gguf" {
				base = gguf
			}
			for _, out := range []string{"f32.gguf", "bf16.gguf", "f16.gguf", "f32-hf", "bf16-hf"} {
				typ, _, _ := strings.Cut(strings.TrimSuffix(out, ".gguf"), "-")
				checkMerge(t, r.Dir, base, filepath.Join(dir, name+"-"+out), typ, 14, 64)
			}
		})
	}
	if len(losses) == 2 && math.Abs(losses[0]-losses[1]) > 1e-3*losses[0]+1e-4 {
		t.Errorf("the same model learns to a loss of %v from a directory and %v from a GGUF file", losses[0], losses[1])
	}
}

func toGGUF(t *testing.T, model, out string) {
	t.Helper()
	b, err := base.Open(model, families)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := merge.Write(t.Context(), merge.Options{Base: b, Out: out, Type: quant.F32}); err != nil {
		t.Fatal(err)
	}
}

// checkRun checks the files of a finished run and returns the first and the last training loss.
func checkRun(t *testing.T, r *run.Run) (first, last float64) {
	t.Helper()
	if r.Info.Status != run.Done || len(r.Info.Files) < 2 {
		t.Errorf("run.json: status %s, %d files", r.Info.Status, len(r.Info.Files))
	}
	events, _ := filepath.Glob(r.Path("events.out.tfevents.*"))
	if len(events) != 1 {
		t.Errorf("%d event files", len(events))
	}
	for _, name := range []string{run.ConfigFile, run.SplitFile, run.PredictionsFile, basePredictionsFile, "adapter/adapter_config.json", "adapter/adapter_model.safetensors", "adapter/ft.json"} {
		if info, err := os.Stat(r.Path(name)); err != nil || info.Size() == 0 {
			t.Errorf("the run has no %s", name)
		}
	}
	var scores eval.Result
	testkit.ReadJSON(t, r.Path(run.MetricsFile), &scores)
	if scores.Base == nil || scores.Metrics["rougeL"] <= scores.Base.Metrics["rougeL"]+20 {
		t.Errorf("rougeL: tuned %v, base %v", scores.Metrics, scores.Base)
	}
	if c := scores.Compared["rougeL"]; c.Verdict != eval.IsBetter || len(scores.CI95) == 0 || len(scores.Base.CI95) == 0 {
		t.Errorf("compared %v, intervals %v, base's %v", scores.Compared, scores.CI95, scores.Base.CI95)
	}
	f, err := os.Open(r.Path(run.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	steps, evals := 0, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var row struct {
			Step int
			Loss float64
			Eval float64 `json:"eval_loss"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if row.Eval > 0 {
			evals++
			continue
		}
		if steps++; steps == 1 {
			first = row.Loss
		}
		last = row.Loss
	}
	if steps == 0 || evals < 2 {
		t.Fatalf("log.jsonl has %d steps and %d evaluations", steps, evals)
	}
	return first, last
}

func checkEval(t *testing.T, dir string) {
	t.Helper()
	runs := filepath.Join(dir, "runs")
	var stored, again eval.Result
	for into, args := range map[*eval.Result][]string{
		&stored: {"eval", "-q", "--metric", "rouge", "--runs", runs, "--json"},
		&again:  {"eval", "-q", "--metric", "rouge", "--runs", runs, "--json", "--again"},
	} {
		if err := json.Unmarshal([]byte(ft(t, 0, args...)), into); err != nil {
			t.Fatal(err)
		}
	}
	if stored.N == 0 || stored.Base == nil || stored.Metrics["rougeL"] != again.Metrics["rougeL"] || stored.Base.Metrics["rouge1"] != again.Base.Metrics["rouge1"] {
		t.Errorf("scores of stored answers %+v, of new ones %+v", stored, again)
	}
}

// checkMerge merges an adapter of that many targets, and compares the first maxNew tokens of the merged model's answers with those of base
// and adapter.
func checkMerge(t *testing.T, runDir, base, out, typ string, targets, maxNew int) {
	t.Helper()
	var proof struct {
		Targets, Changed int
		Max              float64 `json:"max_diff"`
		Bound            float64
	}
	text := ft(t, 0, "merge", "-q", "--adapter", runDir, "--out", out, "--type", typ, "--json")
	if err := json.Unmarshal([]byte(text), &proof); err != nil {
		t.Fatal(err)
	}
	if proof.Targets != targets || proof.Changed != targets || !(proof.Max <= proof.Bound) {
		t.Errorf("%s: proof %+v", out, proof)
	}
	ft(t, 1, "merge", "-q", "--adapter", runDir, "--out", out, "--type", typ) // it is there already
	ask := []string{"generate", "-q", "--file", filepath.Join(filepath.Dir(out), "facts.jsonl"), "--limit", "10", "--json", "--max-new", fmt.Sprint(maxNew)}
	adapted := ft(t, 0, append(ask, "--base", base, "--adapter", runDir)...)
	merged := ft(t, 0, append(ask, "--base", out)...)
	same, n := 0, 0
	a, b := strings.Split(adapted, "\n"), strings.Split(merged, "\n")
	for i := range a {
		if a[i] == "" {
			continue
		}
		n++
		if i < len(b) && a[i] == b[i] {
			same++
		}
	}
	// Rounded weights may turn a close decision; float32 may not.
	if least := map[string]int{"f32": n, "f16": n - 1, "bf16": n - 2, "q8_0": n - 3}[typ]; n != 10 || same < least {
		t.Errorf("%s: %d of %d answers are those of base and adapter", out, same, n)
	}
}
