package model

import (
	"fmt"
	"math"
	"strconv"
)

// GGUFSpec reads the keys of arch that decoders share, and what more reads beside them. What a GGUF file does not say (a tied head, biases, the
// size of the vocabulary, rotary divisors) shows in its tensors; Family.CompleteGGUF reads it there.
func GGUFSpec(md Metadata, arch, modelType string, more func(g *GGUFReader, s *Spec)) (Spec, error) {
	g := &GGUFReader{md: md, arch: arch}
	s := Spec{ModelType: modelType, BOS: NoToken}
	s.Dim = g.need("embedding_length")
	s.Layers = g.need("block_count")
	s.FF = g.need("feed_forward_length")
	s.Heads = g.need("attention.head_count")
	s.KVHeads = g.Uint("attention.head_count_kv", s.Heads)
	s.Context = g.need("context_length")
	s.Vocab = g.Uint("vocab_size", 0)
	s.Eps = g.Float("attention.layer_norm_rms_epsilon", g.Float("attention.layer_norm_epsilon", math.NaN()))
	if g.err != nil {
		return s, g.err
	}
	if s.Heads > 0 {
		s.HeadDim = g.Uint("attention.key_length", s.Dim/s.Heads)
	}
	if n := g.Uint("attention.value_length", s.HeadDim); n != s.HeadDim {
		return s, fmt.Errorf("gguf: %s.attention.value_length %d differs from key_length %d: not supported", arch, n, s.HeadDim)
	}
	if n := g.Uint("rope.dimension_count", s.HeadDim); n != s.HeadDim {
		return s, fmt.Errorf("gguf: %s.rope.dimension_count %d of %d: partial rotation is not supported", arch, n, s.HeadDim)
	}
	if n := g.Uint("expert_count", 0); n != 0 {
		return s, fmt.Errorf("gguf: %s.expert_count %d: mixtures of experts are not supported", arch, n)
	}
	s.Rope = g.rope(s.Context)
	if id := g.token("bos_token_id"); id != NoToken {
		s.BOS = id
	}
	if id := g.token("eos_token_id"); id != NoToken {
		s.EOS = []int32{id}
	}
	if more != nil {
		more(g, &s)
	}
	if g.err != nil || s.Rope.Kind == NoRope {
		return s, g.err
	}
	return s, s.Rope.check()
}

// Fail notes that the file says something that ft does not compute.
func (g *GGUFReader) Fail(key string, format string, args ...any) {
	g.fail(fmt.Errorf("gguf: %s.%s: %s", g.arch, key, fmt.Sprintf(format, args...)))
}

// GGUFReader reads keys of one architecture and keeps the first error.
type GGUFReader struct {
	md   Metadata
	arch string
	err  error
}

func (g *GGUFReader) need(key string) int {
	n := g.Uint(key, -1)
	if n < 0 && g.err == nil {
		g.err = fmt.Errorf("gguf: metadata has no number %s.%s", g.arch, key)
	}
	return n
}

