package model_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/base"
	"ft/internal/kernels"
	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/model"
	"ft/model/family"
	"ft/weights/gguf"
)

// TestGGUF_same writes a llama as llama.cpp's converter does, with other names and interleaved query and key rows, and
// expects the logits of the Hugging Face directory.
func TestGGUF_same(t *testing.T) {
	for name, options := range map[string]testkit.TinyLlama{
		"tied":          {Seed: 1},
		"untied, bias":  {Seed: 2, Untied: true, Bias: true, HeadDim: 6},
		"linear scaled": {Seed: 3, Rope: map[string]any{"rope_type": "linear", "factor": 4.0}},
		"llama3": {Seed: 4, Rope: map[string]any{
			"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
		}},
		"yarn": {Seed: 5, Rope: map[string]any{"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			options.Write(t, dir)
			hf := open(t, dir, "config.json")
			path := filepath.Join(dir, "model.gguf")
			writeGGUF(t, path, &hf.Spec, testkit.Tensors(t, filepath.Join(dir, "model.safetensors")))
			got := openGGUF(t, path)
			ids := sample(hf, 9, 40).IDs
			want := logits(t, hf, ids)
			for i, l := range logits(t, got, ids) {
				testkit.Near(t, fmt.Sprintf("position %d", i), l, want[i], 1e-5, 0)
			}
			if k := hf.Spec.Rope.Kind; (k == "default" || k == "linear") && !slices.EqualFunc(logits(t, got, ids), want, slices.Equal) {
				t.Error("logits are not the same bits")
			}
		})
	}
}

