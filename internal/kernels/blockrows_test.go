package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

// padded fails unless all padding of a strip of tiles is zero.
func padded(t *testing.T, tiles []float32, rows, cols int, prec Precision) {
	t.Helper()
	for n := range groups(cols) * PanelCols {
		for r := range StripRows {
			if (r >= rows || n >= cols) && tileAt(tiles, r, n, prec) != 0 {
				t.Fatalf("[%d,%d]: padding at %d,%d is %v", rows, cols, r, n, tileAt(tiles, r, n, prec))
			}
		}
	}
}

// TestNorm_tiles compares the forward pass with float64, to 1e-6 before rounding, and the backward pass with finite
// differences, to 1e-5 (1e-2 with xhat in bfloat16) of what it adds up.
func TestNorm_tiles(t *testing.T) {
	const eps = 1e-5
	forEachTile(t, func(t *testing.T, r *rand.Rand, ops *blockOps, prec Precision) {
		for _, s := range [][2]int{{1, 1}, {3, 5}, {2, 32}, {7, 33}, {32, 64}, {2, 100}} {
			rows, d := s[0], s[1]
			x, gain := randoms(r, rows*d), randoms(r, d)
			h, ok1 := emptyTiles(groups(d), prec)
			xhat, ok2 := emptyTiles(groups(d), prec)
			inv, ok3 := guarded(make([]float32, rows))
			ops.norm(h, xhat, inv, x, gain, rows, d, eps, prec)
			padded(t, h, rows, d, prec)
			padded(t, xhat, rows, d, prec)
			only := make([]float32, len(h))
			ops.norm(only, nil, inv, x, gain, rows, d, eps, prec)
			sameBits(t, "without xhat", only, h)
			dh, old := randoms(r, rows*d), randoms(r, rows*d)
			add, ok4 := guarded(old)
			ops.normBack(add, dh, xhat, inv, gain, rows, d, true, prec)
			set, ok5 := guarded(dh)
			ops.normBack(set, set, xhat, inv, gain, rows, d, false, prec)
			for i := range rows {
				row := make([]float64, d)
				for j := range row {
					row[j] = float64(x[i*d+j])
				}
				want, slopes := rmsRow(row, gain, eps), rmsSlopes(row, gain, dh[i*d:], eps)
				tol := []float64{1e-5, 1e-2}[prec] * (1 + float64(inv[i]))
				for j := range d {
					nearTile(t, "h", tileAt(h, i, j, prec), want[j], 1, 1e-6, prec)
					v := row[j] * float64(inv[i])
					nearTile(t, "xhat", tileAt(xhat, i, j, prec), v, math.Abs(v), 1e-7, prec)
					near(t, "dx", set[i*d+j], slopes[j], 1, tol)
					near(t, "dx, added", add[i*d+j], float64(old[i*d+j]+set[i*d+j]), 1, 1e-6*(1+float64(inv[i])))
				}
			}
			if !ok1() || !ok2() || !ok3() || !ok4() || !ok5() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}

// rmsSlopes is the gradient of rmsRow's product with dh, by finite differences.
func rmsSlopes(row []float64, gain, dh []float32, eps float64) []float64 {
	const h = 1e-5
	slopes := make([]float64, len(row))
	for j, keep := range row {
		row[j] = keep + h
		up := rmsRow(row, gain, eps)
		row[j] = keep - h
		for q, v := range rmsRow(row, gain, eps) {
			slopes[j] += float64(dh[q]) * (up[q] - v) / (2 * h)
		}
		row[j] = keep
	}
	return slopes
}

// TestNorm_place: a row's bits do not depend on its place or on the other rows, forward and backward.
func TestNorm_place(t *testing.T) {
	forEachTile(t, func(t *testing.T, r *rand.Rand, ops *blockOps, prec Precision) {
		const rows, d = 32, 577
		x, dh, gain, n := randoms(r, rows*d), randoms(r, rows*d), randoms(r, d), groups(577)
		h, xhat, inv := make([]float32, words(n, prec)), make([]float32, words(n, prec)), make([]float32, rows)
		dx := make([]float32, rows*d)
		ops.norm(h, xhat, inv, x, gain, rows, d, 1e-6, prec)
		ops.normBack(dx, dh, xhat, inv, gain, rows, d, false, prec)
		for i := range rows {
			one, hat, v, dv := make([]float32, words(n, prec)), make([]float32, words(n, prec)), make([]float32, 1), make([]float32, d)
			ops.norm(one, hat, v, x[i*d:(i+1)*d], gain, 1, d, 1e-6, prec)
			ops.normBack(dv, dh[i*d:(i+1)*d], hat, v, gain, 1, d, false, prec)
			for j := range d {
				if tileAt(one, 0, j, prec) != tileAt(h, i, j, prec) || dv[j] != dx[i*d+j] {
					t.Fatalf("row %d, column %d", i, j)
				}
			}
		}
	})
}

func TestTiles_rows(t *testing.T) {
	forEachTile(t, func(t *testing.T, r *rand.Rand, ops *blockOps, prec Precision) {
		for _, s := range [][2]int{{1, 1}, {5, 31}, {32, 32}, {31, 65}, {9, 96}} {
			rows, cols := s[0], s[1]
			ld := cols + 5
			src := randoms(r, rows*ld)
			src[0] = float32(math.Inf(-1))
			tiles, ok1 := emptyTiles(groups(cols), prec)
			ops.toTiles(tiles, src, ld, rows, cols, 0.6, prec)
			padded(t, tiles, rows, cols, prec)
			for i, x := range src {
				y, n := i/ld, i%ld
				if n >= cols {
					continue
				}
				if v := tileAt(tiles, y, n, prec); i > 0 {
					want := float64(float32(0.6)) * float64(x)
					nearTile(t, "to tiles", v, want, math.Abs(want), 1e-7, prec)
				} else if v != x {
					t.Fatalf("-Inf became %v", v)
				}
			}
			if !ok1() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}
