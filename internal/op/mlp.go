package op

import "ft/internal/kernels"

// MLP is the second half of a block: RMS norm, gate and up projections, SwiGLU (Shazeer 2020,
// arXiv:2002.05202), down projection, residual.
type MLP struct {
	Norm           *Norm
	Gate, Up, Down *Linear // [F,D], [F,D], [D,F]
}

// MLPState is what the stage's backward pass needs. The activation's output is computed again from gate and up, which
// costs less than its memory.
type MLPState struct {
	xhat, gate, up kernels.Act // [T,D], [T,F] before the activation
	inv            []float32   // [T]

	ofGate, ofUp, ofDown LinearState
}

// Room is memory for the state.
func (w *MLP) Room(p *Pass) MLPState {
	d, f := len(w.Norm.Gain), w.Gate.W.Rows
	return MLPState{
		xhat: p.Act(p.T, d), gate: p.Act(p.T, f), up: p.Act(p.T, f), inv: p.Floats(p.T),
		ofGate: w.Gate.room(p), ofUp: w.Up.room(p), ofDown: w.Down.room(p),
	}
}

// MLPForward adds down(silu(gate(norm x))·up(norm x)) to the residual stream x [T,D].
func MLPForward(p *Pass, w *MLP, st *MLPState, x []float32) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	d, f := len(w.Norm.Gain), w.Gate.W.Rows
	h, act := p.Act(p.T, d), p.Act(p.T, f)
	kernels.Norm(h, st.xhat, st.inv, x, w.Norm.Gain, w.Norm.Eps)
	hg, hu := w.Gate.input(p, h), w.Up.input(p, h)
	w.Gate.inner(p, st.ofGate.u, hg)
	w.Up.inner(p, st.ofUp.u, hu)
	g := p.product(p.T, f)
	w.Gate.forward(g, false, hg, st.ofGate.u)
	w.Up.forward(g, true, hu, st.ofUp.u)
	g.Sink = kernels.Sink{
		Kind: kernels.ToGated, Gate: st.gate, Up: st.up, Out: act, First: w.Gate.affine(st.ofGate), Pair: w.Up.affine(st.ofUp),
	}
	g.Run()
	linearRows(p, w.Down, st.ofDown, x, x, act)
}

// MLPBackward turns dx, which holds the gradient of the stage's output on entry, into the gradient of its input in
// place (the residual's part is already there), and adds the slots' gradients. With needDx false only the slots'
// gradients are computed.
func MLPBackward(p *Pass, w *MLP, st *MLPState, dx []float32, needDx bool) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	f := w.Gate.W.Rows
	dy := p.Act(p.T, len(w.Norm.Gain))
	kernels.Rounded(dy, dx)
	down := w.Down.gradients(p, dy, st.ofDown)
	dgate, dup := p.Act(p.T, f), p.Act(p.T, f)
	var act kernels.Act
	if w.Down.readsInput() {
		act = p.Act(p.T, f)
	}
	down.input(p, kernels.Sink{Kind: kernels.ToGatedGrad, Gate: st.gate, Up: st.up, DGate: dgate, DUp: dup, Out: act}, act, nil)
	down.params(p, act, nil)
	if !needDx {
		if !w.Gate.trains() && !w.Up.trains() && w.Norm.DGain == nil {
			return
		}
		dx = nil
	}
	normedBackward(p, w.Norm, st.xhat, st.inv, dx, branch{w.Gate, dgate, st.ofGate}, branch{w.Up, dup, st.ofUp})
}
