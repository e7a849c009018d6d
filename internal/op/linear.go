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

// ModuleKey turns a module's name into the key that dropout uses.
func ModuleKey(name string) uint64 {
	return keyed.Name(name)
}

// room is memory for the slot's inner product [T,R], which forward and backward pass share; the zero Act without a slot.
func (l *Linear) room(p *Pass) kernels.Act {
	if l.Delta == nil {
		return kernels.Act{}
	}
	return p.Act(p.T, l.Delta.R)
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

// linearRows computes y [T,Out] = from + x·Wᵀ + b + slots; from may be nil or y. u receives the slot's inner product.
func linearRows(p *Pass, l *Linear, u kernels.Act, y, from []float32, x kernels.Act) {
	l.inner(p, u, x)
	g := p.product(p.T, l.W.Rows)
	l.forward(g, false, x, u)
	g.Sink = kernels.Sink{Kind: kernels.ToRows, Rows: y, LD: l.W.Rows, From: from, Bias: l.Bias}
	g.Run()
}

// gradInner is the gradient at the slot's inner product before its scale, du = Scale·dy·B [T,R], and adds dyᵀ·u to B's
// sink: u holds the scale already. The zero Act without a slot.
func (l *Linear) gradInner(p *Pass, dy, u kernels.Act) kernels.Act {
	d := l.Delta
	if d == nil {
		return kernels.Act{}
	}
	du := p.Act(p.T, d.R)
	g := p.product(p.T, d.R)
	g.Add(kernels.Acts(dy), kernels.Values(d.B, d.R, l.W.Rows, d.R, false), false)
	g.Sink = kernels.Sink{Kind: kernels.ToAct, Out: du, Alpha: d.Scale}
	g.Run()

	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	ut := p.Act(d.R, p.T)
	kernels.Transpose(ut, u)
	g = p.product(d.R, l.W.Rows)
	g.Add(kernels.Acts(ut), kernels.Tokens(dy, kernels.Mask{}), false)
	g.Sink = kernels.Sink{Kind: kernels.ToRowsT, Rows: d.DB, LD: d.R}
	g.Run()
	return du
}

// gradA adds duᵀ·drop(x) to A's sink. gain, if not nil, are factors of x's columns that x lacks.
func (l *Linear) gradA(p *Pass, du, x kernels.Act, gain []float32, m kernels.Mask) {
	d := l.Delta
	if d == nil {
		return
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	dut := p.Act(d.R, p.T)
	kernels.Transpose(dut, du)
	g := p.product(d.R, x.F)
	g.Add(kernels.Acts(dut), kernels.Tokens(x, m), false)
	g.Sink = kernels.Sink{Kind: kernels.ToRows, Rows: d.DA, LD: x.F, Add: true, Columns: gain}
	g.Run()
}

// backward appends dx = dy·W + drop(du·A) to a product.
func (l *Linear) backward(g *kernels.Product, dy, du kernels.Act, m kernels.Mask) {
	g.Add(kernels.Acts(dy), kernels.Weights(l.W), false)
	if d := l.Delta; d != nil {
		g.AddMasked(kernels.Acts(du), kernels.Values(d.A, l.W.Cols, d.R, l.W.Cols, false), m)
	}
}
