package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

// forEachTile runs the test on every backend with tiles of both precisions.
func forEachTile(t *testing.T, f func(t *testing.T, r *rand.Rand, ops *blockOps, prec Precision)) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, prec := range []Precision{F32, BF16} {
			t.Run(prec.String(), func(t *testing.T) { f(t, r, &active.Load().ops, prec) })
		}
	})
}

// tileAt reads element (r,n) of tiles by the layout's definition.
func tileAt(tiles []float32, r, n int, prec Precision) float32 {
	if prec == BF16 {
		return quant.BF16Value(halves(tiles)[n/32*1024+r*32+n%32])
	}
	return tiles[n/16*512+r*16+n%16]
}

// resultAt reads element (r,n) of result blocks.
func resultAt(c []float32, r, n int) float32 { return c[n/32*1024+r*32+n%32] }

// nearTile is near for a value that was rounded to prec's type.
func nearTile(t *testing.T, what string, got float32, want, size, tol float64, prec Precision) {
	t.Helper()
	bound := tol * size
	if prec == BF16 {
		bound += math.Abs(want)/256 + bound/256
	}
	near(t, what, got, want, 1, bound)
}

// randomTiles are tiles of values times scale in the rows and columns given, with zeros around.
func randomTiles(r *rand.Rand, rows, cols int, scale float32, prec Precision) []float32 {
	x := make([]float32, words(groups(cols), prec))
	toTilesGeneric(x, randoms(r, rows*cols), cols, rows, cols, scale, prec)
	return x
}

// emptyTiles are tiles full of canaries, and canaries behind.
func emptyTiles(n int, prec Precision) (x []float32, intact func() bool) {
	v := make([]float32, words(n, prec))
	for i := range v {
		v[i] = canary
	}
	return guarded(v)
}

func TestStoreTiles(t *testing.T) {
	forEachTile(t, func(t *testing.T, r *rand.Rand, ops *blockOps, prec Precision) {
		for _, panels := range []int{1, 2, 5} {
			c := randoms(r, panels*resultSize)
			dst, intact := emptyTiles(panels, prec)
			ops.store(dst, c, panels, prec, 0.7)
			for n := range panels * PanelCols {
				for i := range StripRows {
					want := float64(float32(0.7)) * float64(resultAt(c, i, n))
					nearTile(t, "stored", tileAt(dst, i, n, prec), want, math.Abs(want), 1e-7, prec)
				}
			}
			if !intact() {
				t.Fatalf("%d panels: wrote past the end", panels)
			}
		}
	})
}

// gateReference is act(x), its derivative, and the argument of the sigmoid in it.
func gateReference(x float64, act Activation) (y, dy, z float64) {
	if act == GELUTanh {
		root := math.Sqrt(2 / math.Pi)
		z, dz := 2*root*(x+0.044715*x*x*x), 2*root*(1+3*0.044715*x*x)
		s, rest := 1/(1+math.Exp(-z)), 1/(1+math.Exp(z))
		return x * s, s + x*s*rest*dz, z
	}
	y, dy = silu(x)
	return y, dy, x
}

// TestGated: relative errors of 4e-7 for each unit of the sigmoid's argument, which the exponential turns from absolute
// to relative, where a result is above 1e-35.
func TestGated(t *testing.T) {
	forEachTile(t, func(t *testing.T, r *rand.Rand, ops *blockOps, prec Precision) {
		for _, act := range []Activation{SiLU, GELUTanh} {
			for _, panels := range []int{1, 3} {
				checkGated(t, r, ops, prec, act, panels)
			}
		}
	})
}

