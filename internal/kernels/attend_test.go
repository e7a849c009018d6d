package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAttend_float64: scores are off by (d+3)·2^-24 of their terms' sizes, below 1e-5 here, and so are, relatively, the weights;
// with the exponential's 5e-7 and the sum over the keys, an output is within 5e-5 of the largest value.
func TestAttend_float64(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, d := range []int{1, 6, 16, 40, 64, 80, 128} {
			for _, seen := range []int{1, 2, 5, 33, 300} {
				n, step := 1+r.IntN(6), d*2+r.IntN(3)
				q, k, v := randoms(r, n*d), randoms(r, seen*step), randoms(r, seen*step)
				out, intact := guarded(make([]float32, n*d))
				scale := float32(2 / math.Sqrt(float64(d)))
				Attend(out, q, n, d, k, v, step, seen, scale, 0, make([]float32, n*seen))
				for h := range n {
					want := attendReference(q[h*d:(h+1)*d], k, v, step, seen, scale)
					for i, w := range want {
						if err := math.Abs(w - float64(out[h*d+i])); !(err <= 5e-5) {
							t.Fatalf("d=%d, %d keys: out[%d,%d] = %v, want %v", d, seen, h, i, out[h*d+i], w)
						}
					}
					alone := make([]float32, d)
					Attend(alone, q[h*d:(h+1)*d], 1, d, k, v, step, seen, scale, 0, make([]float32, seen))
					sameBits(t, "head alone", alone, out[h*d:(h+1)*d])
				}
				if !intact() {
					t.Fatalf("d=%d, %d keys: wrote past the end", d, seen)
				}
			}
		}
	})
}

// attendReference is one head's attention in float64.
func attendReference(q, k, v []float32, step, seen int, scale float32) []float64 {
	out, sum := make([]float64, len(q)), 0.0
	for j := range seen {
		s := 0.0
		for i, a := range q {
			s += float64(a) * float64(k[j*step+i])
		}
		p := math.Exp(s * float64(scale))
		sum += p
		for i := range out {
			out[i] += p * float64(v[j*step+i])
		}
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

func TestNormRows(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		const n, d = 3, 53
		x, gain := randoms(r, n*d), randoms(r, d)
		want, got := make([]float32, n*d), make([]float32, n*d)
		RMSNorm(want, make([]float32, n), x, gain, n, d, 1e-5)
		NormRows(got, x, gain, n, d, 1e-5)
		sameBits(t, "NormRows", got, want)
	})
}

func TestArgmax(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, n := range []int{1, 2, 15, 16, 17, 512, 513, 5000} {
			x := randoms(r, n)
			for i := range x {
				x[i] = float32(int(x[i] * 20)) // many ties
			}
			if got, want := Argmax(x), slices.Index(x, slices.Max(x)); got != want {
				t.Errorf("%d values: %d, want %d", n, got, want)
			}
			at := r.IntN(n)
			x[at] = 99
			if got := Argmax(x); got != at {
				t.Errorf("%d values: %d, want %d", n, got, at)
			}
		}
		if got := Argmax([]float32{float32(math.Inf(-1)), float32(math.Inf(-1))}); got != 0 {
			t.Errorf("of infinities: %d", got)
		}
	})
}

func BenchmarkAttend(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, seen := range []int{64, 1024} {
		const n, d, step = 3, 64, 192
		q, k, v := randoms(r, n*d), randoms(r, seen*step), randoms(r, seen*step)
		out, scores := make([]float32, n*d), make([]float32, n*seen)
		b.Run(fmt.Sprint(seen), func(b *testing.B) {
			b.SetBytes(int64(8 * seen * d))
			for b.Loop() {
				Attend(out, q, n, d, k, v, step, seen, 0.125, 0, scores)
			}
		})
	}
}
