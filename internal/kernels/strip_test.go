package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestStrip compares the micro-kernels with float64, by the definition of blocks.
func TestStrip(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, c := range [][3]int{{1, 1, 0}, {2, 3, 0}, {5, 2, 700}, {16, 1, 0}} {
			checkKernel(t, r, prec, c[0], c[1], c[0]*blockWords+c[2])
		}
	})
}

func checkKernel(t *testing.T, r *rand.Rand, prec Precision, blocks, panels, stride int) {
	t.Helper()
	k := blocks * prec.Width()
	a, b, old := make([]float32, blocks*blockWords), make([]float32, (panels-1)*stride+blocks*blockWords), randoms(r, panels*resultSize)
	av, bv := make([]float64, StripRows*k), make([]float64, k*panels*PanelCols)
	for i, v := range randoms(r, len(av)) {
		row, at := i/k, i%k
		av[i] = float64(rounded(v, prec))
		if prec == BF16 {
			halves(a)[at/32*1024+row*32+at%32] = toBF16(v)
		} else {
			a[at/16*512+row*16+at%16] = v
		}
	}
	for i, v := range randoms(r, len(bv)) {
		at, n := i/(panels*PanelCols), i%(panels*PanelCols)
		bv[i] = float64(rounded(v, prec))
		if prec == BF16 {
			halves(b[n/32*stride:])[at/32*1024+n%32/16*512+at%32/2*32+n%16*2+at%2] = toBF16(v)
		} else {
			b[n/32*stride+at/16*512+at%16*32+n%32] = v
		}
	}
	for _, add := range []bool{false, true} {
		c, intact := guarded(old)
		active.Load().strip(prec)(c, a, b, blocks, panels, stride, add)
		want := newSum64(StripRows, panels*PanelCols)
		want.add(av, bv, k, nil)
		if add {
			for i := range want.want {
				o := resultAt(old, i/want.n, i%want.n)
				want.want[i] += float64(o)
				want.size[i] += max(float64(o), -float64(o))
			}
		}
		what := fmt.Sprintf("%d blocks, %d panels %d apart, add=%v", blocks, panels, stride, add)
		if want.check(t, what, 1, func(i, j int) float32 { return resultAt(c, i, j) }); !intact() {
			t.Fatalf("%s: wrote past the end", what)
		}
	}
}