// writeGGUF copies tensors to a GGUF file.
func writeGGUF(t *testing.T, path string, s *model.Spec, tensors map[string]testkit.Tensor) {
	t.Helper()
	keys, err := family.Llama.ToGGUF(s)
	if err != nil {
		t.Fatal(err)
	}
	kv := []gguf.KV{{Key: "general.architecture", Value: "llama"}}
	for _, k := range keys {
		kv = append(kv, gguf.KV{Key: k.Key, Value: k.Value})
	}
	var infos []gguf.Info
	data := map[string][]float32{}
	for _, hf := range slices.Sorted(maps.Keys(tensors)) {
		x := tensors[hf]
		name, ok := family.Llama.GGUFName(hf)
		if !ok {
			t.Fatalf("no name for %s", hf)
		}
		infos = append(infos, gguf.Info{Name: name, Type: quant.F32, Shape: x.Shape})
		data[name] = x.Data
		if family.Llama.IsInterleaved(hf) {
			data[name] = interleave(x.Data, x.Shape[0], s.HeadDim)
		}
	}
	if d := s.RopeDivisors(); d != nil {
		infos = append(infos, gguf.Info{Name: "rope_freqs.weight", Type: quant.F32, Shape: []int{len(d)}})
		data["rope_freqs.weight"] = d
	}
	w, err := gguf.NewWriter(path, kv, infos)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, x := range infos {
		if err := w.Next(x.Name); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteFloats(data[x.Name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// interleave puts rows in llama.cpp's order: of each head, row i of the first half, then row i of the second.
func interleave(v []float32, rows, headDim int) []float32 {
	cols, half := len(v)/rows, headDim/2
	var out []float32
	for head := 0; head < rows; head += headDim {
		for i := range half {
			for _, r := range []int{head + i, head + half + i} {
				out = append(out, v[r*cols:(r+1)*cols]...)
			}
		}
	}
	return out
}

// openGGUF builds a llama from a GGUF file that has no tokenizer.
func openGGUF(t *testing.T, path string) *model.Model {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	s, err := family.Llama.FromGGUF(f)
	if err != nil {
		t.Fatal(err)
	}
	names := f.Names()
	s.Tied = !slices.Contains(names, "output.weight")
	s.AttnBias = slices.Contains(names, "blk.0.attn_q.bias")
	s.MLPBias = slices.Contains(names, "blk.0.ffn_up.bias")
	if x, err := f.Tensor("rope_freqs.weight"); err == nil {
		s.Rope.Divisors = x.Floats()
	}
	m, err := model.Build(s, &family.Llama, f, true)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestGGUF_refused: what GGUF cannot say is not written.
func TestGGUF_refused(t *testing.T) {
	for want, rope := range map[string]map[string]any{
		"dynamic": {"rope_type": "dynamic", "factor": 2.0},
		"yarn":    {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 64, "beta_fast": 20.0},
	} {
		m := tiny(t, testkit.TinyLlama{Rope: rope})
		if _, err := family.Llama.ToGGUF(&m.Spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
	s := tiny(t, testkit.TinyLlama{}).Spec
	s.Rope.Divisors = []float32{1, 1, 1, 1}
	if _, err := family.Llama.ToConfig(&s); err == nil || !strings.Contains(err.Error(), "divisors") {
		t.Errorf("error %v", err)
	}
}

// TestSmolLM2 runs the quantised model of 135 million parameters that the given set may hold, against the reference's
// logits for its dequantised weights.
func TestSmolLM2(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	testkit.Conformance(t, "golden/smollm2", func(t *testing.T, dir string) {
		files, err := filepath.Glob(filepath.Join(dir, "..", "..", "models", "smollm2", "*.gguf"))
		if err != nil || len(files) != 1 {
			t.Skipf("%d models of models/smollm2 beside %s (%v)", len(files), dir, err)
		}
		b, err := base.Open(files[0], []*model.Family{&family.Llama})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		var prompts smolPrompts
		testkit.ReadJSON(t, filepath.Join(dir, "logits.json"), &prompts)
		if len(prompts.Prompts) == 0 {
			t.Fatal("no prompts")
		}
		if kernels.HasBF16() { // the plain twin would take minutes
			b.Model.SetPrecision(kernels.BF16)
			prompts.test(t, b.Model, 0.4, 0.8, 0.2, 0.2)
		}
		b.Model.SetPrecision(kernels.F32)
		prompts.test(t, b.Model, 5e-4, 5e-4, minGap, minGap)
	})
}

// smolPrompts is logits.json of golden/smollm2.
type smolPrompts struct {
	Prompts []struct {
		IDs       []int32      `json:"input_ids"`
		LSE       []float64    `json:"logsumexp"`
		Argmax    []int32      `json:"argmax"`
		Top8      [][2]float64 `json:"top8_last"`
		Greedy    []int32      `json:"greedy"`
		GreedyGap float64      `json:"greedy_min_gap"`
	}
}

// test compares logits and their logsumexp within the given bounds, and choices where they are clear by more than gap.
func (g *smolPrompts) test(t *testing.T, m *model.Model, logit, logsumexp, gap, greedyGap float64) {
	t.Helper()
	for i, p := range g.Prompts {
		at := fmt.Sprintf("%v, prompt %d: ", m.Precision(), i)
		got := logits(t, m, p.IDs)
		lse := make([]float64, len(got))
		for j, l := range got {
			var clear float64
			if lse[j], clear = summary(l); clear > gap && argmax(l) != p.Argmax[j] {
				t.Errorf("%sposition %d: most likely is %d, expected %d (gap %g)", at, j, argmax(l), p.Argmax[j], clear)
			}
		}
		testkit.Near(t, at+"logsumexp", lse, p.LSE, 0, logsumexp)
		for _, top := range p.Top8 {
			last := got[len(got)-1]
			testkit.Near(t, fmt.Sprintf("%slogit %g", at, top[0]), last[int(top[0]):int(top[0])+1], top[1:], 0, logit)
		}
		if p.GreedyGap > greedyGap {
			if out := greedy(t, m, p.IDs, len(p.Greedy)); !slices.Equal(out, p.Greedy) {
				t.Errorf("%sgreedy %v\nexpected %v", at, out, p.Greedy)
			}
		}
	}
}
