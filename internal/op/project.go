package op

import "ft/internal/kernels"

// ProjectForward computes out = x + a·Wᵀ: the attention's output projection with the residual. x and out are
// [T,D], a is [T,H·HeadDim]. It returns the slot's inner product for ProjectBackward.
func ProjectForward(p *Pass, o *Linear, out, x, a []float32) []float32 {
	u := o.inner(p)
	copyRows(out, x)
	LinearForward(p, o, out, a, u, true)
	return u
}

// ProjectBackward writes da [T,H·HeadDim] from dout [T,D], unless da is nil, and adds the slot's gradients. The residual's
// part of the gradient is dout itself, which the caller keeps.
func ProjectBackward(p *Pass, o *Linear, da, dout, a, u []float32) {
	LinearBackward(p, o, da, dout, a, u, false)
}

func copyRows(dst, src []float32) {
	const chunk = 1 << 16
	kernels.Parallel((len(src)+chunk-1)/chunk, func(i int) {
		hi := min(len(src), (i+1)*chunk)
		copy(dst[i*chunk:hi], src[i*chunk:hi])
	})
}
