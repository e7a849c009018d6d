package arith_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ft/internal/testkit"
	"ft/lora"
	"ft/lora/arith"
	"ft/peft"
	"ft/peft/pefttest"
)

// TestPEFT asks Hugging Face PEFT to load what was calculated: it must compute the same logits, also after merging. FT_PYTHON names the
// interpreter; without peft, torch and transformers the test is skipped.
func TestPEFT(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Python")
	}
	interpreter := cmp.Or(os.Getenv("FT_PYTHON"), "python3")
	const find = "import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in ('peft', 'torch', 'transformers')))"
	if err := exec.Command(interpreter, "-c", find).Run(); err != nil {
		t.Skipf("%s has no peft, torch and transformers: %v", interpreter, err)
	}
	base, tuned := t.TempDir(), t.TempDir()
	testkit.TinyLlama{Seed: 2, Untied: true}.Write(t, base)
	testkit.TinyLlama{Seed: 3, Untied: true}.Write(t, tuned)
	m := pefttest.Open(t, base)
	ls := m.Linears()
	a := random(1, 3, ls[0].Out(), ls[0].In(), ls[0].Name)
	b := append(random(2, 2, ls[0].Out(), ls[0].In(), ls[0].Name), random(3, 2, ls[1].Out(), ls[1].In(), ls[1].Name)...)
	inputs := []arith.Input{{Name: "a", Pairs: a, Weight: 0.02}, {Name: "b", Pairs: b, Weight: -0.03}}
	var results []*arith.Result
	for _, o := range []arith.Options{{Combine: "cat"}, {Combine: "svd", Rank: 2}, {Combine: "ties_svd", Density: 0.5}} {
		r, err := arith.Combine(inputs, o)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	extracted, err := arith.Extract(m, pefttest.Open(t, tuned), 4)
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	var want [][]float32
	for _, r := range append(results, extracted) {
		dir := t.TempDir()
		if err := peft.Save(dir, r.State(), peft.Meta{Base: base}); err != nil {
			t.Fatal(err)
		}
		saved, err := peft.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		m.Stack().ClearSlots()
		if _, err := lora.Load(m, saved); err != nil {
			t.Fatal(err)
		}
		dirs, want = append(dirs, dir), append(want, last(t, m))
	}
	job, err := json.Marshal(map[string]any{"base": base, "ids": []int32{1, 50, 60, 2, 70}, "adapters": dirs, "out": t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(interpreter, filepath.Join("..", "testdata", "peft_check.py"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(job), &stderr
	cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1", "OMP_NUM_THREADS=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	for i, w := range want {
		var got struct{ Logits, Merged []float32 }
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		testkit.Near(t, dirs[i], got.Logits[len(got.Logits)-len(w):], w, 1e-4, 0)
		testkit.Near(t, dirs[i]+" merged", got.Merged[len(got.Merged)-len(w):], w, 1e-4, 0)
	}
}
