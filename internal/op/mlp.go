package op

import "ft/internal/kernels"

// MLP is the second half of a block: RMS norm, gate and up projections, SwiGLU (Shazeer 2020,
// arXiv:2002.05202), down projection, residual.
type MLP struct {
	Gain           []float32 // [D]
	Eps            float32
	Gate, Up, Down *Linear // [F,D], [F,D], [D,F]
}

// MLPState is what the stage's backward pass needs.
type MLPState struct {
	gate, up   []float32 // [T,F] before the activation
	inv        []float32 // [T]
	ug, uu, ud []float32
}

// MLPForward computes out = x + down(silu(gate(norm x))·up(norm x)). x and out are [T,D] and must not overlap.
func MLPForward(p *Pass, w *MLP, out, x []float32) MLPState {
	t, d, f := p.T, w.Gate.W.Cols, w.Gate.W.Rows
	st := MLPState{
		gate: p.Floats(t * f), up: p.Floats(t * f), inv: p.Floats(t),
		ug: w.Gate.inner(p), uu: w.Up.inner(p), ud: w.Down.inner(p),
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	h := p.Floats(t * d)
	kernels.RMSNorm(h, st.inv, x, w.Gain, t, d, w.Eps)
	LinearForward(p, w.Gate, st.gate, h, st.ug, false)
	LinearForward(p, w.Up, st.up, h, st.uu, false)
	act := p.Floats(t * f)
	kernels.SwiGLU(act, st.gate, st.up)
	copyRows(out, x)
	LinearForward(p, w.Down, out, act, st.ud, true)
	return st
}

// MLPBackward turns dx, which holds the gradient of out on entry, into the gradient of x in place (the residual's
// part is already there), and adds the slots' gradients. With needDx false only the slots' gradients are computed.
func MLPBackward(p *Pass, w *MLP, st *MLPState, dx, x []float32, needDx bool) {
	t, d, f := p.T, w.Gate.W.Cols, w.Gate.W.Rows
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	if !needDx && w.Gate.Delta == nil && w.Up.Delta == nil {
		act := p.Floats(t * f)
		kernels.SwiGLU(act, st.gate, st.up)
		LinearBackward(p, w.Down, nil, dx, act, st.ud, false)
		return
	}
	act, dact := p.Floats(t*f), p.Floats(t*f)
	kernels.SwiGLU(act, st.gate, st.up)
	LinearBackward(p, w.Down, dact, dx, act, st.ud, false)
	dgate, dup := act, p.Floats(t*f)
	kernels.SwiGLUBackward(dgate, dup, dact, st.gate, st.up)
	h := p.Floats(t * d)
	scaleNorm(h, st.inv, x, w.Gain, t, d)
	var dh []float32
	if needDx {
		dh = p.Floats(t * d)
	}
	LinearBackward(p, w.Gate, dh, dgate, h, st.ug, false)
	LinearBackward(p, w.Up, dh, dup, h, st.uu, true)
	if needDx {
		kernels.RMSNormBackward(dx, dh, x, st.inv, w.Gain, t, d, true)
	}
}
