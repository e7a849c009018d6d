package kernels

import (
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

// wholes are small whole numbers: their products and sums are exact in both precisions.
func wholes(r *rand.Rand, n int) []float32 {
	v, _ := onHeap(n)
	for i := range v {
		v[i] = float32(r.IntN(9) - 4)
	}
	return v
}

// TestTiles multiplies strips in all forms.
func TestTiles(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, prec := range []Precision{F32, BF16} {
			for _, cols := range []int{1, 6, 14, 32, 40, 64, 96} {
				testTiles(t, r, prec, cols)
			}
		}
	})
}

func testTiles(t *testing.T, r *rand.Rand, prec Precision, cols int) {
	const rows = 29
	var w Tiles
	w.Begin(prec)
	ld, panels := cols+3, groups(cols)
	a, b, x := wholes(r, rows*ld), wholes(r, rows*ld), wholes(r, rows*PanelCols)
	n := w.Words(cols)
	as, bs, xs, form := Grow(nil, n), Grow(nil, n), Grow(nil, w.Words(PanelCols)), Grow(nil, n)
	w.Pack(as, a, ld, rows, cols)
	w.Pack(bs, b, ld, rows, cols)
	w.Pack(xs, x, PanelCols, rows, PanelCols)
	expect := func(what string, c []float32, height, width int, want func(i, j int) float32) {
		t.Helper()
		for i := range height {
			for j := range width {
				if got := resultAt(c, i, j); got != want(i, j) {
					t.Fatalf("%v, %d columns: %s [%d,%d] is %v, want %v", prec, cols, what, i, j, got, want(i, j))
				}
			}
		}
	}
	at := func(v []float32, ld, rows, cols, i, j int) float32 {
		if i < rows && j < cols {
			return v[i*ld+j]
		}
		return 0
	}

	c := Grow(nil, panels*Result)
	w.Panel(form, bs, cols)
	w.Mul(c, as, form, cols, 1, n, false)
	expect("a·bᵀ", c, StripRows, StripRows, func(i, j int) (sum float32) {
		for k := range cols {
			sum += at(a, ld, rows, cols, i, k) * at(b, ld, rows, cols, j, k)
		}
		return sum
	})
	w.Straight(form, bs, cols, w.Words(StripRows))
	w.Mul(c, xs, form, StripRows, panels, w.Words(StripRows), false)
	product := func(i, j int) (sum float32) {
		for k := range StripRows {
			sum += at(x, PanelCols, rows, PanelCols, i, k) * at(b, ld, rows, cols, k, j)
		}
		return sum
	}
	expect("x·b", c, StripRows, panels*PanelCols, product)
	d := Grow(nil, panels*Result)
	w.TransposeResult(d, c, panels)
	w.AddResult(c, d, panels)
	for p := range panels {
		expect("sum with the transpose", c[p*Result:], StripRows, StripRows, func(i, j int) float32 {
			return product(i, p*PanelCols+j) + product(j, p*PanelCols+i)
		})
	}
	w.Turn(form, as, cols)
	straight := Grow(nil, w.Words(PanelCols))
	w.Straight(straight, xs, PanelCols, len(straight))
	for m := range panels {
		w.Mul(c, form[m*w.Words(StripRows):], straight, StripRows, 1, len(straight), false)
		expect("aᵀ·x", c, StripRows, PanelCols, func(i, j int) (sum float32) {
			for k := range rows {
				sum += at(a, ld, rows, cols, k, m*PanelCols+i) * x[k*PanelCols+j]
			}
			return sum
		})
	}
	dots := make([]float32, StripRows)
	w.Dots(dots, as, bs, cols)
	for i, got := range dots {
		var want float32
		for k := range cols {
			want += at(a, ld, rows, cols, i, k) * at(b, ld, rows, cols, i, k)
		}
		if got != want {
			t.Fatalf("%v, %d columns: row %d's product is %v, want %v", prec, cols, i, got, want)
		}
	}
}

// TestAct_put moves strips in and out of places that are not aligned with blocks.
func TestAct_put(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	arena := NewArena()
	defer arena.Close()
	for _, prec := range []Precision{F32, BF16} {
		for range 200 {
			act := arena.Act(1+r.IntN(100), 1+r.IntN(150), prec)
			for s := range act.Strips() {
				for i := range act.Strip(s) {
					act.Strip(s)[i] = canary
				}
			}
			rows, cols := 1+r.IntN(min(act.T, StripRows)), 1+r.IntN(act.F)
			top, left := r.IntN(act.T-rows+1), r.IntN(act.F-cols+1)
			var w Tiles
			w.Begin(prec)
			values := wholes(r, rows*cols)
			strip, again := Grow(nil, w.Words(cols)), Grow(nil, w.Words(cols))
			w.Pack(strip, values, cols, rows, cols)
			act.Put(strip, top, rows, left, cols)
			act.ClearPadding()
			outside := quant.BF16Value(halves([]float32{canary})[1])
			if prec == F32 {
				outside = canary
			}
			padded := act
			padded.T, padded.F = act.Strips()*StripRows, groups(act.F)*PanelCols
			for i := range padded.T {
				for j := range padded.F {
					got := padded.At(i, j)
					switch inside := i >= top && i < top+rows && j >= left && j < left+cols; {
					case i >= act.T || j >= act.F:
						if got != 0 {
							t.Fatalf("%v [%d,%d]: padding [%d,%d] is %v", prec, act.T, act.F, i, j, got)
						}
					case inside && got != values[(i-top)*cols+j-left]:
						t.Fatalf("%v: [%d,%d] is %v, want %v", prec, i, j, got, values[(i-top)*cols+j-left])
					case !inside && got != outside && got != quant.BF16Value(halves([]float32{canary})[0]):
						t.Fatalf("%v: wrote outside, at [%d,%d]", prec, i, j)
					}
				}
			}
			act.Take(again, top, rows, left, cols)
			sameBits(t, "taken", again, strip)
		}
	}
}
