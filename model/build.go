package model

import (
	"fmt"
	"slices"

	"ft/internal/kernels"
	"ft/internal/op"
	"ft/nn"
	"ft/weights"
)

// Build makes a Model from weights. Matrices stay in src, in their file's number type; norm gains and biases are read to
// float32. gguf tells that src uses GGUF's names and row order. The model must not outlive src.
func Build(s Spec, f *Family, src weights.Source, gguf bool) (*Model, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Rope.Divisors != nil && len(s.Rope.Divisors) != s.HeadDim/2 {
		return nil, fmt.Errorf("model: %d rotary divisors, expected %d", len(s.Rope.Divisors), s.HeadDim/2)
	}
	b := &builder{spec: s, family: f, src: src, gguf: gguf}
	m := &Model{Spec: s, family: f, arena: kernels.NewArena()}
	embed := b.matrix("model.embed_tokens.weight", s.Vocab, s.Dim)
	m.stack.Embed = nn.NewEmbedding("model.embed_tokens", embed)
	m.stack.Norm = b.norm("model.norm")
	freq, factor := s.Rope.frequencies(s.HeadDim)
	rope := op.NewRope(freq, factor)
	for i := range s.Layers {
		m.stack.Blocks = append(m.stack.Blocks, b.block(i, rope))
		if b.err != nil {
			return nil, b.err
		}
	}
	head := embed
	if !s.Tied {
		head = b.matrix("lm_head.weight", s.Vocab, s.Dim)
	}
	if b.err != nil {
		return nil, b.err
	}
	m.stack.Head = nn.NewLinear("lm_head", head, nil)
	m.stack.Head.Head, m.stack.Head.Tied = true, s.Tied
	return m, nil
}

// builder reads tensors and keeps the first error.
type builder struct {
	spec   Spec
	family *Family
	src    weights.Source
	gguf   bool
	err    error
}

func (b *builder) block(i int, rope *op.Rope) *nn.Block {
	s := &b.spec
	at := fmt.Sprintf("model.layers.%d.", i)
	q, kv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	lin := func(name string, out, in int, bias bool) *nn.Linear {
		name = at + name
		w := b.matrix(name+".weight", out, in)
		var bv []float32
		if bias {
			bv = b.vector(name+".bias", out)
		}
		if b.err != nil {
			return nil
		}
		l := nn.NewLinear(name, w, bv)
		l.Transposed = b.family.IsTransposed(name + ".weight")
		return l
	}
	c := nn.BlockConfig{
		Heads: s.Heads, KVHeads: s.KVHeads, HeadDim: s.HeadDim,
		Scale: op.DefaultScale(s.HeadDim), Rope: rope,
		AttnNorm: b.norm(at + "input_layernorm"), MLPNorm: b.norm(at + "post_attention_layernorm"),
	}
	ls := []*nn.Linear{
		lin("self_attn.q_proj", q, s.Dim, s.AttnBias), lin("self_attn.k_proj", kv, s.Dim, s.AttnBias),
		lin("self_attn.v_proj", kv, s.Dim, s.AttnBias), lin("self_attn.o_proj", s.Dim, q, s.AttnBias),
		lin("mlp.gate_proj", s.FF, s.Dim, s.MLPBias), lin("mlp.up_proj", s.FF, s.Dim, s.MLPBias),
		lin("mlp.down_proj", s.Dim, s.FF, s.MLPBias),
	}
	if b.err != nil {
		return nil
	}
	return nn.NewBlock(c, ls[0], ls[1], ls[2], ls[3], ls[4], ls[5], ls[6])
}

// tensor finds a tensor by its Hugging Face name and checks its shape.
func (b *builder) tensor(hf string, shape ...int) (weights.Tensor, bool) {
	if b.err != nil {
		return weights.Tensor{}, false
	}
	name := hf
	if b.gguf {
		n, ok := b.family.GGUFName(hf)
		if !ok {
			b.err = fmt.Errorf("model: %s: family %s has no GGUF name for it", hf, b.family.ModelType)
			return weights.Tensor{}, false
		}
		name = n
	}
	t, err := b.src.Tensor(name)
	if err != nil {
		b.err = fmt.Errorf("model: %w", err)
		return weights.Tensor{}, false
	}
	if !slices.Equal(t.Shape, shape) {
		b.err = fmt.Errorf("model: tensor %q has shape %v, the model's configuration says %v", name, t.Shape, shape)
		return weights.Tensor{}, false
	}
	return t, true
}

func (b *builder) matrix(hf string, rows, cols int) *kernels.Matrix {
	t, ok := b.tensor(hf, rows, cols)
	if !ok {
		return nil
	}
	m, err := kernels.NewMatrix(rows, cols, t.Type, t.Data)
	if err != nil {
		b.err = fmt.Errorf("model: tensor %q: %w", t.Name, err)
		return nil
	}
	if b.gguf && b.family.IsInterleaved(hf) {
		m.Perm = RotaryRows(rows, b.spec.HeadDim)
	}
	return m
}

func (b *builder) norm(module string) *nn.Norm {
	return nn.NewNorm(module, b.vector(module+".weight", b.spec.Dim), float32(b.spec.Eps))
}

func (b *builder) vector(hf string, n int) []float32 {
	t, ok := b.tensor(hf, n)
	if !ok {
		return nil
	}
	v := t.Floats()
	if b.gguf && b.family.IsInterleaved(hf) {
		out := make([]float32, n)
		for i, from := range RotaryRows(n, b.spec.HeadDim) {
			out[i] = v[from]
		}
		v = out
	}
	return v
}
