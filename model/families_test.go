package model_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/nn"
)

// TestLearnedPositions_conformance: positions that a model has not learned are refused, in passes and while decoding.
func TestLearnedPositions_conformance(t *testing.T) {
	testkit.Conformance(t, "golden/models/gpt2", func(t *testing.T, dir string) {
		m := open(t, dir, "config.json")
		ids := make([]int32, m.Spec.Context+1)
		const want = "the model has learned 64 positions"
		if err := m.Logits(ids, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v", err)
		}
		c, ignore := m.NewPool().NewCache(), func(int, []float32) {}
		if err := m.Extend([]*nn.Cache{c}, [][]int32{ids[1:]}, ignore); err != nil {
			t.Fatal(err)
		}
		if err := m.Extend([]*nn.Cache{c}, [][]int32{ids[:1]}, ignore); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v", err)
		}
	})
}

// TestBareNames_conformance: files of the bare decoder, whose tensors' names lack the first word, are the same model. Modules have their
// full names.
func TestBareNames_conformance(t *testing.T) {
	testkit.Conformance(t, "golden/models/gpt2", func(t *testing.T, dir string) {
		bare := t.TempDir()
		var tensors []testkit.Tensor
		for name, x := range testkit.Tensors(t, filepath.Join(dir, "model.safetensors")) {
			x.Name = strings.TrimPrefix(name, "transformer.")
			tensors = append(tensors, x)
		}
		testkit.WriteTensors(t, filepath.Join(bare, "model.safetensors"), tensors, false)
		config, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bare, "config.json"), config, 0o666); err != nil {
			t.Fatal(err)
		}
		m, whole := open(t, bare, "config.json"), open(t, dir, "config.json")
		ids := []int32{3, 100, 7}
		for i, want := range logits(t, whole, ids) {
			if !slices.Equal(logits(t, m, ids)[i], want) {
				t.Errorf("other logits at %d", i)
			}
		}
		for i, l := range m.Linears() {
			if l.Name != whole.Linears()[i].Name {
				t.Errorf("%s is named %s", whole.Linears()[i].Name, l.Name)
			}
		}
	})
}

// TestPrecision_conformance: bfloat16 is for models all of whose widths are multiples of 32, whatever their heads are.
func TestPrecision_conformance(t *testing.T) {
	testkit.Conformance(t, "golden/models", func(t *testing.T, dir string) {
		m := open(t, filepath.Join(dir, "qwen2"), "config.json")
		if got := m.Precision(); got != kernels.F32 {
			t.Errorf("%v for a width of %d", got, m.Spec.Dim)
		}
		want := kernels.F32
		if kernels.HasBF16() {
			want = kernels.BF16
		}
		m.Spec.Dim, m.Spec.FF, m.Spec.Heads, m.Spec.KVHeads, m.Spec.HeadDim = 64, 96, 6, 2, 16
		if got := m.Precision(); got != want {
			t.Errorf("%v for widths of 64, 96 and heads of 16", got)
		}
		m.Spec.KVHeads = 1
		if got := m.Precision(); got != kernels.F32 {
			t.Errorf("%v for keys of width 16", got)
		}
	})
}
