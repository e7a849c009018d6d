package op

import "ft/internal/kernels"

// Residual is how the result y of a half of a block joins the residual stream: x += Scale·y, or x += Norm(y).
type Residual struct {
	Norm  *Norm   // an RMS norm, or nil
	Scale float32 // 0 stands for 1; without a Norm only
}

// room is memory for the state.
func (r *Residual) room(p *Pass, d int) normState { return r.Norm.inPlaceRoom(p, p.T*d) }

// forward adds the output of l for a to x [T,D].
func (r *Residual) forward(p *Pass, l *Linear, st LinearState, nst *normState, x []float32, a kernels.Act) {
	if r.Norm == nil {
		linearInto(p, l, st, kernels.Sink{Kind: kernels.ToRows, Rows: x, LD: l.W.Rows, From: x, Alpha: r.Scale}, a)
		return
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	y := p.Floats(len(x))
	linearRows(p, l, st, y, nil, a)
	r.Norm.inPlace(nst, y)
	kernels.Add(x, y)
}

// backward is the gradient of y, in the arena, from dx, that of the residual stream.
func (r *Residual) backward(p *Pass, nst *normState, dx []float32, d int) kernels.Act {
	dy := p.Act(p.T, d)
	switch {
	case r.Norm != nil:
		mark := p.Arena.Mark()
		kernels.Rounded(dy, r.Norm.inPlaceBackward(p, nst, dx))
		p.Arena.Release(mark)
	case r.Scale != 0:
		kernels.RoundedTimes(dy, dx, r.Scale)
	default:
		kernels.Rounded(dy, dx)
	}
	return dy
}

// rows adds y [T,D] to x, and spoils it, for decoding.
func (r *Residual) rows(x, y []float32) {
	switch {
	case r.Norm != nil:
		r.Norm.rows(y, y, len(y)/len(r.Norm.Gain))
	case r.Scale != 0:
		kernels.Axpy(x, r.Scale, y)
		return
	}
	kernels.Add(x, y)
}
