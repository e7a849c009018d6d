package kernels

import "math"

// AdamW holds the factors of one step of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2), in the
// order that the assembly reads.
type AdamW struct {
	Grow1, Beta2, Grow2 float32 // 1-β1, β2, 1-β2
	Keep                float32 // what weight decay leaves of a weight
	Rate                float32 // the learning rate over the first bias correction
	Root                float32 // the root of the second bias correction
	Eps                 float32
}

// Step updates the weights w and the moments m and v from the gradient g, equal lengths, no aliases. Every backend
// gives the same bits.
func (c *AdamW) Step(w, g, m, v []float32) {
	same("AdamW.Step", len(w), len(g), len(m), len(v))
	active.Load().ops.adamW(w, g, m, v, c)
}

// SumSquares is the sum of the squares of x, added in float64.
func SumSquares(x []float32) float64 { return active.Load().ops.sumSquares(x) }

// adamWGeneric rounds after every operation.
func adamWGeneric(w, g, m, v []float32, c *AdamW) {
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i, gi := range g {
		m[i] += float32(c.Grow1 * (gi - m[i]))
		v[i] = float32(c.Beta2*v[i]) + float32(float32(c.Grow2*gi)*gi)
		root := float32(math.Sqrt(float64(v[i])))
		w[i] = float32(c.Keep*w[i]) - float32(c.Rate*m[i])/(root/c.Root+c.Eps)
	}
}

// sumSquaresGeneric adds in four chains: one alone would wait for each addition to finish.
func sumSquaresGeneric(x []float32) float64 {
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
