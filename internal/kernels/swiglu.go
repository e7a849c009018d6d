package kernels

// SwiGLU computes dst = silu(gate)·up, element by element, silu(x) = x/(1+exp(-x)) (Shazeer 2020,
// arXiv:2002.05202). Lengths are equal; dst may be gate or up.
func SwiGLU(dst, gate, up []float32) {
	same("SwiGLU", len(dst), len(gate), len(up))
	be := active.Load()
	if len(dst) <= grain {
		be.vec.swiglu(dst, gate, up)
		return
	}
	parallelRange(len(dst), grain, func(lo, hi int) { be.vec.swiglu(dst[lo:hi], gate[lo:hi], up[lo:hi]) })
}

func swigluGeneric(dst, gate, up []float32) {
	dst, up = dst[:len(gate)], up[:len(gate)]
	for i, g := range gate {
		dst[i] = g / (1 + exp32(-g)) * up[i]
	}
}
