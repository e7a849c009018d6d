package merge_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ft/base"
	"ft/dataset"
	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/merge"
)

// python is an interpreter with transformers: FT_PYTHON, or python3. The test is skipped without one.
func python(t *testing.T) string {
	t.Helper()
	name := cmp.Or(os.Getenv("FT_PYTHON"), "python3")
	const find = "import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in ('gguf', 'torch', 'transformers')))"
	if err := exec.Command(name, "-c", find).Run(); err != nil {
		t.Skipf("%s has no gguf, torch and transformers (FT_PYTHON names another interpreter): %v", name, err)
	}
	return name
}

// TestTransformers asks Hugging Face transformers to read merged directories, and merged GGUF files by its own reader: logits, tokens and
// the chat's layout must be those of base and adapter in ft.
func TestTransformers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Python")
	}
	interpreter := python(t)
	const text = "What is the colour of the fox, naïve 高?"
	const template = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}>"
	type expectation struct {
		path   string
		base   *base.Base
		logits []float32
		typ    quant.Type
	}
	var all []expectation
	var paths []string
	for name, tiny := range map[string]testkit.TinyLlama{
		"tied": {Seed: 1}, "untied": {Seed: 3, Untied: true, BF16: true, Sharded: true}, "biases": {Seed: 2, Bias: true},
		"llama3": {Seed: 1, Context: 256, Rope: ropes["llama3"]}, "yarn": {Seed: 1, Context: 256, Rope: ropes["yarn"]},
	} {
		dir := tinyDir(t, tiny)
		from := []string{dir}
		if name != "llama3" {
			from = append(from, plain(t, dir, filepath.Join(t.TempDir(), "base.gguf"), quant.F32))
		}
		for _, path := range from {
			b := open(t, path)
			b.UseTemplate(template)
			a := adapt(t, b)
			outs := map[string]quant.Type{"f32": quant.F32, "bf16": quant.BF16}
			if tiny.Rope == nil && !tiny.Bias { // transformers' reader of GGUF leaves scaled rotations and biases out
				outs["f32.gguf"], outs["f16.gguf"] = quant.F32, quant.F16
			}
			for out, typ := range outs {
				o := merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), out), Type: typ}
				if err := merge.Write(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				all = append(all, expectation{o.Out, b, logits(t, b.Model)[:len(prompts[0])*b.Model.Spec.Vocab], typ})
				paths = append(paths, o.Out)
			}
		}
	}
	for i, got := range ask(t, interpreter, map[string]any{"models": paths, "ids": prompts[0], "text": text}) {
		want := all[i]
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(want.base.Path)))+"/"+filepath.Base(want.base.Path)+"/"+filepath.Base(want.path), func(t *testing.T) {
			testkit.Near(t, "logits", got.Logits, want.logits, max(1e-4, share[want.typ]), 0)
			testkit.Near(t, "logits beside ft's of the same file", got.Logits, logits(t, open(t, want.path).Model)[:len(want.logits)], 1e-4, 0)
			testkit.Near(t, "tokens", floats(got.Tokens), floats(want.base.Tokenizer.Encode(text, true)), 0, 0)
			f, err := want.base.Format()
			if err != nil {
				t.Fatal(err)
			}
			if chat, err := f.Prompt([]dataset.Message{{Role: "user", Content: text}}, nil); err != nil || got.Chat != chat {
				t.Errorf("chat %q, ft lays out %q (%v)", got.Chat, chat, err)
			}
			if len(got.Missing) > 0 {
				t.Errorf("missing or unexpected: %q", got.Missing)
			}
		})
	}
}

// answer is what the script says of a model.
type answer struct {
	Logits  []float32
	Missing []string
	Tokens  []int32
	Chat    string
}

// ask runs the script.
func ask(t *testing.T, interpreter string, job map[string]any) []answer {
	t.Helper()
	in, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(interpreter, filepath.Join("testdata", "transformers_check.py"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1", "OMP_NUM_THREADS=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var answers []answer
	for line := range bytes.Lines(out) {
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		answers = append(answers, a)
	}
	if n := len(job["models"].([]string)); len(answers) != n {
		t.Fatalf("%d answers for %d models\n%s", len(answers), n, stderr.Bytes())
	}
	return answers
}
