package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

// TestStrip compares the micro-kernels with float64, by the definition of blocks.
func TestStrip(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for i, c := range [][3]int{{1, 1, 0}, {2, 3, 0}, {5, 2, 700}, {16, 1, 0}} {
			for _, rows := range []int{1, 4, 5, 8, 9, 16, 17, 31, 32} {
				cols := []int{1, 8, 15, 16, 17, 32}[r.IntN(6)]
				checkKernel(t, r, prec, c[0], c[1], c[0]*blockWords+c[2], rows, cols)
				checkKernel(t, r, prec, c[0], c[1], c[0]*blockWords+c[2], rows, []int{32, 16}[i%2])
			}
		}
	})
}

// operands are random blocks of A and panels of B in float32 or bfloat16, and their values. The last panel has cols columns.
func operands(r *rand.Rand, prec Precision, blocks, panels, stride, cols int) (a, b []float32, av, bv []float64) {
	k, n := blocks*prec.Width(), panels*PanelCols
	a, b = make([]float32, blocks*blockWords), make([]float32, (panels-1)*stride+blocks*blockWords)
	av, bv = make([]float64, StripRows*k), make([]float64, k*n)
	put := func(words []float32, at int, v float32) {
		if prec == BF16 {
			halves(words)[at] = quant.BF16Bits(v)
		} else {
			words[at] = v
		}
	}
	for i, v := range randoms(r, len(av)) {
		row, at := i/k, i%k
		av[i] = float64(rounded(v, prec))
		put(a, at/prec.Width()*StripRows*prec.Width()+row*prec.Width()+at%prec.Width(), v)
	}
	for i, v := range randoms(r, len(bv)) {
		at, col := i/n, i%n
		if col >= n-PanelCols+cols {
			v = 0
		}
		bv[i] = float64(rounded(v, prec))
		if panel := b[col/32*stride:]; prec == BF16 {
			put(panel, at/32*1024+col%32/16*512+at%32/2*32+col%16*2+at%2, v)
		} else {
			put(panel, at/16*512+at%16*32+col%32, v)
		}
	}
	return a, b, av, bv
}

func checkKernel(t *testing.T, r *rand.Rand, prec Precision, blocks, panels, stride, rows, cols int) {
	t.Helper()
	a, b, av, bv := operands(r, prec, blocks, panels, stride, cols)
	old, kernel := randoms(r, panels*resultSize), active.Load().strip(prec)
	for _, add := range []bool{false, true} {
		what := fmt.Sprintf("%d blocks, %d panels %d apart, %d rows, %d columns, add=%v", blocks, panels, stride, rows, cols, add)
		c, intact := guarded(old)
		kernel(c, a, b, blocks, panels, stride, rows, cols, add)
		want := newSum64(rows, panels*PanelCols)
		want.add(av, bv, blocks*prec.Width(), nil)
		if add {
			for i := range want.want {
				o := float64(resultAt(old, i/want.n, i%want.n))
				want.want[i] += o
				want.size[i] += max(o, -o)
			}
		}
		if want.check(t, what, 1, func(i, j int) float32 { return resultAt(c, i, j) }); !intact() {
			t.Fatalf("%s: wrote past the end", what)
		}
		all, _ := guarded(old)
		kernel(all, a, b, blocks, panels, stride, StripRows, PanelCols, add)
		for i := range rows * panels * PanelCols {
			row, col := i%rows, i/rows
			if got, same := resultAt(c, row, col), resultAt(all, row, col); got != same {
				t.Fatalf("%s: %d,%d is %v, with all rows and columns %v", what, row, col, got, same)
			}
		}
	}
}
