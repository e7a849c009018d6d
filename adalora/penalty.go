package adalora

import (
	"math"

	"ft/internal/kernels"
	"ft/nn"
)

// Penalty is OrthRegWeight times the mean, over all A and B, of ‖A·Aᵀ - I‖ and ‖Bᵀ·B - I‖ in Frobenius's norm. Its gradient is added
// to theirs.
func (a *adapter) Penalty() float64 {
	if a.config.OrthRegWeight == 0 {
		return 0
	}
	weight := a.config.OrthRegWeight / float64(2*len(a.modules))
	sum := 0.0
	for _, m := range a.modules {
		sum += a.unorthogonal(m.a, m.rank, m.linear.In(), false, weight)
		sum += a.unorthogonal(m.b, m.rank, m.linear.Out(), true, weight)
	}
	return weight * sum
}

// unorthogonal is the distance of p's rank rows, or with columns its columns, of the given width from orthonormal ones; weight times its gradient
// is added to p's.
func (a *adapter) unorthogonal(p *nn.Param, rank, width int, columns bool, weight float64) float64 {
	ld := width
	if columns {
		ld = rank
	}
	g := a.gram[:rank*rank]
	kernels.Gemm(g, rank, p.Data, ld, columns, p.Data, ld, !columns, rank, rank, width, 1, false)
	squares := 0.0
	for i := range rank {
		g[i*rank+i]--
	}
	for _, v := range g {
		squares += float64(v) * float64(v)
	}
	norm := math.Sqrt(squares)
	if norm == 0 {
		return 0
	}
	// d‖M - I‖/dM = (M - I)/‖M - I‖, and M is a product of p with itself.
	if factor := float32(2 * weight / norm); columns {
		kernels.Gemm(p.Grad, rank, p.Data, rank, false, g, rank, false, width, rank, rank, factor, true)
	} else {
		kernels.Gemm(p.Grad, width, g, rank, false, p.Data, width, false, rank, width, rank, factor, true)
	}
	return norm
}
