package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ft/internal/quant"
)

// bounds are random columns for rows: causal, windows, empty rows and single columns among them.
func bounds(r *rand.Rand, panels int) (first, seen [StripRows]int32) {
	for i := range seen {
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

func fenced(ops *blockOps, c []float32, base int, first, seen *[StripRows]int32) {
	for n := range len(c) / resultSize {
		ops.fence(c[n*resultSize:(n+1)*resultSize], base+n*PanelCols, first, seen)
	}
}

func TestFence(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		const panels, base = 3, 96
		first, seen := bounds(r, panels)
		for i := range first {
			first[i], seen[i] = first[i]+base, seen[i]+base
		}
		first[3], seen[3] = 0, 1<<30
		first[4], seen[4] = 1<<30, 1<<30
		c := randoms(r, panels*resultSize)
		f, intact := guarded(c)
		fenced(&active.Load().ops, f, base, &first, &seen)
		for i := range StripRows {
			for n := range panels * PanelCols {
				want := resultAt(c, i, n)
				if at := int32(base + n); at < first[i] || at >= seen[i] {
					want = float32(math.Inf(-1))
				}
				if got := resultAt(f, i, n); got != want {
					t.Fatalf("row %d, column %d: %v, want %v", i, n, got, want)
				}
			}
		}
		if !intact() {
			t.Fatal("wrote past the end")
		}
	})
}

// TestSoftmaxStep: a softmax in parts. Probabilities to 3e-6, as far apart as scores of 30 go; probs, from the logarithm, to 1e-6 of the logarithm.
func TestSoftmaxStep(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, prec := range []Precision{F32, BF16} {
			for _, parts := range [][]int{{1}, {2, 1}, {1, 4, 4, 3}, {17, 16}} {
				testSoftmaxStep(t, r, prec, parts)
			}
		}
	})
}

func testSoftmaxStep(t *testing.T, r *rand.Rand, prec Precision, parts []int) {
	const scale = float32(0.13)
	ops := &active.Load().ops
	panels := 0
	for _, n := range parts {
		panels += n
	}
	first, seen := bounds(r, panels)
	scores := randoms(r, panels*resultSize)
	scaleGeneric(scores, 100)
	scores[r.IntN(len(scores))] += 5000 // must not overflow
	c, ok1 := guarded(scores)
	fenced(ops, c, 0, &first, &seen)
	var s SoftmaxRows
	s.begin()
	got := make([]float64, StripRows*panels*PanelCols)
	at := 0
	for _, n := range parts {
		tiles, ok := emptyTiles(n, prec)
		ops.softmaxStep(tiles, c[at*resultSize:(at+n)*resultSize], n, &s, scale, prec)
		for i, f := range s.factor {
			row := got[i*panels*PanelCols:][:panels*PanelCols]
			for j := range row[:at*PanelCols] {
				row[j] *= float64(f)
			}
			for j := range n * PanelCols {
				row[at*PanelCols+j] = float64(tileAt(tiles, i, j, prec))
			}
		}
		if !ok() {
			t.Fatal("wrote past the end of tiles")
		}
		at += n
	}
	lse := make([]float32, StripRows)
	ops.softmaxEnd(&s, lse)
	for i := range lse {
		want := logSumExp(scores, i, int(first[i]), int(seen[i]), scale)
		if first[i] >= seen[i] {
			if s.sum[i] != 0 {
				t.Fatalf("sum of nothing is %v", s.sum[i])
			}
			lse[i] = 0
			continue
		}
		near(t, "lse", lse[i], want, math.Abs(want)+1, 1e-6)
		for n := range panels * PanelCols {
			v := 0.0
			if n >= int(first[i]) && n < int(seen[i]) {
				v = math.Exp2(float64(scale)*float64(resultAt(scores, i, n)) - want)
			}
			nearTile(t, "softmax", float32(got[i*panels*PanelCols+n]*float64(s.factor[i])), v, v+1e-32, 3e-6, prec)
		}
	}
	checkProbs(t, c, panels, lse, scale, prec)
	if !ok1() {
		t.Fatal("wrote past the end")
	}
}

// checkProbs replaces scores by exponentials relative to lse. As right operand they are the rounded ones.
func checkProbs(t *testing.T, c []float32, panels int, lse []float32, scale float32, prec Precision) {
	t.Helper()
	scores := slices.Clone(c)
	right, intact := guarded(make([]float32, panels*blockWords))
	active.Load().ops.probs(right, c, panels, lse, scale, prec)
	for i := range StripRows {
		for n := range panels * PanelCols {
			v := math.Exp2(float64(scale)*float64(resultAt(scores, i, n)) - float64(lse[i]))
			p := resultAt(c, i, n)
			near(t, "probability", p, v, v+1e-32, 1e-6*(2+math.Abs(float64(lse[i]))))
			if prec == BF16 {
				near(t, "right", rightAt(right, i, n), float64(p), float64(p)+1e-32, 1.0/256)
			}
		}
	}
	if !intact() {
		t.Fatal("wrote past the end")
	}
}

// rightAt reads element (k,n) of a right operand of BF16 with one block of k.
func rightAt(b []float32, k, n int) float32 {
	return quant.BF16Value(halves(b)[n/32*1024+n%32/16*512+k/2*32+n%16*2+k%2])
}

