package pefttest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/peft"
)

// PEFT asks Hugging Face PEFT itself about trained adapters of some variants of a method: it must load what ft writes, change
// the same modules, compute the same logits, merge to the same, and write what ft loads. The test is skipped without a Python that has PEFT: FT_PYTHON, or
// python3.
func PEFT(t *testing.T, variants map[string]Subject) {
	if testing.Short() {
		t.Skip("starts Python")
	}
	interpreter := python(t)
	out := t.TempDir()
	names := slices.Sorted(maps.Keys(variants))
	var bases, dirs []string
	var want [][]float32
	var targets [][]string
	var unties []bool
	for _, name := range names {
		m, a := variants[name].attach(t, true)
		bases, dirs = append(bases, variants[name].dir(t)), append(dirs, save(t, a))
		want, targets = append(want, logits(t, m)), append(targets, slices.Sorted(slices.Values(a.Targets())))
		u, ok := a.(interface{ Unties() bool })
		unties = append(unties, ok && u.Unties())
	}
	job := map[string]any{"bases": bases, "ids": prompt, "out": out, "adapters": dirs}
	for i, got := range ask(t, interpreter, job, len(dirs)) {
		t.Run(names[i], func(t *testing.T) {
			saved, err := peft.Load(filepath.Join(out, strconv.Itoa(i)))
			if err != nil {
				t.Fatal(err)
			}
			adapted := slices.DeleteFunc(targets[i], func(path string) bool { return !carries(saved, path) })
			if slices.Sort(got.Modules); !slices.Equal(got.Modules, adapted) {
				t.Errorf("PEFT adapts %v, ft %v", got.Modules, adapted)
			}
			testkit.Near(t, "PEFT's logits", got.Logits, want[i], 1e-4, 0)
			if got.Merged != nil && !unties[i] { // PEFT would change a tied head with the embedding
				testkit.Near(t, "PEFT's merged logits", got.Merged, want[i], 1e-4, 0)
			}
			m := variants[names[i]].base(t)
			if _, err := variants[names[i]].Load(m, saved); err != nil {
				t.Fatal(err)
			}
			testkit.Near(t, "logits of what PEFT saved", logits(t, m), want[i], 1e-6, 0)
		})
	}
}

// carries reports whether an adapter has more for a module than its bias, its whole weight or rows of it, which PEFT trains in the module itself.
func carries(s *peft.Saved, path string) bool {
	for name := range s.Tensors {
		rest, ok := strings.CutPrefix(name, path+".")
		part, _, _ := strings.Cut(rest, ".")
		if ok && !slices.Contains([]string{"bias", "weight", "token_adapter", "modules_to_save", "original_module"}, part) {
			return true
		}
	}
	return false
}

// python is an interpreter with Hugging Face PEFT.
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

// ask runs the script, which answers for each of n adapters.
func ask(t *testing.T, interpreter string, job map[string]any, n int) []fromPEFT {
	t.Helper()
	in, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(interpreter, filepath.Join(testkit.Root(), "peft", "pefttest", "peft_check.py"))
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
	if len(answers) != n {
		t.Fatalf("%d answers for %d adapters\n%s", len(answers), n, stderr.Bytes())
	}
	return answers
}
