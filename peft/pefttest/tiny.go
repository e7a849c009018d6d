package pefttest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ft/internal/testkit"
	"ft/model"
	"ft/model/family"
	"ft/peft"
	"ft/weights"
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
	if s.Base != "" {
		return s.Base
	}
	dir := t.TempDir()
	testkit.TinyLlama{Seed: 1, Dim: 24, HeadDim: 6, FF: 36, Untied: true}.Write(t, dir)
	return dir
}

// Open builds the model in a Hugging Face directory, which needs no tokenizer. The model lives until the test ends.
func Open(t *testing.T, dir string) *model.Model {
	t.Helper()
	return build(t, dir, source(t, dir))
}

// Merged builds the model in a Hugging Face directory with its tensors changed by merge, which is an adapter's Merge or something around it:
// first those of each linear layer, weight and bias, then the others.
func Merged(t *testing.T, dir string, merge func(tensor string, w []float32, out, in int) (bool, error)) *model.Model {
	t.Helper()
	return merged(t, dir, false, merge)
}

// unties reports whether a merge of the adapter gives a head that shares the embedding's weight one of its own.
func unties(a peft.Adapter) bool {
	u, ok := a.(interface{ Unties() bool })
	return ok && u.Unties()
}

// merged is Merged, with a tied head made one of its own first if untie.
func merged(t *testing.T, dir string, untie bool, merge func(tensor string, w []float32, out, in int) (bool, error)) *model.Model {
	t.Helper()
	src, f := source(t, dir), familyOf(t, dir)
	tensors := map[string]safetensors.Floats{}
	for _, name := range src.Names() {
		x, err := src.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors[name] = safetensors.Floats{Shape: x.Shape, Data: x.Floats()}
	}
	if untie {
		dir = untied(t, dir)
		for _, l := range build(t, dir, tiedSource{src}).Linears() {
			if l.Head {
				x := tensors["model.embed_tokens.weight"]
				tensors[l.Name+".weight"] = safetensors.Floats{Shape: x.Shape, Data: slices.Clone(x.Data)}
			}
		}
	}
	names := slices.Sorted(maps.Keys(tensors))
	var order []string
	for _, l := range build(t, dir, tiedSource{src}).Linears() {
		order = append(order, l.Name+".weight", l.Name+".bias")
	}
	for _, name := range append(order, slices.DeleteFunc(names, func(n string) bool { return slices.Contains(order, n) })...) {
		x, ok := tensors[name]
		if !ok {
			continue // a bias that the base lacks, or the weight of a tied head
		}
		out := x.Shape[0]
		if f.IsTransposed(name) {
			out = x.Shape[1]
			x.Data = weights.Transposed(x.Data, len(x.Data)/out, out)
		}
		if _, err := merge(name, x.Data, out, len(x.Data)/out); err != nil {
			t.Fatal(err)
		}
		if f.IsTransposed(name) {
			x.Data = weights.Transposed(x.Data, out, len(x.Data)/out)
		}
		tensors[name] = x
	}
	merged := t.TempDir()
	if err := safetensors.Save(filepath.Join(merged, "model.safetensors"), tensors, nil); err != nil {
		t.Fatal(err)
	}
	return build(t, dir, source(t, merged))
}

// tiedSource has the embedding's weight for a head that has none.
type tiedSource struct{ *safetensors.File }

// Tensor is the file's.
func (s tiedSource) Tensor(name string) (weights.Tensor, error) {
	x, err := s.File.Tensor(name)
	if err != nil && name == "lm_head.weight" {
		return s.File.Tensor("model.embed_tokens.weight")
	}
	return x, err
}

// untied is a directory whose config.json is dir's, but for the head that is not tied.
func untied(t *testing.T, dir string) string {
	t.Helper()
	var config map[string]any
	testkit.ReadJSON(t, filepath.Join(dir, "config.json"), &config)
	config["tie_word_embeddings"] = false
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
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

// familyOf is the family that dir's config.json names.
func familyOf(t *testing.T, dir string) *model.Family {
	t.Helper()
	var config struct {
		Type string `json:"model_type"`
	}
	testkit.ReadJSON(t, filepath.Join(dir, "config.json"), &config)
	f := family.Of(config.Type)
	if f == nil {
		t.Fatalf("%s: no family %q", dir, config.Type)
	}
	return f
}

// build makes the model that dir's config.json describes from the tensors in src.
func build(t *testing.T, dir string, src weights.Source) *model.Model {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	f := familyOf(t, dir)
	spec, err := f.FromConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Build(spec, f, src, false)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
