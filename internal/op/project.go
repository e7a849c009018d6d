package op

import "ft/internal/kernels"

// ProjectRoom is memory for the slot's inner product.
func ProjectRoom(p *Pass, o *Linear) kernels.Act { return o.room(p) }

// ProjectForward adds a·Wᵀ to the residual stream x [T,D]: the attention's output projection. a is [T,H·HeadDim]. u, from
// ProjectRoom, receives the slot's inner product for ProjectBackward.
func ProjectForward(p *Pass, o *Linear, u kernels.Act, x []float32, a kernels.Act) {
	linearRows(p, o, u, x, x, a)
}

// ProjectBackward writes da [T,H·HeadDim] from dx [T,D], the gradient of the residual stream, unless da is nil, and
// adds the slot's gradients. The residual's part of the gradient is dx itself, which the caller keeps.
func ProjectBackward(p *Pass, o *Linear, da, dx []float32, a, u kernels.Act) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	dy, m := p.Act(p.T, o.W.Rows), p.mask(o)
	kernels.Rounded(dy, dx)
	du := o.gradInner(p, dy, u)
	o.gradA(p, du, a, nil, m)
	if da == nil {
		return
	}
	g := p.product(p.T, o.W.Cols)
	o.backward(g, dy, du, m)
	g.Sink = kernels.Sink{Kind: kernels.ToRows, Rows: da, LD: o.W.Cols}
	g.Run()
}
