package op

import (
	"ft/internal/kernels"
	"ft/internal/keyed"
)

// LowRank is the low-rank slot of a Linear: y += Scale·drop(x)·Aᵀ·Bᵀ.
type LowRank struct {
	R       int
	A, B    []float32 // [R,In], [Out,R]
	DA, DB  []float32 // gradient sinks of the same shapes, added to by LinearBackward
	Scale   float32
	Dropout float32
}

// Linear is a frozen weight with its slots.
type Linear struct {
	W     *kernels.Matrix // [Out,In]
	Bias  []float32       // [Out] or nil
	Delta *LowRank        // or nil
	Key   uint64          // identity of the module, for dropout
}

// ModuleKey turns a module's name into the key that dropout uses.
func ModuleKey(name string) uint64 {
	return keyed.Name(name)
}

// inner is a buffer for the slot's inner product x·Aᵀ [T,R], which the backward pass needs; nil without a slot.
func (l *Linear) inner(p *Pass) []float32 {
	if l.Delta == nil {
		return nil
	}
	return p.Floats(p.T * l.Delta.R)
}

// LinearForward computes y = x·Wᵀ + b + slots, or adds it to y. x is [T,In], y is [T,Out]. u, from inner, receives
// the slot's inner product.
func LinearForward(p *Pass, l *Linear, y, x, u []float32, add bool) {
	t, in, out := p.T, l.W.Cols, l.W.Rows
	d := l.Delta
	kernels.MulT(y, x, l.W, t, add)
	if l.Bias != nil {
		parallelRows(t, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				kernels.Add(y[i*out:(i+1)*out], l.Bias)
			}
		})
	}
	if d == nil {
		return
	}
	mark := p.Arena.Mark()
	kernels.Gemm(u, d.R, slotInput(p, l, x), in, false, d.A, in, true, t, d.R, in, 1, false)
	p.Arena.Release(mark)
	kernels.Gemm(y, out, u, d.R, false, d.B, d.R, true, t, out, d.R, d.Scale, true)
}

// slotInput is what the low-rank slot sees of x: x itself, or a dropped-out copy in the arena.
func slotInput(p *Pass, l *Linear, x []float32) []float32 {
	if !dropping(p, l) {
		return x
	}
	xd := p.Floats(p.T * l.W.Cols)
	p.dropRows(xd, x, l.W.Cols, l, false)
	return xd
}

func dropping(p *Pass, l *Linear) bool {
	return p.Train && l.Delta != nil && l.Delta.Dropout > 0
}

// LinearBackward adds the slots' gradients to their sinks and, unless dx is nil, writes dx = ∂/∂x (or adds it).
// dy is [T,Out]; x [T,In] and u are the forward pass's.
func LinearBackward(p *Pass, l *Linear, dx, dy, x, u []float32, add bool) {
	t, in, out := p.T, l.W.Cols, l.W.Rows
	if dx != nil {
		kernels.Mul(dx, dy, l.W, t, add)
	}
	d := l.Delta
	if d == nil {
		return
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	du := p.Floats(t * d.R)
	kernels.Gemm(du, d.R, dy, out, false, d.B, d.R, false, t, d.R, out, d.Scale, false)
	kernels.Gemm(d.DB, d.R, dy, out, true, u, d.R, false, out, d.R, t, d.Scale, true)
	kernels.Gemm(d.DA, in, du, d.R, true, slotInput(p, l, x), in, false, d.R, in, t, 1, true)
	if dx == nil {
		return
	}
	if !dropping(p, l) {
		kernels.Gemm(dx, in, du, d.R, false, d.A, in, false, t, in, d.R, 1, true)
		return
	}
	dxd := p.Floats(t * in)
	kernels.Gemm(dxd, in, du, d.R, false, d.A, in, false, t, in, d.R, 1, false)
	p.dropRows(dx, dxd, in, l, true)
}
