package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestAdamW compares with float64, and its bits with the generic twin's.
func TestAdamW(t *testing.T) {
	c := AdamW{Grow1: 0.1, Beta2: 0.999, Grow2: 0.001, Keep: 0.998, Rate: 0.02, Root: 0.0316, Eps: 1e-8}
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, n := range []int{0, 1, 31, 32, 33, 100, 1000} {
			w, g, m, v := randoms(r, n), randoms(r, n), randoms(r, n), randoms(r, n)
			for i := range v {
				v[i] *= v[i]
			}
			gw, ok1 := guarded(w)
			gm, ok2 := guarded(m)
			gv, ok3 := guarded(v)
			c.Step(gw, g, gm, gv)
			tw, tm, tv := append([]float32(nil), w...), append([]float32(nil), m...), append([]float32(nil), v...)
			adamWGeneric(tw, g, tm, tv, &c)
			sameBits(t, "w", gw, tw)
			sameBits(t, "m", gm, tm)
			sameBits(t, "v", gv, tv)
			for i := range w {
				gi := float64(g[i])
				mi := float64(m[i]) + float64(c.Grow1)*(gi-float64(m[i]))
				vi := float64(c.Beta2)*float64(v[i]) + float64(c.Grow2)*gi*gi
				step := float64(c.Rate) * mi / (math.Sqrt(vi)/float64(c.Root) + float64(c.Eps))
				near(t, "m", gm[i], mi, 1, 3e-7)
				near(t, "v", gv[i], vi, vi, 3e-7)
				near(t, "w", gw[i], float64(c.Keep)*float64(w[i])-step, 1, 3e-7)
			}
			if !ok1() || !ok2() || !ok3() {
				t.Fatal("wrote past the end")
			}
		}
	})
}

// TestSumSquares: products of float32 are exact in float64, so only the sums round.
func TestSumSquares(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, n := range []int{0, 1, 31, 32, 33, 100, 32_768} {
			x := randoms(r, n)
			want := 0.0
			for _, v := range x {
				want += float64(v) * float64(v)
			}
			if got := SumSquares(x); !(math.Abs(got-want) <= 1e-13*want) {
				t.Fatalf("%d values: %v, want %v", n, got, want)
			}
		}
		x := []float32{1, float32(math.Inf(-1)), 2}
		if !math.IsInf(SumSquares(x), 1) {
			t.Error("infinity got lost")
		}
		x[0] = float32(math.NaN())
		if s := SumSquares(x); s == s {
			t.Error("NaN got lost")
		}
	})
}
