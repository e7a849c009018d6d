package op

import (
	"ft/internal/kernels"
	"ft/internal/keyed"
)

// LowRank is the low-rank slot of a Linear: y += Scale·drop(x)·Aᵀ·Bᵀ.
type LowRank struct {
	R       int
	A, B    []float32 // [R,In], [Out,R]
	DA, DB  []float32 // gradient sinks of the same shapes, added to by the backward stages
	Scale   float32
	Dropout float32

	a, b *kernels.Matrix // A and B as the decode step multiplies with them
}

// matrices are A and B as matrices; l is the slot's layer.
func (d *LowRank) matrices(l *Linear) (a, b *kernels.Matrix) {
	if d.a == nil {
		d.a, d.b = kernels.FromFloat32(d.R, l.W.Cols, d.A), kernels.FromFloat32(l.W.Rows, d.R, d.B)
	}
	return d.a, d.b
}

// OutScale multiplies a Linear's output: y = G⊙sum + b, or G⊙(sum + b) with WithBias.
type OutScale struct {
	G        []float32 // [Out]
	DG       []float32 // gradient sink, or nil
	WithBias bool
}

// InScale multiplies a Linear's input.
type InScale struct {
	G  []float32 // [In]
	DG []float32 // gradient sink, or nil
}

// Rows says which rows of a weight (kernels.Matrix.WithRows) are trained.
type Rows struct {
	IDs  []int32
	Grad []float32 // gradient sink [len(IDs),In], or nil

	at map[int32]int // where a row is in IDs
}

// NewRows makes the Rows of ids, which differ from each other.
func NewRows(ids []int32, grad []float32) *Rows {
	r := &Rows{IDs: ids, Grad: grad, at: make(map[int32]int, len(ids))}
	for i, id := range ids {
		r.at[id] = i
	}
	return r
}

// Linear is a weight with its slots. The backward stages add to the sinks; where one is nil, the values are frozen.
type Linear struct {
	W     *kernels.Matrix // [Out,In]
	DW    []float32       // gradient sink, or nil
	Bias  []float32       // [Out] or nil
	DBias []float32       // gradient sink, or nil
	Delta *LowRank        // or nil
	Out   *OutScale       // or nil
	In    *InScale        // or nil
	Rows  *Rows           // or nil
	Key   uint64          // identity of the module, for dropout
}

// Slice is the outputs lo to hi of l as a layer of its own. It shares all memory with l, and adds to the same sinks: a weight's part of
// several that are stored as one. Single rows (Rows) are not sliced.
func (l *Linear) Slice(lo, hi int) Linear {
	s, in := *l, l.W.Cols
	s.W, s.DW = l.W.Slice(lo, hi), between(l.DW, lo*in, hi*in)
	s.Bias, s.DBias = between(l.Bias, lo, hi), between(l.DBias, lo, hi)
	if d := l.Delta; d != nil {
		s.Delta = &LowRank{
			R: d.R, A: d.A, B: between(d.B, lo*d.R, hi*d.R), DA: d.DA, DB: between(d.DB, lo*d.R, hi*d.R), Scale: d.Scale, Dropout: d.Dropout,
		}
	}
	if o := l.Out; o != nil {
		s.Out = &OutScale{G: between(o.G, lo, hi), DG: between(o.DG, lo, hi), WithBias: o.WithBias}
	}
	return s
}

// between is v[lo:hi], nil for nil.
func between(v []float32, lo, hi int) []float32 {
	if v == nil {
		return nil
	}
	return v[lo:hi]
}

// ModuleKey turns a module's name into the key that dropout uses.
func ModuleKey(name string) uint64 {
	return keyed.Name(name)
}

// LinearState is what a layer's backward pass needs beside its input: the slot's inner product [T,R] and, for a trained output
// scale, what it multiplied [T,Out]. Acts without a use are zero.
type LinearState struct{ u, z kernels.Act }

// room is memory for the state, which forward and backward pass share.
func (l *Linear) room(p *Pass) (st LinearState) {
	if l.Delta != nil {
		st.u = p.Act(p.T, l.Delta.R)
	}
	if l.Out != nil && l.Out.DG != nil {
		st.z = p.Act(p.T, l.W.Rows)
	}
	return st
}

// input is x [T,In] as the weight gets it: itself or, with an input scale, another Act in the arena.
func (l *Linear) input(p *Pass, x kernels.Act) kernels.Act {
	if l.In == nil {
		return x
	}
	scaled := p.Act(x.T, x.F)
	kernels.ScaleColumns(scaled, x, l.In.G)
	return scaled
}

// inner computes u = Scale·drop(x)·Aᵀ. It is one more term of the layer's product, not a second pass over y.
func (l *Linear) inner(p *Pass, u, x kernels.Act) {
	d := l.Delta
	if d == nil {
		return
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	g := p.product(p.T, d.R)
	g.Add(kernels.Masked(x, p.mask(l)), kernels.Values(d.A, x.F, x.F, d.R, true), false)
	g.Sink = kernels.Sink{Kind: kernels.ToAct, Out: u, Alpha: d.Scale}
	g.Run()
}

// forward makes x·Wᵀ + u·Bᵀ terms of a product, or of its pair.
func (l *Linear) forward(g *kernels.Product, pair bool, x, u kernels.Act) {
	g.Add(kernels.Acts(x), kernels.WeightsT(l.W), pair)
	if d := l.Delta; d != nil {
		g.Add(kernels.Acts(u), kernels.Values(d.B, d.R, d.R, l.W.Rows, true), pair)
	}
}

// affine is what makes y of the product's result.
func (l *Linear) affine(st LinearState) kernels.Affine {
	switch o := l.Out; {
	case o == nil:
		return kernels.Affine{Bias: l.Bias}
	case o.WithBias:
		return kernels.Affine{Bias: l.Bias, Keep: st.z, Scale: o.G}
	default:
		return kernels.Affine{Keep: st.z, Scale: o.G, Shift: l.Bias}
	}
}

// linearRows computes y [T,Out] = from + the layer's output for x; from may be nil or y. st receives what the backward pass needs.
func linearRows(p *Pass, l *Linear, st LinearState, y, from []float32, x kernels.Act) {
	linearInto(p, l, st, kernels.Sink{Kind: kernels.ToRows, Rows: y, LD: l.W.Rows, From: from}, x)
}

// linearInto hands the layer's output for x to a sink. st receives what the backward pass needs.
func linearInto(p *Pass, l *Linear, st LinearState, sink kernels.Sink, x kernels.Act) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	x = l.input(p, x)
	l.inner(p, st.u, x)
	g := p.product(p.T, l.W.Rows)
	l.forward(g, false, x, st.u)
	sink.First = l.affine(st)
	g.Sink = sink
	g.Run()
}
