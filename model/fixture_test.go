package model_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"ft/dataset"
	"ft/internal/op"
	"ft/internal/testkit"
	"ft/model"
	"ft/model/family"
	"ft/nn"
	"ft/weights/safetensors"
)

// open builds the model in a Hugging Face directory.
func open(t testing.TB, dir, config string) *model.Model {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, config))
	if err != nil {
		t.Fatal(err)
	}
	var c model.Config
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	f := family.Of(c.ModelType)
	if f == nil {
		t.Fatalf("no family for model_type %q", c.ModelType)
	}
	spec, err := f.FromConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	src, err := safetensors.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	m, err := model.Build(spec, f, src, false)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tiny writes and opens a small model.
func tiny(t testing.TB, options testkit.TinyLlama) *model.Model {
	t.Helper()
	dir := t.TempDir()
	options.Write(t, dir)
	return open(t, dir, "config.json")
}

// addSlots fills the low-rank slot of every layer that choose takes (nil: all), with values that depend on the
// layer's name alone, and returns the parameters.
func addSlots(m *model.Model, dropout float32, choose func(name string) bool) []*nn.Param {
	var params []*nn.Param
	for _, l := range m.Linears() {
		if choose != nil && !choose(l.Name) {
			continue
		}
		r := rand.New(rand.NewPCG(op.ModuleKey(l.Name), 3))
		a, b := nn.NewParam(l.Name+".A", 4, l.In()), nn.NewParam(l.Name+".B", l.Out(), 4)
		for _, p := range []*nn.Param{a, b} {
			for i := range p.Data {
				p.Data[i] = float32(0.2 * r.NormFloat64())
			}
		}
		l.SetLowRank(a, b, 0.5, dropout)
		params = append(params, a, b)
	}
	return params
}

// sample makes a sample of n random tokens, the first half the prompt.
func sample(m *model.Model, key uint64, n int) dataset.Sample {
	r := rand.New(rand.NewPCG(key, 4))
	s := dataset.Sample{ID: fmt.Sprint(key), Key: key, Prompt: n / 2}
	for i := range n {
		id := int32(r.IntN(m.Spec.Vocab))
		s.IDs, s.Labels = append(s.IDs, id), append(s.Labels, id)
		if i < n/2 {
			s.Labels[i] = dataset.Ignore
		}
	}
	return s
}

// batch packs random samples of the given lengths.
func batch(m *model.Model, lengths ...int) dataset.Batch {
	var samples []dataset.Sample
	for i, n := range lengths {
		samples = append(samples, sample(m, uint64(i), n))
	}
	return dataset.Pack(samples)
}

// logits are those of all positions of one sequence.
func logits(t testing.TB, m *model.Model, ids []int32) [][]float32 {
	t.Helper()
	at := make([]int32, len(ids))
	for i := range at {
		at[i] = int32(i)
	}
	out := make([][]float32, len(ids))
	if err := m.Logits(ids, at, func(i int, l []float32) { out[i] = append([]float32(nil), l...) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// greedy feeds the prompt and then n most likely tokens through a cache, and returns these.
func greedy(t testing.TB, m *model.Model, prompt []int32, n int) []int32 {
	t.Helper()
	caches, next := []*nn.Cache{m.NewPool().NewCache()}, prompt
	var out []int32
	for range n {
		var best int32
		if err := m.Extend(caches, [][]int32{next}, func(_ int, l []float32) { best = argmax(l) }); err != nil {
			t.Fatal(err)
		}
		out = append(out, best)
		next = []int32{best}
	}
	return out
}

func argmax(l []float32) int32 {
	best := 0
	for i, v := range l {
		if v > l[best] {
			best = i
		}
	}
	return int32(best)
}