// logSumExp is that of columns lo to hi-1 of row r, in float64.
func logSumExp(c []float32, r, lo, hi int, scale float32) float64 {
	top := math.Inf(-1)
	for n := lo; n < hi; n++ {
		top = max(top, float64(scale)*float64(resultAt(c, r, n)))
	}
	sum := 0.0
	for n := lo; n < hi; n++ {
		sum += math.Exp2(float64(scale)*float64(resultAt(c, r, n)) - top)
	}
	return top + math.Log2(sum)
}

// TestSoftmaxStep_place: a row has the same bits in another row's place, and in a part that reaches further but holds
// nothing more for it.
func TestSoftmaxStep_place(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		const panels, more = 3, 7
		ops := &active.Load().ops
		first, seen := bounds(r, panels)
		c, long := randoms(r, panels*resultSize), randoms(r, more*resultSize)
		scaleGeneric(c, 20)
		var first2, seen2 [StripRows]int32
		for i := range StripRows { // row i of c is row 31-i of long
			for n := range panels * PanelCols {
				long[n/32*1024+(31-i)*32+n%32] = resultAt(c, i, n)
			}
			first2[31-i], seen2[31-i] = first[i], seen[i]
		}
		fenced(ops, c, 0, &first, &seen)
		fenced(ops, long, 0, &first2, &seen2)
		for _, prec := range []Precision{F32, BF16} {
			var s, s2 SoftmaxRows
			s.begin()
			s2.begin()
			a, b := make([]float32, words(panels, prec)), make([]float32, words(more, prec))
			ops.softmaxStep(a, c, panels, &s, 0.5, prec)
			ops.softmaxStep(b, long, more, &s2, 0.5, prec)
			for i := range StripRows {
				sameBits(t, "top", s.top[i:i+1], s2.top[31-i:32-i])
				sameBits(t, "sum", s.sum[i:i+1], s2.sum[31-i:32-i])
				for n := range more * PanelCols {
					want := float32(0)
					if n < panels*PanelCols {
						want = tileAt(a, i, n, prec)
					}
					if tileAt(b, 31-i, n, prec) != want {
						t.Fatalf("row %d, column %d", i, n)
					}
				}
			}
		}
	})
}

func TestSoftmaxStep_nonFinite(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, prec := range []Precision{F32, BF16} {
			c, tiles := randoms(r, resultSize), make([]float32, words(1, prec))
			c[5], c[PanelCols+5] = float32(math.NaN()), float32(math.Inf(-1))
			var s SoftmaxRows
			s.begin()
			active.Load().ops.softmaxStep(tiles, c, 1, &s, 1, prec)
			if v := tileAt(tiles, 0, 5, prec); v == v || s.sum[0] == s.sum[0] {
				t.Error("NaN got lost")
			}
			lse := make([]float32, StripRows)
			active.Load().ops.softmaxEnd(&s, lse)
			if lse[0] == lse[0] || lse[1] != lse[1] {
				t.Errorf("logarithms %v", lse[:2])
			}
			if tileAt(tiles, 1, 5, prec) != 0 || s.sum[1] != s.sum[1] || s.sum[2] != s.sum[2] {
				t.Errorf("exp(-Inf) = %v, sums %v", tileAt(tiles, 1, 5, prec), s.sum[:3])
			}
		}
	})
}

func TestScaleRows(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		const panels = 3
		c, by := randoms(r, panels*resultSize), [StripRows]float32(randoms(r, StripRows))
		got, intact := guarded(c)
		active.Load().ops.scaleRows(got, panels, &by)
		for i := range StripRows {
			for n := range panels * PanelCols {
				near(t, "scaled", resultAt(got, i, n), float64(resultAt(c, i, n))*float64(by[i]), 1, 1e-7)
			}
		}
		if !intact() {
			t.Fatal("wrote past the end")
		}
	})
}

func TestScoreGrad(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, prec := range []Precision{F32, BF16} {
			for _, panels := range []int{1, 2, 5} {
				dp, p, delta := randoms(r, panels*resultSize), randoms(r, panels*resultSize), randoms(r, StripRows)
				ds, ok1 := guarded(dp)
				tiles, ok2 := emptyTiles(panels, prec)
				right, ok3 := guarded(make([]float32, panels*blockWords))
				active.Load().ops.scoreGrad(tiles, right, ds, p, panels, delta, 0.2, prec)
				for i := range StripRows {
					for n := range panels * PanelCols {
						want := float64(resultAt(p, i, n)) * (float64(resultAt(dp, i, n)) - float64(delta[i])) * float64(float32(0.2))
						nearTile(t, "ds", tileAt(tiles, i, n, prec), want, 1, 1e-7, prec)
						got := resultAt(ds, i, n)
						if prec == BF16 {
							got = rightAt(right, i, n)
						}
						if got != tileAt(tiles, i, n, prec) {
							t.Fatalf("right operand %v, left %v", got, tileAt(tiles, i, n, prec))
						}
					}
				}
				if !ok1() || !ok2() || !ok3() {
					t.Fatal("wrote past the end")
				}
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
