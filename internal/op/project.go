package op

import "ft/internal/kernels"

// ProjectRoom is memory for the state.
func ProjectRoom(p *Pass, o *Linear) LinearState { return o.room(p) }

// ProjectForward adds a·Wᵀ to the residual stream x [T,D]: the attention's output projection. a is [T,H·HeadDim]. st is from
// ProjectRoom, for ProjectBackward.
func ProjectForward(p *Pass, o *Linear, st LinearState, x []float32, a kernels.Act) {
	linearRows(p, o, st, x, x, a)
}

// ProjectBackward writes da [T,H·HeadDim] from dx [T,D], the gradient of the residual stream, unless da is nil, and
// adds the slots' gradients. The residual's part of the gradient is dx itself, which the caller keeps.
func ProjectBackward(p *Pass, o *Linear, da, dx []float32, a kernels.Act, st LinearState) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	dy := p.Act(p.T, o.W.Rows)
	kernels.Rounded(dy, dx)
	b := o.gradients(p, dy, st)
	b.params(p, a, nil)
	switch {
	case da != nil:
		b.input(p, kernels.Sink{Kind: kernels.ToRows, Rows: da, LD: o.W.Cols}, a, nil)
	case o.In != nil && o.In.DG != nil:
		b.inputScale(p, a, nil)
	}
}
