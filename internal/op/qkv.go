package op

import "ft/internal/kernels"

// QKV is the first stage of a block: RMS norm and the three projections.
type QKV struct {
	Norm    *Norm
	Q, K, V *Linear // [H·HeadDim,D], [K·HeadDim,D], [K·HeadDim,D]
}

// QKVState is what the stage's backward pass needs.
type QKVState struct {
	xhat       kernels.Act // [T,D] the normalised input, before its gain
	inv        []float32   // [T]
	uq, uk, uv kernels.Act // inner products of the slots
}

// Room is memory for the state.
func (w *QKV) Room(p *Pass) QKVState {
	return QKVState{
		xhat: p.Act(p.T, len(w.Norm.Gain)), inv: p.Floats(p.T), uq: w.Q.room(p), uk: w.K.room(p), uv: w.V.room(p),
	}
}

// QKVForward computes queries [T,H·HeadDim], keys and values [T,K·HeadDim] from the residual stream x [T,D].
func QKVForward(p *Pass, w *QKV, st *QKVState, q, k, v, x []float32) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	h := p.Act(p.T, len(w.Norm.Gain))
	kernels.Norm(h, st.xhat, st.inv, x, w.Norm.Gain, w.Norm.Eps)
	linearRows(p, w.Q, st.uq, q, nil, h)
	linearRows(p, w.K, st.uk, k, nil, h)
	linearRows(p, w.V, st.uv, v, nil, h)
}

// QKVBackward adds the stage's gradient to dx [T,D], unless dx is nil, and the slots' gradients to their sinks.
// dq, dk, dv are the gradients of the projections.
func QKVBackward(p *Pass, w *QKV, st *QKVState, dx []float32, dq, dk, dv kernels.Act) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	normedBackward(p, w.Norm, st.xhat, st.inv, dx, branch{w.Q, dq, st.uq}, branch{w.K, dk, st.uk}, branch{w.V, dv, st.uv})
}

// branch is one of the layers that read the same normalised input: the gradient of its output and its inner product.
type branch struct {
	l     *Linear
	dy, u kernels.Act
}

// normedBackward goes back through layers side by side and the norm before them.
func normedBackward(p *Pass, n *Norm, xhat kernels.Act, inv, dx []float32, branches ...branch) {
	gain := n.Gain
	g := p.sum(p.T, len(gain))
	for _, b := range branches {
		m := p.mask(b.l)
		du := b.l.gradInner(p, b.dy, b.u)
		b.l.gradA(p, du, xhat, gain, m)
		b.l.backward(g, b.dy, du, m)
	}
	if dx == nil {
		return
	}
	dh := p.Floats(p.T * len(gain))
	g.Sink = kernels.Sink{Kind: kernels.ToRows, Rows: dh, LD: len(gain)}
	g.Run()
	kernels.NormGrad(dx, dh, xhat, inv, gain)
}
