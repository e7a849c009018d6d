package lora_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/lora"
	"ft/model"
	"ft/peft"
	"ft/peft/pefttest"
)

// python is an interpreter with Hugging Face PEFT: FT_PYTHON, or python3. The test is skipped without one.
func python(t *testing.T) string {
	t.Helper()
	name := cmp.Or(os.Getenv("FT_PYTHON"), "python3")
	const find = "import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in ('peft', 'torch', 'transformers')))"
	if err := exec.Command(name, "-c", find).Run(); err != nil {
		t.Skipf("%s has no peft, torch and transformers (FT_PYTHON names another interpreter): %v", name, err)
	}
	return name
}

// fromPEFT is what the script says of one adapter.
type fromPEFT struct {
	Modules        []string
	Logits, Merged []float32
}

// TestPEFT asks Hugging Face PEFT itself: it must load what ft writes, choose the same modules, compute the
// same logits, merge to the same, and write what ft loads.
func TestPEFT(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Python")
	}
	interpreter := python(t)
	t.Run("untied", func(t *testing.T) { againstPEFT(t, interpreter, testkit.TinyLlama{Seed: 2, Untied: true}, variants) })
	t.Run("tied, with biases", func(t *testing.T) { againstPEFT(t, interpreter, testkit.TinyLlama{Seed: 2, Bias: true}, onBiases) })
}

func againstPEFT(t *testing.T, interpreter string, tiny testkit.TinyLlama, variants map[string]func(*lora.Config)) {
	base := t.TempDir()
	tiny.Write(t, base)
	ids := []int32{3, 1, 4, 1, 5, 9, 2, 6}
	var names []string
	var want [][]float32
	var adapters []peft.Adapter
	job := map[string]any{"base": base, "ids": ids, "out": t.TempDir()}
	var dirs []string
	for name, change := range variants {
		m := pefttest.Open(t, base)
		c := lora.Default()
		c.Rank = 3
		change(&c)
		a, err := lora.Method{Config: c, Seed: 1}.Attach(m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		stir(a)
		dir := t.TempDir()
		state, err := a.State()
		if err != nil {
			t.Fatal(err)
		}
		if err := peft.Save(dir, state, peft.Meta{Template: "x", Base: base}); err != nil {
			t.Fatal(err)
		}
		names, dirs, adapters = append(names, name), append(dirs, dir), append(adapters, a)
		want = append(want, logits(t, m, ids))
	}
	job["adapters"] = dirs
	for i, got := range ask(t, interpreter, job) {
		t.Run(names[i], func(t *testing.T) {
			var targets []string // PEFT's layers are those with a pair
			for _, p := range adapters[i].Params() {
				if path, _, ok := strings.Cut(p.Name, ".lora_"); ok && !slices.Contains(targets, path) {
					targets = append(targets, path)
				}
			}
			slices.Sort(targets)
			slices.Sort(got.Modules)
			if !slices.Equal(got.Modules, targets) {
				t.Errorf("PEFT adapts %v, ft %v", got.Modules, targets)
			}
			testkit.Near(t, "PEFT's logits", got.Logits, want[i], 1e-4, 0)
			if u := adapters[i].(interface{ Unties() bool }); !u.Unties() { // PEFT would change the head with the embedding
				testkit.Near(t, "PEFT's merged logits", got.Merged, want[i], 1e-4, 0)
			}
			m, _ := loadOn(t, base, filepath.Join(job["out"].(string), strconv.Itoa(i)))
			testkit.Near(t, "logits of what PEFT saved", logits(t, m, ids), want[i], 1e-6, 0)
		})
	}
}

// ask runs the script.
func ask(t *testing.T, interpreter string, job map[string]any) []fromPEFT {
	t.Helper()
	in, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(interpreter, filepath.Join("testdata", "peft_check.py"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1", "OMP_NUM_THREADS=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var answers []fromPEFT
	for line := range bytes.Lines(out) {
		var a fromPEFT
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		answers = append(answers, a)
	}
	if n := len(job["adapters"].([]string)); len(answers) != n {
		t.Fatalf("%d answers for %d adapters\n%s", len(answers), n, stderr.Bytes())
	}
	return answers
}

// stir gives every parameter a random value, as after training.
func stir(a peft.Adapter) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, p := range a.Params() {
		for i := range p.Data {
			p.Data[i] += float32(0.05 * r.NormFloat64())
		}
	}
}

// logits are the logits of every position, one after the other.
func logits(t *testing.T, m *model.Model, ids []int32) []float32 {
	t.Helper()
	var at []int32
	for i := range ids {
		at = append(at, int32(i))
	}
	out := make([]float32, len(ids)*m.Spec.Vocab)
	err := m.Logits(ids, at, func(i int, l []float32) { copy(out[i*m.Spec.Vocab:], l) })
	if err != nil {
		t.Fatal(err)
	}
	return out
}
