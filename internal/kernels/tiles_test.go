package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestTiles_forms: each form of 32 tokens, as left or right operand, gives the product that its name says.
func TestTiles_forms(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, cols := range []int{32, 64, 96, 128} {
			var tiles Tiles
			tiles.Begin(prec)
			const rows = 29
			x, y, z := randomAct(r, rows, cols, prec), randomAct(r, rows, cols, prec), randomAct(r, rows, StripRows, prec)
			xv, yv, zv := x.values64(), y.values64(), z.values64()
			n, panels := tiles.Words(cols), cols/PanelCols
			panel, straight, turned := make([]float32, n), make([]float32, n), make([]float32, n)
			tiles.Panel(panel, y.data, cols)
			tiles.Straight(straight, y.data, cols, tiles.Words(StripRows))
			tiles.Turn(turned, x.data, cols)
			c := make([]float32, panels*resultSize)
			what := fmt.Sprint(cols, " features: ")

			tiles.Mul(c, x.data, panel, cols, 1, 0, false) // x·yᵀ
			want := newSum64(rows, rows)
			want.add(xv, transposed(yv, rows, cols), cols, nil)
			want.check(t, what+"panel", 1, func(i, j int) float32 { return resultAt(c, i, j) })

			tiles.Mul(c, z.data, straight, StripRows, panels, tiles.Words(StripRows), false) // z·y over tokens
			want = newSum64(rows, cols)
			padded := append(append([]float64(nil), yv...), make([]float64, (StripRows-rows)*cols)...)
			want.add(zv, padded, StripRows, nil)
			want.check(t, what+"straight", 1, func(i, j int) float32 { return resultAt(c, i, j) })

			for m := range panels { // xᵀ·y, 32 features of x at a time
				tiles.Mul(c, turned[m*tiles.Words(StripRows):], straight, StripRows, panels, tiles.Words(StripRows), false)
				want = newSum64(PanelCols, cols)
				want.add(transposed(xv, rows, cols)[m*PanelCols*rows:], yv, rows, nil)
				want.check(t, what+"turned", 1, func(i, j int) float32 { return resultAt(c, i, j) })
			}
		}
	})
}

// transposed is v [rows,cols] as [cols,rows].
func transposed(v []float64, rows, cols int) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i%cols*rows+i/cols] = x
	}
	return out
}

// TestTiles_result: what becomes of a result is the result, rounded or turned.
func TestTiles_result(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		const panels = 3
		var tiles Tiles
		tiles.Begin(prec)
		c := randoms(r, panels*resultSize)
		x := randomAct(r, StripRows, StripRows, prec)
		strip, right, back := make([]float32, tiles.Words(panels*PanelCols)), make([]float32, panels*tiles.Words(StripRows)), make([]float32, len(c))
		tiles.Round(strip, c, panels)
		tiles.TransposeResult(back, c, panels)
		cv := make([]float64, len(c))
		for i := range StripRows {
			for j := range panels * PanelCols {
				v := resultAt(c, i, j)
				cv[i*panels*PanelCols+j] = float64(rounded(v, prec))
				if got := tileAt(strip, i, j, prec); got != rounded(v, prec) {
					t.Fatalf("rounded %d,%d is %v, want %v", i, j, got, v)
				}
				if got := back[j/32*resultSize+j%32*32+i]; got != v {
					t.Fatalf("transposed %d,%d is %v, want %v", i, j, got, v)
				}
			}
		}
		got := make([]float32, len(c))
		tiles.Mul(got, x.data, tiles.Right(right, c, panels), StripRows, panels, tiles.Words(StripRows), false)
		want := newSum64(StripRows, panels*PanelCols)
		want.add(x.values64(), cv, StripRows, nil)
		want.check(t, "right", 1, func(i, j int) float32 { return resultAt(got, i, j) })
		tiles.AddResult(got, c, panels)
		for i := range want.want {
			want.want[i] += float64(resultAt(c, i/want.n, i%want.n))
			want.size[i]++
		}
		want.check(t, "added", 1, func(i, j int) float32 { return resultAt(got, i, j) })
	})
}

// TestAct_take: any rectangle goes to a strip with zeros around it, and back to where it belongs and nowhere else.
func TestAct_take(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		const T, F = 90, 150
		for range 40 {
			a := randomAct(r, T, F, prec)
			rows, cols := 1+r.IntN(StripRows), 1+r.IntN(100)
			at, f := r.IntN(T-rows+1), r.IntN(F-cols+1)
			what := fmt.Sprintf("rows %d+%d, columns %d+%d: ", at, rows, f, cols)
			strip, intact := emptyAct(StripRows, cols, prec)
			a.Take(strip.data, at, rows, f, cols)
			padded(t, strip.data, rows, cols, prec)
			b := randomAct(r, T, F, prec)
			old := append([]float32(nil), b.data...)
			b.Put(strip.data, at, rows, f, cols)
			was := Act{T: T, F: F, Prec: prec, data: old}
			for i := range T {
				for j := range F {
					want := was.At(i, j)
					if in := i >= at && i < at+rows && j >= f && j < f+cols; in {
						if want = a.At(i, j); strip.At(i-at, j-f) != want {
							t.Fatalf("%staken %d,%d is %v, want %v", what, i-at, j-f, strip.At(i-at, j-f), want)
						}
					}
					if b.At(i, j) != want {
						t.Fatalf("%sput %d,%d is %v, want %v", what, i, j, b.At(i, j), want)
					}
				}
			}
			if zeroPadding(t, what, b); !intact() {
				t.Fatalf("%swrote past the end", what)
			}
		}
	})
}
