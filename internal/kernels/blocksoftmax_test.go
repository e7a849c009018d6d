package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

// bounds are random columns for rows: causal, windows, empty rows and single columns among them.
func bounds(r *rand.Rand, rows, panels int) (first, seen []int32) {
	first, seen = make([]int32, rows), make([]int32, rows)
	for i := range rows {
		seen[i] = int32(1 + r.IntN(panels*PanelCols))
		switch r.IntN(4) {
		case 0:
			first[i] = int32(r.IntN(int(seen[i])))
		case 1:
			first[i] = seen[i] - 1 + int32(r.IntN(2)) // one column or none
		}
	}
	return first, seen
}

// TestSoftmaxStrip: probabilities to 3e-6, as far apart as scores of 30 go, the logarithm to 1e-6 of what it is
// the logarithm of.
func TestSoftmaxStrip(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		ops := &active.Load().ops
		for _, s := range [][2]int{{1, 1}, {32, 1}, {32, 2}, {7, 3}, {31, 17}, {32, 64}} {
			rows, panels := s[0], s[1]
			first, seen := bounds(r, rows, panels)
			c, scale := randoms(r, panels*resultSize), float32(0.13)
			scaleGeneric(c, 100)
			c[r.IntN(len(c))] += 5000 // must not overflow
			p, ok1 := guarded(c)
			lse, ok2 := guarded(make([]float32, rows))
			ops.softmaxStrip(p, panels, first, seen, scale, lse)
			q, ok3 := guarded(c)
			ops.probStrip(q, panels, first, seen, scale, lse)
			for i := range StripRows {
				lo, hi := rowBounds(first, seen, i)
				want := logSumExp(c, i, lo, hi, scale)
				if i < rows && lo < hi {
					near(t, "lse", lse[i], want, math.Abs(want)+1, 1e-6)
				} else if i < rows && !math.IsInf(float64(lse[i]), -1) {
					t.Fatalf("lse of nothing is %v", lse[i])
				}
				for n := range panels * PanelCols {
					v := 0.0
					if n >= lo && n < hi {
						v = math.Exp(float64(scale)*float64(resultAt(c, i, n)) - want)
					}
					near(t, "softmax", resultAt(p, i, n), v, v+1e-32, 3e-6)
					near(t, "from lse", resultAt(q, i, n), v, v+1e-32, 1e-6*(2+math.Abs(want)))
				}
			}
			if !ok1() || !ok2() || !ok3() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}

// logSumExp is that of columns lo to hi-1 of row r, in float64.
func logSumExp(c []float32, r, lo, hi int, scale float32) float64 {
	top := math.Inf(-1)
	for n := lo; n < hi; n++ {
		top = max(top, float64(scale)*float64(resultAt(c, r, n)))
	}
	sum := 0.0
	for n := lo; n < hi; n++ {
		sum += math.Exp(float64(scale)*float64(resultAt(c, r, n)) - top)
	}
	return top + math.Log(sum)
}

// TestSoftmaxStrip_place: a row has the same bits in another row's place, and in a strip that reaches further.
func TestSoftmaxStrip_place(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		ops := &active.Load().ops
		const panels, more = 3, 7
		first, seen := bounds(r, StripRows, panels)
		c, lse := randoms(r, panels*resultSize), make([]float32, StripRows)
		scaleGeneric(c, 20)
		long := randoms(r, more*resultSize)
		for i := range StripRows { // row i of c is row 31-i of long
			for n := range panels * PanelCols {
				long[n/32*1024+(31-i)*32+n%32] = resultAt(c, i, n)
			}
		}
		first2, seen2, lse2 := make([]int32, StripRows), make([]int32, StripRows), make([]float32, StripRows)
		for i := range first {
			first2[31-i], seen2[31-i] = first[i], seen[i]
		}
		ops.softmaxStrip(c, panels, first, seen, 0.5, lse)
		ops.softmaxStrip(long, more, first2, seen2, 0.5, lse2)
		for i := range StripRows {
			sameBits(t, "lse", lse[i:i+1], lse2[31-i:32-i])
			for n := range more * PanelCols {
				want := float32(0)
				if n < panels*PanelCols {
					want = resultAt(c, i, n)
				}
				if resultAt(long, 31-i, n) != want {
					t.Fatalf("row %d, column %d", i, n)
				}
			}
		}
	})
}

func TestSoftmaxStrip_nonFinite(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		ops := &active.Load().ops
		c, lse := randoms(r, resultSize), make([]float32, 3)
		c[5], c[PanelCols+5] = float32(math.NaN()), float32(math.Inf(-1))
		ops.softmaxStrip(c, 1, []int32{0, 0, 0}, []int32{32, 32, 32}, 1, lse)
		for n := range PanelCols {
			if v := c[n]; v == v {
				t.Error("NaN got lost")
			}
		}
		if c[PanelCols+5] != 0 || lse[1] != lse[1] || lse[2] != lse[2] || lse[0] == lse[0] {
			t.Errorf("exp(-Inf) = %v, lse %v", c[PanelCols+5], lse)
		}
	})
}

func TestScoreGrad(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		ops := &active.Load().ops
		for _, s := range [][2]int{{1, 1}, {32, 2}, {13, 5}} {
			rows, panels := s[0], s[1]
			dp, p, delta := randoms(r, panels*resultSize), randoms(r, panels*resultSize), randoms(r, rows)
			ds, intact := guarded(dp)
			ops.scoreGrad(ds, p, panels, delta, 0.2)
			for i := range StripRows {
				for n := range panels * PanelCols {
					want := 0.0
					if i < rows {
						want = float64(resultAt(p, i, n)) * (float64(resultAt(dp, i, n)) - float64(delta[i])) * float64(float32(0.2))
					}
					near(t, "ds", resultAt(ds, i, n), want, 1, 1e-7)
				}
			}
			if !intact() {
				t.Fatal("wrote past the end")
			}
		}
	})
}

// TestCapScores: to 2e-7 of the cap, and the derivative to 1e-6.
func TestCapScores(t *testing.T) {
	const panels, scale, limit = 2, 0.5, 30
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		ops := &active.Load().ops
		c, d := randoms(r, panels*resultSize), randoms(r, panels*resultSize)
		scaleGeneric(c, 200)
		c[0], c[1], c[2], c[3] = 1e30, -1e30, float32(math.Inf(1)), float32(math.NaN())
		y, ok1 := guarded(c)
		ops.capScores(y, panels, scale, limit)
		ds, ok2 := guarded(d)
		ops.capGrad(ds, y, panels, scale, limit)
		for i, v := range c {
			if v != v {
				if y[i] == y[i] || ds[i] == ds[i] {
					t.Error("NaN got lost")
				}
				continue
			}
			tanh := math.Tanh(scale * float64(v) / limit)
			near(t, "capped", y[i], limit*tanh, limit, 2e-7)
			near(t, "gradient", ds[i], float64(d[i])*scale*(1-tanh*tanh), 1, 1e-6)
		}
		if !ok1() || !ok2() {
			t.Fatal("wrote past the end")
		}
	})
}
