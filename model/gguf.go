package model

import (
	"fmt"
	"math"
	"strconv"
)

// GGUFSpec reads the keys of arch that decoders share. What a GGUF file does not say (a tied head, the size of the vocabulary,
// rotary divisors) shows in its tensors; the caller completes it.
func GGUFSpec(md Metadata, arch, modelType string) (Spec, error) {
	g := ggufReader{md: md, arch: arch}
	s := Spec{ModelType: modelType, BOS: NoToken}
	s.Dim = g.need("embedding_length")
	s.Layers = g.need("block_count")
	s.FF = g.need("feed_forward_length")
	s.Heads = g.need("attention.head_count")
	s.KVHeads = g.uint("attention.head_count_kv", s.Heads)
	s.Context = g.need("context_length")
	s.Vocab = g.uint("vocab_size", 0)
	s.Eps = g.float("attention.layer_norm_rms_epsilon", math.NaN())
	if g.err != nil {
		return s, g.err
	}
	if s.Heads > 0 {
		s.HeadDim = g.uint("attention.key_length", s.Dim/s.Heads)
	}
	if n := g.uint("attention.value_length", s.HeadDim); n != s.HeadDim {
		return s, fmt.Errorf("gguf: %s.attention.value_length %d differs from key_length %d: not supported", arch, n, s.HeadDim)
	}
	if n := g.uint("rope.dimension_count", s.HeadDim); n != s.HeadDim {
		return s, fmt.Errorf("gguf: %s.rope.dimension_count %d of %d: partial rotation is not supported", arch, n, s.HeadDim)
	}
	if n := g.uint("expert_count", 0); n != 0 {
		return s, fmt.Errorf("gguf: %s.expert_count %d: mixtures of experts are not supported", arch, n)
	}
	s.Rope = g.rope(s.Context)
	if id := g.token("bos_token_id"); id != NoToken {
		s.BOS = id
	}
	if id := g.token("eos_token_id"); id != NoToken {
		s.EOS = []int32{id}
	}
	if g.err != nil {
		return s, g.err
	}
	return s, s.Rope.check()
}

type ggufReader struct {
	md   Metadata
	arch string
	err  error
}

func (g *ggufReader) need(key string) int {
	n := g.uint(key, -1)
	if n < 0 && g.err == nil {
		g.err = fmt.Errorf("gguf: metadata has no number %s.%s", g.arch, key)
	}
	return n
}

func (g *ggufReader) uint(key string, missing int) int {
	key = g.arch + "." + key
	if !g.md.Has(key) {
		return missing
	}
	v, err := g.md.Uint(key)
	if err == nil && v > 1<<40 {
		err = fmt.Errorf("gguf: %s is %d: absurd", key, v)
	}
	if g.fail(err) {
		return missing
	}
	return int(v)
}

func (g *ggufReader) float(key string, missing float64) float64 {
	key = g.arch + "." + key
	if !g.md.Has(key) {
		return missing
	}
	v, err := g.md.Float(key)
	if g.fail(err) {
		return missing
	}
	return shortest(v)
}

// shortest is the number that a person would have written for a float32: 1e-05, where its exact value is
// 0.000009999999747378752.
func shortest(v float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', -1, 32), 64)
	if err != nil || float32(short) != float32(v) || float64(float32(v)) != v {
		return v
	}
	return short
}

// token reads the id of a special token; NoToken if the file names none.
func (g *ggufReader) token(key string) int32 {
	key = "tokenizer.ggml." + key
	if !g.md.Has(key) {
		return NoToken
	}
	v, err := g.md.Uint(key)
	if err == nil && v > math.MaxInt32 {
		err = fmt.Errorf("gguf: %s is %d: not a token id", key, v)
	}
	if g.fail(err) {
		return NoToken
	}
	return int32(v)
}

// fail keeps the first error and reports whether there was one.
func (g *ggufReader) fail(err error) bool {
	if err != nil && g.err == nil {
		g.err = err
	}
	return err != nil
}

func (g *ggufReader) rope(context int) Rope {
	r := Rope{Kind: "default", Theta: g.float("rope.freq_base", 10000), BetaFast: 32, BetaSlow: 1}
	r.Factor = g.float("rope.scaling.factor", g.float("rope.scale_linear", 0))
	r.Original = g.uint("rope.scaling.original_context_length", context)
	kind := "none"
	if key := g.arch + ".rope.scaling.type"; g.md.Has(key) {
		var err error
		kind, err = g.md.String(key)
		g.fail(err)
	}
	switch {
	case kind != "none":
		r.Kind = kind
	case r.Factor > 1 && !g.md.Has(g.arch+".rope.scaling.type"): // llama.cpp takes a factor without a type as linear
		r.Kind = "linear"
	}
	// llama.cpp multiplies yarn's own factor by this one; transformers' attention_factor replaces it.
	if f := g.float("rope.scaling.attn_factor", 1); r.Kind == "yarn" && f != 1 {
		r.AttentionFactor = f * r.yarnAttention()
	}
	r.BetaFast = g.float("rope.scaling.yarn_beta_fast", r.BetaFast)
	r.BetaSlow = g.float("rope.scaling.yarn_beta_slow", r.BetaSlow)
	return r
}

// GGUFKeys writes what GGUFSpec reads.
func (s *Spec) GGUFKeys(arch string) []KV {
	kv := []KV{
		{arch + ".context_length", uint32(s.Context)},
		{arch + ".embedding_length", uint32(s.Dim)},
		{arch + ".block_count", uint32(s.Layers)},
		{arch + ".feed_forward_length", uint32(s.FF)},
		{arch + ".attention.head_count", uint32(s.Heads)},
		{arch + ".attention.head_count_kv", uint32(s.KVHeads)},
		{arch + ".attention.key_length", uint32(s.HeadDim)},
		{arch + ".attention.value_length", uint32(s.HeadDim)},
		{arch + ".attention.layer_norm_rms_epsilon", float32(s.Eps)},
		{arch + ".rope.dimension_count", uint32(s.HeadDim)},
		{arch + ".rope.freq_base", float32(s.Rope.Theta)},
		{arch + ".vocab_size", uint32(s.Vocab)},
	}
	switch s.Rope.Kind {
	case "linear":
		kv = append(kv, KV{arch + ".rope.scaling.type", "linear"}, KV{arch + ".rope.scaling.factor", float32(s.Rope.Factor)})
	case "yarn":
		kv = append(kv, KV{arch + ".rope.scaling.type", "yarn"}, KV{arch + ".rope.scaling.factor", float32(s.Rope.Factor)},
			KV{arch + ".rope.scaling.original_context_length", uint32(s.Rope.Original)})
	}
	return kv
}

// RopeDivisors is GGUF's way to say llama3 scaling: the tensor rope_freqs.weight [HeadDim/2] that frequencies are divided by.
// It is nil for the other kinds.
func (s *Spec) RopeDivisors() []float32 {
	if s.Rope.Divisors != nil {
		return s.Rope.Divisors
	}
	if s.Rope.Kind != "llama3" {
		return nil
	}
	plain := Rope{Kind: "default", Theta: s.Rope.Theta}
	f, _ := plain.frequencies(s.HeadDim)
	g, _ := s.Rope.frequencies(s.HeadDim)
	out := make([]float32, len(f))
	for i := range f {
		out[i] = float32(f[i] / g[i])
	}
	return out
}
