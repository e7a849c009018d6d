package op

import (
	"math"
	"sync"
)

// Rope gives the rotary embedding's cosines and sines (Su et al. 2021, arXiv:2104.09864) in the half-split
// order of Hugging Face: feature i turns with feature i + HeadDim/2.
type Rope struct {
	invFreq []float64 // [HeadDim/2] radians per position
	factor  float32   // multiplies cosine and sine (YaRN's attention factor)

	mu       sync.Mutex
	cos, sin []float32 // [positions, HeadDim/2]
}

// NewRope makes a table that grows as positions are asked for.
func NewRope(invFreq []float64, factor float64) *Rope {
	return &Rope{invFreq: invFreq, factor: float32(factor)}
}

// tables are the Tables for all of the given positions, nil for a nil Rope: nothing is to be rotated.
func (r *Rope) tables(pos []int32) (cos, sin []float32) {
	if r == nil {
		return nil, nil
	}
	last := int32(-1)
	for _, p := range pos {
		last = max(last, p)
	}
	return r.Tables(int(last) + 1)
}

// Tables returns cosine and sine, [n, HeadDim/2] at least, valid until the next call with a larger n.
func (r *Rope) Tables(n int) (cos, sin []float32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	half := len(r.invFreq)
	have := 0
	if half > 0 {
		have = len(r.cos) / half
	}
	if have < n {
		n = max(n, 2*have)
		c, s := make([]float32, n*half), make([]float32, n*half)
		copy(c, r.cos)
		copy(s, r.sin)
		for p := have; p < n; p++ {
			for i, f := range r.invFreq {
				// The reference multiplies in float32; the angle must carry the same rounding.
				a := float64(float32(p) * float32(f))
				c[p*half+i] = float32(math.Cos(a)) * r.factor
				s[p*half+i] = float32(math.Sin(a)) * r.factor
			}
		}
		r.cos, r.sin = c, s
	}
	return r.cos, r.sin
}
