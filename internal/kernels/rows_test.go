package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

// rmsRow is RMSNorm of one row in float64.
func rmsRow(x []float64, gain []float32, eps float64) []float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	y, inv := make([]float64, len(x)), 1/math.Sqrt(sum/float64(len(x))+eps)
	for i, v := range x {
		y[i] = v * inv * float64(gain[i])
	}
	return y
}

func TestRoPE(t *testing.T) {
	type shape struct{ t, heads, headDim, gap int }
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, c := range []shape{{0, 2, 4, 0}, {1, 1, 2, 0}, {5, 3, 6, 7}, {4, 2, 64, 0}, {3, 3, 32, 1}, {2, 2, 96, 0}, {3, 1, 80, 5}} {
			const positions = 9
			half, stride := c.headDim/2, c.heads*c.headDim+c.gap
			cos, sin := make([]float32, positions*half), make([]float32, positions*half)
			angles := randoms(r, positions*half)
			for i, a := range angles {
				cos[i], sin[i] = float32(math.Cos(3*float64(a))), float32(math.Sin(3*float64(a)))
			}
			pos := make([]int32, c.t)
			for i := range pos {
				pos[i] = int32(r.IntN(positions))
			}
			x := randoms(r, c.t*stride)
			y, intact := guarded(x)
			RoPE(y, c.t, c.heads, c.headDim, stride, pos, cos, sin, false)
			for i := range c.t {
				for j := range stride {
					at, want := i*stride+j, float64(x[i*stride+j])
					if j < c.heads*c.headDim {
						p := j % c.headDim
						angle := 3 * float64(angles[int(pos[i])*half+p%half])
						if p < half {
							want = want*math.Cos(angle) - float64(x[at+half])*math.Sin(angle)
						} else {
							want = want*math.Cos(angle) + float64(x[at-half])*math.Sin(angle)
						}
					}
					near(t, "rotated", y[at], want, 1, 4e-7)
				}
			}
			RoPE(y, c.t, c.heads, c.headDim, stride, pos, cos, sin, true)
			for i, v := range x {
				near(t, "rotated back", y[i], float64(v), 1, 5e-7)
			}
			if !intact() {
				t.Fatalf("%+v: wrote past the end", c)
			}
		}
	})
}
