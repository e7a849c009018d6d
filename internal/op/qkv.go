package op

import "ft/internal/kernels"

// QKV is the first stage of a block: RMS norm and the three projections.
type QKV struct {
	Norm    *Norm
	Q, K, V *Linear // [H·HeadDim,D], [K·HeadDim,D], [K·HeadDim,D]
}

// QKVState is what the stage's backward pass needs.
type QKVState struct {
	xhat    kernels.Act // [T,D] the normalised input, before its gain
	inv     []float32   // [T]
	q, k, v LinearState
}

// Room is memory for the state.
func (w *QKV) Room(p *Pass) QKVState {
	return QKVState{
		xhat: p.Act(p.T, len(w.Norm.Gain)), inv: p.Floats(p.T), q: w.Q.room(p), k: w.K.room(p), v: w.V.room(p),
	}
}

// QKVForward computes queries [T,H·HeadDim], keys and values [T,K·HeadDim] from the residual stream x [T,D].
func QKVForward(p *Pass, w *QKV, st *QKVState, q, k, v, x []float32) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	h := p.Act(p.T, len(w.Norm.Gain))
	kernels.Norm(h, st.xhat, st.inv, x, w.Norm.Gain, w.Norm.Eps)
	linearRows(p, w.Q, st.q, q, nil, h)
	linearRows(p, w.K, st.k, k, nil, h)
	linearRows(p, w.V, st.v, v, nil, h)
}

// QKVBackward adds the stage's gradient to dx [T,D], unless dx is nil, and the slots' gradients to their sinks.
// dq, dk, dv are the gradients of the projections.
func QKVBackward(p *Pass, w *QKV, st *QKVState, dx []float32, dq, dk, dv kernels.Act) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	normedBackward(p, w.Norm, st.xhat, st.inv, dx, branch{w.Q, dq, st.q}, branch{w.K, dk, st.k}, branch{w.V, dv, st.v})
}

// branch is one of the layers that read the same normalised input: the gradient of its output and its state.
type branch struct {
	l  *Linear
	dy kernels.Act
	st LinearState
}

// normedBackward goes back through layers side by side and the norm before them.
func normedBackward(p *Pass, n *Norm, xhat kernels.Act, inv, dx []float32, branches ...branch) {
	gain := n.Gain
	g := p.sum(p.T, len(gain))
	var dh []float32
	if dx != nil || n.DGain != nil {
		dh = p.Floats(p.T * len(gain))
	}
	sink := kernels.Sink{Kind: kernels.ToRows, Rows: dh, LD: len(gain)}
	for _, b := range branches {
		back := b.l.gradients(p, b.dy, b.st)
		back.params(p, xhat, gain)
		switch in := b.l.In; {
		case in == nil:
			back.terms(g)
		case dh != nil: // a sum of its own, since its columns have factors
			back.input(p, sink, xhat, gain)
			sink.Add = true
		case in.DG != nil:
			back.inputScale(p, xhat, gain)
		}
	}
	if dh == nil {
		return
	}
	g.Sink = sink
	g.Run()
	if n.DGain != nil {
		kernels.ColumnDotsRows(n.DGain, dh, xhat)
	}
	if dx != nil {
		kernels.NormGrad(dx, dh, xhat, inv, gain)
	}
}
