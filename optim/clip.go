package optim

import (
	"math"

	"ft/internal/kernels"
)

// clipEps keeps the clipping coefficient finite, as PyTorch's clip_grad_norm_ has it.
const clipEps = 1e-6

// GlobalNorm returns the Euclidean norm of all gradients taken together, summed in float64.
// It is NaN or infinite if any element is.
func GlobalNorm(grads [][]float32) float64 {
	sizes := make([]int, len(grads))
	for i, g := range grads {
		sizes[i] = len(g)
	}
	spans := spansOf(sizes)
	partial := make([]float64, len(spans))
	kernels.Parallel(len(spans), func(i int) {
		s := spans[i]
		partial[i] = kernels.SumSquares(grads[s.tensor][s.lo:s.hi])
	})
	sum := 0.0
	for _, p := range partial {
		sum += p
	}
	return math.Sqrt(sum)
}

// Clip scales all gradients in place so that their global norm is at most limit, and returns the norm
// they had before. The coefficient is limit/(norm+1e-6), at most 1 (PyTorch's clip_grad_norm_; the norm
// here is summed in float64 instead of float32). With limit <= 0 nothing is clipped. If the
// norm is NaN or infinite the gradients stay as they are: the caller has to stop.
func Clip(grads [][]float32, limit float64) float64 {
	norm := GlobalNorm(grads)
	coef := limit / (norm + clipEps)
	if limit <= 0 || math.IsNaN(norm) || math.IsInf(norm, 0) || coef >= 1 {
		return norm
	}
	c := float32(coef)
	for _, g := range grads {
		kernels.Scale(g, c)
	}
	return norm
}
