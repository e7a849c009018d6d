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

// TestRMSNorm compares the forward pass with float64 and the backward pass with finite differences of it.
func TestRMSNorm(t *testing.T) {
	const eps = 1e-5
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, s := range [][2]int{{0, 3}, {1, 1}, {3, 5}, {4, 16}, {2, 33}, {5, 64}} {
			rows, d := s[0], s[1]
			x, dy, gain, old := randoms(r, rows*d), randoms(r, rows*d), randoms(r, d), randoms(r, rows*d)
			y, intact := guarded(x)
			inv := make([]float32, rows)
			RMSNorm(y, inv, y, gain, rows, d, eps)
			dx, dintact := guarded(old)
			RMSNormBackward(dx, dy, x, inv, gain, rows, d, true)
			set := append([]float32(nil), dy...)
			RMSNormBackward(set, set, x, inv, gain, rows, d, false)
			for i := range rows {
				row := make([]float64, d)
				for j := range row {
					row[j] = float64(x[i*d+j])
				}
				want := rmsRow(row, gain, eps)
				for j := range d {
					near(t, "forward", y[i*d+j], want[j], 1, 1e-6)
					const h = 1e-5
					keep, slope := row[j], 0.0
					row[j] = keep + h
					up := rmsRow(row, gain, eps)
					row[j] = keep - h
					for q, v := range rmsRow(row, gain, eps) {
						slope += float64(dy[i*d+q]) * (up[q] - v) / (2 * h)
					}
					row[j] = keep
					near(t, "backward", set[i*d+j], slope, 1+float64(inv[i]), 1e-5)
					near(t, "backward, added", dx[i*d+j]-old[i*d+j], slope, 1+float64(inv[i]), 1e-5)
				}
			}
			if !intact() || !dintact() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}

func TestRMSNorm_rowIndependence(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		const rows, d = 150, 577
		x, gain := randoms(r, rows*d), randoms(r, d)
		y, inv := make([]float32, rows*d), make([]float32, rows)
		RMSNorm(y, inv, x, gain, rows, d, 1e-6)
		for i := range rows {
			one := make([]float32, d)
			RMSNorm(one, make([]float32, 1), x[i*d:(i+1)*d], gain, 1, d, 1e-6)
			sameBits(t, "row", one, y[i*d:(i+1)*d])
		}
	})
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
