package optim

import "math"

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
	forEach(spans, func(i int, s span) {
		partial[i] = sumSquares(grads[s.tensor][s.lo:s.hi])
	})
	sum := 0.0
	for _, p := range partial {
		sum += p
	}
	return math.Sqrt(sum)
}

// sumSquares adds in four chains: one alone would wait for each addition to finish.
func sumSquares(x []float32) float64 {
	var s [4]float64
	for ; len(x) >= 4; x = x[4:] {
		for k := range s {
			v := float64(x[k])
			s[k] += v * v
		}
	}
	for _, f := range x {
		s[0] += float64(f) * float64(f)
	}
	return (s[0] + s[1]) + (s[2] + s[3])
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
		for i := range g {
			g[i] *= c
		}
	}
	return norm
}
