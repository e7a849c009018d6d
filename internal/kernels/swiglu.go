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

// SwiGLUBackward computes SwiGLU's gradients for dgate and dup from dy and the inputs. Lengths are equal;
// dgate and dup may be any of the inputs, but not the same one.
func SwiGLUBackward(dgate, dup, dy, gate, up []float32) {
	same("SwiGLUBackward", len(dgate), len(dup), len(dy), len(gate), len(up))
	be := active.Load()
	if len(dgate) <= grain {
		be.vec.swigluBackward(dgate, dup, dy, gate, up)
		return
	}
	parallelRange(len(dgate), grain, func(lo, hi int) {
		be.vec.swigluBackward(dgate[lo:hi], dup[lo:hi], dy[lo:hi], gate[lo:hi], up[lo:hi])
	})
}

func swigluGeneric(dst, gate, up []float32) {
	dst, up = dst[:len(gate)], up[:len(gate)]
	for i, g := range gate {
		dst[i] = g / (1 + exp32(-g)) * up[i]
	}
}

func swigluBackwardGeneric(dgate, dup, dy, gate, up []float32) {
	n := len(gate)
	dgate, dup, dy, up = dgate[:n], dup[:n], dy[:n], up[:n]
	for i, g := range gate {
		d, u := dy[i], up[i]
		s := 1 / (1 + exp32(-g))
		dup[i] = d * float32(g*s)
		dgate[i] = d * u * (s + s*float32(g*(1-s)))
	}
}
