package op

import "ft/internal/kernels"

// MLP is the second half of a block: a norm, gate and up projections, act(gate)·up (Shazeer 2020, arXiv:2002.05202) or, without a
// gate, act(up), down projection, residual.
type MLP struct {
	Norm     *Norm              // or nil
	Gate     *Linear            // [F,D], or nil
	Up, Down *Linear            // [F,D], [D,F]
	Act      kernels.Activation // without a gate, GELUTanh
	Residual Residual
}

// MLPState is what the stage's backward pass needs. The activation's output is computed again from gate and up, which
// costs less than its memory.
type MLPState struct {
	in, post normState
	gate, up kernels.Act // [T,F] before the activation

	ofGate, ofUp, ofDown LinearState
}

// Room is memory for the state.
func (w *MLP) Room(p *Pass) MLPState {
	f := w.Up.W.Rows
	st := MLPState{
		in: w.Norm.room(p, w.Up.W.Cols), up: p.Act(p.T, f), ofUp: w.Up.room(p), ofDown: w.Down.room(p),
		post: w.Residual.room(p, w.Down.W.Rows),
	}
	if w.Gate != nil {
		st.gate, st.ofGate = p.Act(p.T, f), w.Gate.room(p)
	}
	return st
}

// MLPForward adds the stage's output to the residual stream x [T,D].
func MLPForward(p *Pass, w *MLP, st *MLPState, x []float32) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	h, act := w.Norm.forward(p, &st.in, x), p.Act(p.T, w.Up.W.Rows)
	sink := kernels.Sink{Kind: kernels.ToActed, Up: st.up, Out: act, Act: w.Act}
	if w.Gate == nil {
		linearInto(p, w.Up, st.ofUp, sink, h)
	} else {
		sink.Kind, sink.Gate = kernels.ToGated, st.gate
		sink.First, sink.Pair = w.Gate.affine(st.ofGate), w.Up.affine(st.ofUp)
		hg, hu := w.Gate.input(p, h), w.Up.input(p, h)
		w.Gate.inner(p, st.ofGate.u, hg)
		w.Up.inner(p, st.ofUp.u, hu)
		g := p.product(p.T, w.Up.W.Rows)
		w.Gate.forward(g, false, hg, st.ofGate.u)
		w.Up.forward(g, true, hu, st.ofUp.u)
		g.Sink = sink
		g.Run()
	}
	w.Residual.forward(p, w.Down, st.ofDown, &st.post, x, act)
}

// MLPBackward turns dx, which holds the gradient of the stage's output on entry, into the gradient of its input in
// place (the residual's part is already there), and adds the slots' gradients. With needDx false only the slots'
// gradients are computed.
func MLPBackward(p *Pass, w *MLP, st *MLPState, dx []float32, needDx bool) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	f := w.Up.W.Rows
	down := w.Down.gradients(p, w.Residual.backward(p, &st.post, dx, w.Down.W.Rows), st.ofDown)
	sink := kernels.Sink{Kind: kernels.ToActedGrad, Act: w.Act, Up: st.up, DUp: p.Act(p.T, f)}
	branches := [2]branch{{w.Up, sink.DUp, st.ofUp}}
	n, trains := 1, w.Up.trains() || w.Norm.trains()
	if w.Gate != nil {
		sink.Kind, sink.Gate, sink.DGate = kernels.ToGatedGrad, st.gate, p.Act(p.T, f)
		branches = [2]branch{{w.Gate, sink.DGate, st.ofGate}, branches[0]}
		n, trains = 2, trains || w.Gate.trains()
	}
	if w.Down.readsInput() {
		sink.Out = p.Act(p.T, f)
	}
	down.input(p, sink, sink.Out, nil)
	down.params(p, sink.Out, nil)
	if !needDx {
		if !trains {
			return
		}
		dx = nil
	}
	w.Norm.back(p, &st.in, dx, branches[:n]...)
}