func checkGated(t *testing.T, r *rand.Rand, ops *blockOps, prec Precision, act Activation, panels int) {
	t.Helper()
	cg, cu, d := randoms(r, panels*resultSize), randoms(r, panels*resultSize), randoms(r, panels*resultSize)
	scaleGeneric(cg, 9)
	gate, ok1 := emptyTiles(panels, prec)
	up, ok2 := emptyTiles(panels, prec)
	out, ok3 := emptyTiles(panels, prec)
	ops.gated(gate, up, out, cg, cu, panels, prec, act)
	dgate, ok4 := emptyTiles(panels, prec)
	dup, ok5 := emptyTiles(panels, prec)
	again, ok6 := emptyTiles(panels, prec)
	ops.gatedGrad(dgate, dup, again, gate, up, d, panels, prec, act)
	for n := range panels * PanelCols {
		for i := range StripRows {
			g, u := float64(resultAt(cg, i, n)), float64(resultAt(cu, i, n))
			y, _, z := gateReference(g, act)
			nearTile(t, "gate", tileAt(gate, i, n, prec), g, 0, 0, prec)
			nearTile(t, "up", tileAt(up, i, n, prec), u, 0, 0, prec)
			nearTile(t, "out", tileAt(out, i, n, prec), y*u, math.Abs(y*u)+1e-35, 4e-7*(2+math.Abs(z)), prec)
			g, u = float64(tileAt(gate, i, n, prec)), float64(tileAt(up, i, n, prec))
			y, dy, z := gateReference(g, act)
			dd, tol := float64(resultAt(d, i, n)), 4e-7*(2+math.Abs(z))
			nearTile(t, "out again", tileAt(again, i, n, prec), y*u, math.Abs(y*u)+1e-35, tol, prec)
			nearTile(t, "dup", tileAt(dup, i, n, prec), dd*y, math.Abs(dd*y)+1e-35, tol, prec)
			nearTile(t, "dgate", tileAt(dgate, i, n, prec), dd*u*dy, math.Abs(dd*u)*(math.Abs(dy)+0.5), tol, prec)
		}
	}
	ops.gatedGrad(gate, up, nil, gate, up, d, panels, prec, act) // in place
	sameBits(t, "dgate in place", gate, dgate)
	sameBits(t, "dup in place", up, dup)
	if !ok1() || !ok2() || !ok3() || !ok4() || !ok5() || !ok6() {
		t.Fatalf("%d panels: wrote past the end", panels)
	}
}

func TestGated_extremes(t *testing.T) {
	forEachTile(t, func(t *testing.T, r *rand.Rand, ops *blockOps, prec Precision) {
		inf := float32(math.Inf(1))
		for _, act := range []Activation{SiLU, GELUTanh} {
			c, one := make([]float32, resultSize), make([]float32, resultSize)
			for i := range one {
				one[i] = 1
			}
			values := []float32{-inf, -1e30, -1024, -100, 0, 128, 1e30}
			copy(c, values)
			nan := len(values)
			c[nan] = float32(math.NaN())
			gate, up, out := make([]float32, 1024), make([]float32, 1024), make([]float32, 1024)
			dgate, dup := make([]float32, 1024), make([]float32, 1024)
			ops.gated(gate, up, out, c, one, 1, prec, act)
			ops.gatedGrad(dgate, dup, nil, gate, up, one, 1, prec, act)
			for n, g := range values {
				want, slope := max(0, float64(g)), 0.5
				if g != 0 {
					slope = math.Max(0, math.Copysign(1, float64(g)))
				}
				what := fmt.Sprint("gate ", g, " ", prec, " ")
				nearTile(t, what+"out", tileAt(out, 0, n, prec), want, 1, 4e-36, prec)
				nearTile(t, what+"dup", tileAt(dup, 0, n, prec), want, 1, 4e-36, prec)
				if got := tileAt(dgate, 0, n, prec); math.Abs(float64(got)-slope) > 1e-32 {
					t.Errorf("%s dgate %v, want %v", what, got, slope)
				}
			}
			for _, x := range [][]float32{gate, out, dgate, dup} {
				if v := tileAt(x, 0, nan, prec); v == v {
					t.Error("NaN got lost")
				}
			}
		}
	})
}

// TestStoreRows: the bits of one rounded product and one rounded sum.
func TestStoreRows(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		ops := &active.Load().ops
		for _, s := range [][2]int{{1, 1}, {3, 31}, {32, 32}, {31, 33}, {5, 96}, {32, 100}, {8, 8}, {17, 70}} {
			rows, cols := s[0], s[1]
			ld := max(rows, cols) + 3
			c, alpha := randoms(r, groups(cols)*resultSize), float32(0.3)
			old, src := randoms(r, ld*ld), randoms(r, ld*ld)
			set, ok1 := guarded(old)
			ops.storeRows(set, nil, ld, c, rows, cols, alpha)
			sum, ok2 := guarded(old)
			ops.storeRows(sum, src, ld, c, rows, cols, alpha)
			add, ok3 := guarded(old)
			ops.storeRows(add, add, ld, c, rows, cols, alpha)
			flip, ok4 := guarded(old)
			ops.storeRowsT(flip, ld, c, rows, cols, alpha)
			for i, o := range old {
				y, x := i/ld, i%ld
				want := [4]float32{o, o, o, o}
				if y < rows && x < cols {
					v := float32(alpha * resultAt(c, y, x)) // no fused addition
					want[0], want[1], want[2] = v, src[i]+v, o+v
				}
				if y < cols && x < rows {
					v := float32(alpha * resultAt(c, x, y))
					want[3] = o + v
				}
				if got := [4]float32{set[i], sum[i], add[i], flip[i]}; got != want {
					t.Fatalf("%v at %d,%d: %v, want %v", s, y, x, got, want)
				}
			}
			if !ok1() || !ok2() || !ok3() || !ok4() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}
