package op

import "ft/internal/kernels"

// QKV is the first stage of a block: a norm and the three projections, and norms of queries and keys.
type QKV struct {
	Norm    *Norm   // or nil
	Q, K, V *Linear // [H·HeadDim,D], [K·HeadDim,D], [K·HeadDim,D]

	// QNorm and KNorm are RMS norms of queries and keys before RoPE, or nil: of each head (Henry et al. 2020, arXiv:2010.04245, with the
	// root mean square) or of all of them, as their gains are long.
	QNorm, KNorm *Norm
}

// QKVState is what the stage's backward pass needs.
type QKVState struct {
	in, qn, kn normState
	q, k, v    LinearState
}

// Room is memory for the state.
func (w *QKV) Room(p *Pass) QKVState {
	return QKVState{
		in: w.Norm.room(p, w.Q.W.Cols), q: w.Q.room(p), k: w.K.room(p), v: w.V.room(p),
		qn: w.QNorm.inPlaceRoom(p, p.T*w.Q.W.Rows), kn: w.KNorm.inPlaceRoom(p, p.T*w.K.W.Rows),
	}
}

// QKVForward computes queries [T,H·HeadDim], keys and values [T,K·HeadDim] from the residual stream x [T,D].
func QKVForward(p *Pass, w *QKV, st *QKVState, q, k, v, x []float32) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	h := w.Norm.forward(p, &st.in, x)
	linearRows(p, w.Q, st.q, q, nil, h)
	linearRows(p, w.K, st.k, k, nil, h)
	linearRows(p, w.V, st.v, v, nil, h)
	w.QNorm.inPlace(&st.qn, q)
	w.KNorm.inPlace(&st.kn, k)
}

// QKVBackward adds the stage's gradient to dx [T,D], unless dx is nil, and the slots' gradients to their sinks.
// dq, dk, dv are the gradients of what QKVForward gave; dq and dk are spoilt.
func QKVBackward(p *Pass, w *QKV, st *QKVState, dx []float32, dq, dk, dv kernels.Act) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	headNormBack(p, w.QNorm, &st.qn, dq)
	headNormBack(p, w.KNorm, &st.kn, dk)
	w.Norm.back(p, &st.in, dx, branch{w.Q, dq, st.q}, branch{w.K, dk, st.k}, branch{w.V, dv, st.v})
}

// headNormBack turns the gradient of a norm's output into that of its input.
func headNormBack(p *Pass, n *Norm, st *normState, d kernels.Act) {
	if n == nil {
		return
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	dy := p.Floats(d.T * d.F)
	kernels.Widened(dy, d)
	kernels.Rounded(d, n.inPlaceBackward(p, st, dy))
}
