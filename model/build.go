package model

import (
	"fmt"
	"slices"

	"ft/internal/kernels"
	"ft/internal/op"
	"ft/nn"
	"ft/weights"
)

// Build makes a Model from weights. Matrices stay in src, in their file's number type, but for those that the file has transposed;
// norm gains and biases are read to float32. gguf tells that src uses GGUF's names and row order. The model must not outlive src.
func Build(s Spec, f *Family, src weights.Source, gguf bool) (*Model, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	b := &builder{spec: s, family: f, names: &f.Names, src: src, gguf: gguf}
	m := &Model{Spec: s, family: f, arena: kernels.NewArena()}
	st, n := &m.stack, b.names
	embed := b.matrix(n.Embed+".weight", s.Vocab, s.Dim)
	st.Embed = nn.NewEmbedding(n.Embed, embed)
	st.Embed.Multiply(float32(s.EmbedScale))
	if n.Positions != "" {
		st.Positions = nn.NewEmbedding(n.Positions, b.matrix(n.Positions+".weight", s.Context, s.Dim))
	}
	st.InputScale, st.LogitCap = float32(s.InputScale), float32(s.LogitCap)
	if s.LogitDivisor != 0 {
		st.LogitScale = float32(1 / s.LogitDivisor)
	}
	st.Norm = b.norm(n.Norm, s.Dim)
	rope, local := s.rotary(&s.Rope), s.rotary(s.LocalRope)
	for i := range s.Layers {
		c := b.block(i)
		if b.err != nil {
			return nil, b.err
		}
		switch l := s.layer(i); {
		case l.NoRope:
		case l.Local && local != nil:
			c.Rope = local
		default:
			c.Rope = rope
		}
		st.Blocks = append(st.Blocks, nn.NewBlock(c))
	}
	head := embed
	if !s.Tied {
		head = b.matrix(n.Head+".weight", s.Vocab, s.Dim)
	}
	if b.err != nil {
		return nil, b.err
	}
	st.Head = nn.NewLinear(n.Head, head, nil)
	st.Head.Head, st.Head.Tied = true, s.Tied
	return m, nil
}

// rotary is the table for r, nil where nothing is to be rotated.
func (s *Spec) rotary(r *Rope) *op.Rope {
	if r == nil || r.Kind == NoRope {
		return nil
	}
	freq, factor := r.frequencies(s.HeadDim)
	return op.NewRope(freq, factor)
}

// builder reads tensors and keeps the first error.
type builder struct {
	spec   Spec
	family *Family
	names  *Names
	src    weights.Source
	gguf   bool
	err    error
}

// block is what block i is made of, without its Rope.
func (b *builder) block(i int) nn.BlockConfig {
	s, n := &b.spec, b.names
	q, kv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	biased := s.AttnBias || s.QKVBias
	lin := func(module string, in int, bias bool, sizes ...int) *nn.Linear {
		return b.linear(n.at(i, module), in, bias, sizes...)
	}
	norm := func(module string, d int) *nn.Norm { return b.norm(n.at(i, module), d) }
	qn, kn := s.HeadDim, s.HeadDim
	if s.WideQK {
		qn, kn = q, kv
	}
	c := nn.BlockConfig{
		Heads: s.Heads, KVHeads: s.KVHeads, HeadDim: s.HeadDim, Scale: op.DefaultScale(s.HeadDim),
		Window: s.layer(i).Window, SoftCap: float32(s.AttnCap), Residual: float32(s.ResidualScale),
		Act: [...]kernels.Activation{SiLU: kernels.SiLU, GELUTanh: kernels.GELUTanh}[s.Act],

		Q: lin(n.Q, s.Dim, biased, q), K: lin(n.K, s.Dim, biased, kv), V: lin(n.V, s.Dim, biased, kv),
		QKV: lin(n.QKV, s.Dim, biased, q, kv, kv), O: lin(n.O, q, s.AttnBias, s.Dim),
		Gate: lin(n.Gate, s.Dim, s.MLPBias, s.FF), Up: lin(n.Up, s.Dim, s.MLPBias, s.FF),
		GateUp: lin(n.GateUp, s.Dim, s.MLPBias, s.FF, s.FF), Down: lin(n.Down, s.FF, s.MLPBias, s.Dim),

		AttnNorm: norm(n.AttnNorm, s.Dim), AttnPost: norm(n.AttnPost, s.Dim),
		MLPNorm: norm(n.MLPNorm, s.Dim), MLPPost: norm(n.MLPPost, s.Dim),
		QNorm: norm(n.QNorm, qn), KNorm: norm(n.KNorm, kn),
	}
	if s.AttnScale != 0 {
		c.Scale = float32(s.AttnScale)
	}
	return c
}

