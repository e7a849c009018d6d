package op

import "ft/internal/kernels"

// QKV is the first stage of a block: RMS norm, the three projections, and RoPE on queries and keys.
type QKV struct {
	Gain    []float32 // [D]
	Eps     float32
	Q, K, V *Linear // [H·HeadDim,D], [K·HeadDim,D], [K·HeadDim,D]
	HeadDim int
	Rope    *Rope
}

// QKVState is what the stage leaves: its outputs, and what its backward pass needs.
type QKVState struct {
	Q, K, V    []float32 // [T,H·HeadDim] and [T,K·HeadDim], after RoPE
	inv        []float32 // [T] 1/rms of x's rows
	uq, uk, uv []float32 // inner products of the slots
}

// QKVForward computes the stage from the residual stream x [T,D].
func QKVForward(p *Pass, w *QKV, x []float32) QKVState {
	t, d := p.T, w.Q.W.Cols
	st := QKVState{
		Q: p.Floats(t * w.Q.W.Rows), K: p.Floats(t * w.K.W.Rows), V: p.Floats(t * w.V.W.Rows),
		inv: p.Floats(t),
		uq:  w.Q.inner(p), uk: w.K.inner(p), uv: w.V.inner(p),
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	h := p.Floats(t * d)
	kernels.RMSNorm(h, st.inv, x, w.Gain, t, d, w.Eps)
	LinearForward(p, w.Q, st.Q, h, st.uq, false)
	LinearForward(p, w.K, st.K, h, st.uk, false)
	LinearForward(p, w.V, st.V, h, st.uv, false)
	w.rotate(p, st.Q, st.K, false)
	return st
}

// QKVBackward adds the stage's gradient to dx [T,D], unless dx is nil, and the slots' gradients to their sinks.
// dq, dk, dv are gradients of the outputs; dq and dk are rotated back in place.
func QKVBackward(p *Pass, w *QKV, st *QKVState, dx, x, dq, dk, dv []float32) {
	t, d := p.T, w.Q.W.Cols
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	h := p.Floats(t * d)
	scaleNorm(h, st.inv, x, w.Gain, t, d)
	w.rotate(p, dq, dk, true)
	var dh []float32
	if dx != nil {
		dh = p.Floats(t * d)
	}
	LinearBackward(p, w.Q, dh, dq, h, st.uq, false)
	LinearBackward(p, w.K, dh, dk, h, st.uk, true)
	LinearBackward(p, w.V, dh, dv, h, st.uv, true)
	if dx != nil {
		kernels.RMSNormBackward(dx, dh, x, st.inv, w.Gain, t, d, true)
	}
}

func (w *QKV) rotate(p *Pass, q, k []float32, inverse bool) {
	last := int32(0)
	for _, v := range p.Pos {
		last = max(last, v)
	}
	cos, sin := w.Rope.Tables(int(last) + 1)
	nq, nk := w.Q.W.Rows, w.K.W.Rows
	parallelRows(p.T, func(lo, hi int) {
		kernels.RoPE(q[lo*nq:hi*nq], hi-lo, nq/w.HeadDim, w.HeadDim, nq, p.Pos[lo:hi], cos, sin, inverse)
		kernels.RoPE(k[lo*nk:hi*nk], hi-lo, nk/w.HeadDim, w.HeadDim, nk, p.Pos[lo:hi], cos, sin, inverse)
	})
}

// scaleNorm recomputes the norm's output from its saved 1/rms, which costs less than keeping it.
func scaleNorm(dst, inv, x, gain []float32, t, d int) {
	parallelRows(t, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			o, xi, s := dst[i*d:(i+1)*d], x[i*d:(i+1)*d], inv[i]
			for j, g := range gain {
				o[j] = xi[j] * s * g
			}
		}
	})
}