// Uint reads a number of the architecture; missing without the key.
func (g *GGUFReader) Uint(key string, missing int) int {
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

// Float is Uint for a number with a fraction.
func (g *GGUFReader) Float(key string, missing float64) float64 {
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
func (g *GGUFReader) token(key string) int32 {
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
func (g *GGUFReader) fail(err error) bool {
	if err != nil && g.err == nil {
		g.err = err
	}
	return err != nil
}

func (g *GGUFReader) rope(context int) Rope {
	r := Rope{Kind: "default", Theta: g.Float("rope.freq_base", 10000), BetaFast: 32, BetaSlow: 1}
	r.Factor = g.Float("rope.scaling.factor", g.Float("rope.scale_linear", 0))
	r.Original = g.Uint("rope.scaling.original_context_length", context)
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
	if f := g.Float("rope.scaling.attn_factor", 0); f != 0 && r.Kind != "yarn" {
		r.AttentionFactor = f // of longrope, which shows in the tensors
	}
	// llama.cpp multiplies yarn's own factor by this one; transformers' attention_factor replaces it.
	if f := g.Float("rope.scaling.attn_factor", 1); r.Kind == "yarn" && f != 1 {
		r.AttentionFactor = f * r.yarnAttention()
	}
	r.BetaFast = g.Float("rope.scaling.yarn_beta_fast", r.BetaFast)
	r.BetaSlow = g.Float("rope.scaling.yarn_beta_slow", r.BetaSlow)
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
		{arch + ".vocab_size", uint32(s.Vocab)},
	}
	if s.LayerNorm {
		kv = append(kv, KV{arch + ".attention.layer_norm_epsilon", float32(s.Eps)})
	} else {
		kv = append(kv, KV{arch + ".attention.layer_norm_rms_epsilon", float32(s.Eps)})
	}
	if s.Rope.Kind == NoRope {
		return kv
	}
	kv = append(kv, KV{arch + ".rope.dimension_count", uint32(s.HeadDim)}, KV{arch + ".rope.freq_base", float32(s.Rope.Theta)})
	switch s.Rope.Kind {
	case "linear":
		kv = append(kv, KV{arch + ".rope.scaling.type", "linear"}, KV{arch + ".rope.scaling.factor", float32(s.Rope.Factor)})
	case "yarn":
		kv = append(kv, KV{arch + ".rope.scaling.type", "yarn"}, KV{arch + ".rope.scaling.factor", float32(s.Rope.Factor)},
			KV{arch + ".rope.scaling.original_context_length", uint32(s.Rope.Original)})
	case "longrope":
		_, factor := s.Rope.frequencies(s.HeadDim)
		kv = append(kv, KV{arch + ".rope.scaling.original_context_length", uint32(s.Rope.Original)}, KV{arch + ".rope.scaling.attn_factor", float32(factor)})
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

// The tensors that a GGUF file has of rotary embeddings.
const (
	ropeFreqs = "rope_freqs.weight"
	ropeShort = "rope_factors_short.weight"
	ropeLong  = "rope_factors_long.weight"
)

// RopeTensor is a tensor [HeadDim/2] of divisors.
type RopeTensor struct {
	Name   string
	Values []float32
}

// RopeTensors are those that a GGUF file needs for the model: rope_freqs.weight for llama3 scaling, two for longrope.
func (s *Spec) RopeTensors() []RopeTensor {
	if s.Rope.Kind == "longrope" {
		narrow := func(v []float64) []float32 {
			out := make([]float32, len(v))
			for i := range v {
				out[i] = float32(v[i])
			}
			return out
		}
		return []RopeTensor{{ropeLong, narrow(s.Rope.Long)}, {ropeShort, narrow(s.Rope.Short)}}
	}
	if d := s.RopeDivisors(); d != nil {
		return []RopeTensor{{ropeFreqs, d}}
	}
	return nil
}

// ggufModules pairs GGUF's names with the modules of n. Blocks are blk.{i}.
func (n *Names) ggufModules() [][2]string {
	list := [][2]string{{"token_embd", n.Embed}, {"position_embd", n.Positions}, {"output_norm", n.Norm}, {"output", n.Head}}
	for _, m := range [][2]string{
		{"attn_norm", n.AttnNorm}, {"attn_q", n.Q}, {"attn_k", n.K}, {"attn_v", n.V}, {"attn_qkv", n.QKV}, {"attn_q_norm", n.QNorm},
		{"attn_k_norm", n.KNorm}, {"attn_output", n.O}, {"post_attention_norm", n.AttnPost}, {"ffn_norm", n.MLPNorm}, {"ffn_gate", n.Gate},
		{"ffn_up", n.Up}, {"ffn_up", n.GateUp}, {"ffn_down", n.Down}, {"post_ffw_norm", n.MLPPost},
	} {
		if m[1] != "" {
			list = append(list, [2]string{"blk.{i}." + m[0], n.Block + m[1]})
		}
	}
	return list
}

// CompleteGGUF reads off a file's tensors what its metadata does not say. floats gives a tensor's values by its name in the file, nil if there is no such tensor.
func (f *Family) CompleteGGUF(s *Spec, has func(name string) bool, floats func(name string) []float32) error {
	n := &f.Names
	there := func(modules ...string) bool {
		for _, m := range modules {
			if m == "" {
				continue
			}
			if name, ok := f.GGUFName(n.at(0, m) + ".bias"); ok && has(name) {
				return true
			}
		}
		return false
	}
	s.Tied = !has("output.weight")
	// A bias on one of the layers asks for all of them, so that none is left out in silence.
	s.AttnBias = s.AttnBias || there(n.O) || !s.QKVBias && there(n.Q, n.K, n.V, n.QKV)
	s.MLPBias = s.MLPBias || there(n.Gate, n.Up, n.GateUp, n.Down)
	s.Rope.Divisors = floats(ropeFreqs)
	short, long := floats(ropeShort), floats(ropeLong)
	r := &s.Rope
	if short == nil {
		if f := r.AttentionFactor; r.Kind != "yarn" && f != 0 && f != 1 {
			return fmt.Errorf("gguf: rope.scaling.attn_factor %g is only supported with yarn and longrope", f)
		}
		return s.check()
	}
	r.Kind, r.Factor = "longrope", float64(s.Context)/float64(r.Original)
	for _, v := range short {
		r.Short = append(r.Short, shortest(float64(v)))
	}
	for _, v := range long {
		r.Long = append(r.Long, shortest(float64(v)))
	}
	return s.check()
}
