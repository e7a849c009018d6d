package pefttest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ft/internal/testkit"
	"ft/model"
	"ft/model/family"
	"ft/weights/safetensors"
)

// base is the suite's base model, always with the same weights. Its widths are no multiples of 32, which backends
// that round products to bfloat16 leave to float32: the suite's tolerances hold on all of them.
func (s Subject) base(t *testing.T) *model.Model {
	t.Helper()
	return Open(t, s.dir(t))
}

func (s Subject) dir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	testkit.TinyLlama{Seed: 1, Dim: 24, HeadDim: 6, FF: 36, Untied: true, Bias: s.Bias}.Write(t, dir)
	return dir
}

// Open builds the llama in a Hugging Face directory, which needs no tokenizer. The model lives until the test ends.
func Open(t *testing.T, dir string) *model.Model {
	t.Helper()
	return build(t, dir, source(t, dir))
}

// Merged builds the llama in a Hugging Face directory with its tensors changed by merge, which is an adapter's Merge or something around it:
// first those of each linear layer, weight and bias, then the others.
func Merged(t *testing.T, dir string, merge func(tensor string, w []float32, out, in int) (bool, error)) *model.Model {
	t.Helper()
	src := source(t, dir)
	tensors := map[string]safetensors.Floats{}
	for _, name := range src.Names() {
		x, err := src.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors[name] = safetensors.Floats{Shape: x.Shape, Data: x.Floats()}
	}
	names := slices.Sorted(maps.Keys(tensors))
	var order []string
	for _, l := range build(t, dir, src).Linears() {
		order = append(order, l.Name+".weight", l.Name+".bias")
	}
	for _, name := range append(order, slices.DeleteFunc(names, func(n string) bool { return slices.Contains(order, n) })...) {
		x, ok := tensors[name]
		if !ok {
			continue // a bias that the base lacks, or the weight of a tied head
		}
		if _, err := merge(name, x.Data, x.Shape[0], len(x.Data)/x.Shape[0]); err != nil {
			t.Fatal(err)
		}
	}
	merged := t.TempDir()
	if err := safetensors.Save(filepath.Join(merged, "model.safetensors"), tensors, nil); err != nil {
		t.Fatal(err)
	}
	return build(t, dir, source(t, merged))
}

func source(t *testing.T, dir string) *safetensors.File {
	t.Helper()
	src, err := safetensors.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// build makes the model that dir's config.json describes from the tensors in src.
func build(t *testing.T, dir string, src *safetensors.File) *model.Model {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := family.Llama.FromConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Build(spec, &family.Llama, src, false)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
