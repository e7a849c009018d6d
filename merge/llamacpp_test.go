package merge_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/merge"
)

// llamaCpp reads lines of file and prompts, and prints llama.cpp's probabilities behind each prompt.
const llamaCpp = `
const {getLlama, LlamaLogLevel} = await import(process.argv[2] + "/node_modules/node-llama-cpp/dist/index.js");
import {readFileSync} from "node:fs";
const {file, prompts} = JSON.parse(readFileSync(0, "utf8"));
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 2});
const model = await llama.loadModel({modelPath: file});
const out = [];
for (const ids of prompts) {
  const context = await model.createContext({contextSize: 64, threads: 2});
  const all = {generateNext: {probabilities: true, token: true, options: {temperature: 1, topK: 0, topP: 1, minP: 0}}};
  const result = await context.getSequence().controlledEvaluate([...ids.slice(0, -1), [ids.at(-1), all]]);
  out.push(Object.fromEntries(result.at(-1).next.probabilities));
  await context.dispose();
}
console.log(JSON.stringify(out));
process.exit(0);
`

// TestLlamaCpp_families asks llama.cpp to read the reference models as ft writes them: probabilities must be those of ft. FT_LLAMACPP names a folder in
// which node-llama-cpp is installed. llama.cpp keeps keys and values in F16, which moves logarithms by up to 0.01; a wrong option moves them by
// more than 0.1.
func TestLlamaCpp_families(t *testing.T) {
	folder := os.Getenv("FT_LLAMACPP")
	if folder == "" {
		t.Skip("FT_LLAMACPP names no folder with node-llama-cpp")
	}
	long := make([]int32, 24) // goes beyond the windows of models that have some in llama.cpp
	for i := range long {
		long[i] = int32(i*i*7+3) % 250
	}
	testkit.Conformance(t, "golden/models", func(t *testing.T, dir string) {
		configs, err := filepath.Glob(filepath.Join(dir, "*", "config.json"))
		if err != nil || len(configs) == 0 {
			t.Fatalf("%d models in %s (%v)", len(configs), dir, err)
		}
		for _, file := range configs {
			t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
				b := asGGUF(t, filepath.Dir(file))
				o := merge.Options{Base: b, Out: filepath.Join(t.TempDir(), "model.gguf"), Type: quant.F32}
				if err := merge.Write(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				all := familyPrompts
				if open(t, o.Out).Model.Spec.Context >= len(long) {
					all = append([][]int32{long}, all...)
				}
				for i, p := range askLlamaCpp(t, folder, o.Out, all) {
					values := logits(t, b.Model, all[i])
					compareLogs(t, p, values[len(values)-b.Model.Spec.Vocab:])
				}
			})
		}
	})
}

func askLlamaCpp(t *testing.T, folder, file string, all [][]int32) []map[string]float64 {
	t.Helper()
	in, err := json.Marshal(map[string]any{"file": file, "prompts": all})
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "ask.mjs")
	if err := os.WriteFile(script, []byte(llamaCpp), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", script, folder)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	data, err := cmd.Output()
	if err != nil {
		t.Fatalf("llama.cpp: %v", err)
	}
	var out []map[string]float64
	if err := json.Unmarshal(data, &out); err != nil || len(out) != len(all) {
		t.Fatalf("llama.cpp answered %d of %d prompts (%v)", len(out), len(all), err)
	}
	return out
}

// compareLogs compares the logarithms of probabilities with those that follow from logits.
func compareLogs(t *testing.T, p map[string]float64, values []float32) {
	t.Helper()
	sum := 0.0
	for _, v := range values {
		sum += math.Exp(float64(v))
	}
	worst := 0.0
	for id, v := range values {
		got, ok := p[strconv.Itoa(id)]
		if !ok {
			t.Fatalf("no probability of token %d", id)
		}
		worst = max(worst, math.Abs(math.Log(got)-(float64(v)-math.Log(sum))))
	}
	if !(worst < 0.03) {
		t.Errorf("logarithms of probabilities differ by up to %.3g", worst)
	}
}