// linear reads the layer of a module, of which each of sizes outputs is used on its own; nil for no module.
func (b *builder) linear(module string, in int, bias bool, sizes ...int) *nn.Linear {
	if module == "" {
		return nil
	}
	out := 0
	for _, n := range sizes {
		out += n
	}
	w := b.matrix(module+".weight", out, in)
	var bv []float32
	if bias {
		bv = b.vector(module+".bias", out)
	}
	if b.err != nil {
		return nil
	}
	l := nn.NewLinear(module, w, bv)
	if len(sizes) > 1 {
		l = nn.NewFused(module, w, bv, sizes...)
	}
	l.Transposed = b.family.IsTransposed(module + ".weight")
	return l
}

// tensor finds a tensor by its Hugging Face name and checks its shape.
func (b *builder) tensor(hf string, shape ...int) (weights.Tensor, bool) {
	if b.err != nil {
		return weights.Tensor{}, false
	}
	name := hf
	if !b.gguf {
		name = b.inFile(hf)
	} else {
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

// inFile is the name under which the source has a tensor, hf itself if it has none.
func (b *builder) inFile(hf string) string {
	names := b.names.inFile(hf)
	if len(names) == 1 {
		return hf
	}
	for _, name := range names {
		if slices.Contains(b.src.Names(), name) {
			return name
		}
	}
	return hf
}

func (b *builder) matrix(hf string, rows, cols int) *kernels.Matrix {
	shape := []int{rows, cols}
	transposed := !b.gguf && b.family.IsTransposed(hf)
	if transposed {
		slices.Reverse(shape)
	}
	t, ok := b.tensor(hf, shape...)
	if !ok {
		return nil
	}
	data := t.Data
	if transposed {
		if t.Type.Block() != 1 {
			b.err = fmt.Errorf("model: tensor %q is of type %v, which cannot be transposed", t.Name, t.Type)
			return nil
		}
		data = transpose(data, cols, rows, t.Type.RowBytes(1))
	}
	m, err := kernels.NewMatrix(rows, cols, t.Type, data)
	if err != nil {
		b.err = fmt.Errorf("model: tensor %q: %w", t.Name, err)
		return nil
	}
	if b.gguf && b.family.IsInterleaved(hf) {
		m.Perm = RotaryRows(rows, b.spec.HeadDim)
	}
	return m
}

// norm reads the norm of a module over d values; nil for no module.
func (b *builder) norm(module string, d int) *nn.Norm {
	if module == "" {
		return nil
	}
	w, eps := b.vector(module+".weight", d), float32(b.spec.Eps)
	switch {
	case b.spec.LayerNorm:
		return nn.NewLayerNorm(module, w, b.vector(module+".bias", d), eps)
	case b.spec.NormPlus1:
		return nn.NewNormPlus1(module, w, eps)
	}
	return nn.NewNorm(module, w, eps)
}

func (b *builder) vector(hf string, n int) []float32 {
	t, ok := b.tensor(hf, n)
	if !ok {
		return nil
	}
	v := t.Floats()
	if plus := b.family.GGUFAdds(hf); b.gguf && plus != 0 {
		for i := range v {
			v[i] -= plus
		}
	}
	if b.gguf && b.family.IsInterleaved(hf) {
		out := make([]float32, n)
		for i, from := range RotaryRows(n, b.spec.HeadDim) {
			out[i] = v[from]
		}
		v = out
	}
	return v
}
