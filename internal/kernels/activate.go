package kernels

// Activate computes dst = act(gate)·up, element by element, or act(gate) where up is nil. Lengths are equal; dst may be gate or up.
func Activate(dst, gate, up []float32, act Activation) {
	if act == SiLU && up != nil {
		SwiGLU(dst, gate, up)
		return
	}
	same("Activate", len(dst), len(gate))
	if up != nil {
		same("Activate", len(dst), len(up))
	}
	be := active.Load()
	parallelRange(len(dst), grain, func(lo, hi int) {
		s := scratches.Get()
		defer scratches.Put(s)
		s.rows = Grow(s.rows, 2*(hi-lo))
		z, u := s.rows[:hi-lo], s.rows[hi-lo:]
		for i, x := range gate[lo:hi] {
			// The activation is x·sigmoid(x·slope), and silu(z)·u with z = x·slope and u = up/slope.
			slope := float32(1)
			if act == GELUTanh {
				held := max(-gateTop, min(x, gateTop))
				slope = gelu1 + gelu3*held*held
			}
			z[i], u[i] = x*slope, 1/slope
			if up != nil {
				u[i] *= up[lo+i]
			}
		}
		be.vec.swiglu(dst[lo:hi], z, u)
	})
}
