package kernels

import (
	"math/rand/v2"
	"testing"

	"ft/internal/keyed"
	"ft/internal/quant"
)

// dropped is the factor of feature i: 16 bits of a word of SplitMix64 for every four features.
func dropped(key uint64, i int, prob float32) float32 {
	word := keyed.Mix(key + uint64(i/4+1)*keyed.Increment)
	if uint32(word>>(16*(i%4))&0xffff) < uint32(prob*65536+0.5) {
		return 0
	}
	return 1 / (1 - prob)
}

func TestDropout_masks(t *testing.T) {
	forEachTile(t, func(t *testing.T, r *rand.Rand, ops *blockOps, prec Precision) {
		for _, prob := range []float32{0, 1e-7, 0.1, 0.5, 0.99998, 0.9999999} {
			for _, s := range [][2]int{{1, 32}, {5, 31}, {32, 100}, {31, 256}} {
				checkDropout(t, r, ops, prob, s[0], s[1], prec)
			}
		}
	})
}

func checkDropout(t *testing.T, r *rand.Rand, ops *blockOps, prob float32, rows, cols int, prec Precision) {
	t.Helper()
	keys := make([]uint64, rows)
	for i := range keys {
		keys[i] = r.Uint64()
	}
	src := randomTiles(r, rows, cols, 1, prec)
	dst, ok1 := emptyTiles(groups(cols), prec)
	ops.dropTiles(dst, src, keys, cols, prob, prec)
	padded(t, dst, rows, cols, prec)
	ld := cols + 3
	x, c, old := randoms(r, rows*ld), randoms(r, groups(cols)*resultSize), randoms(r, rows*ld)
	fromRows, ok2 := guarded(old)
	ops.dropAdd(fromRows, ld, x, ld, PanelCols, keys, cols, prob)
	fromC, ok3 := guarded(old)
	ops.dropAdd(fromC, ld, c, PanelCols, resultSize, keys, cols, prob)
	for i, o := range old {
		y, n := i/ld, i%ld
		m := dropped(keys[y], n, prob)
		if n >= cols {
			m = 0
		} else {
			v := tileAt(src, y, n, prec) * m
			if prec == BF16 {
				v = quant.BF16Value(quant.BF16Bits(v))
			}
			if got := tileAt(dst, y, n, prec); got != v {
				t.Fatalf("prob %v at %d,%d: %v, want %v", prob, y, n, got, v)
			}
		}
		wantRows, wantC := o, o
		if m != 0 {
			wantRows, wantC = o+float32(x[i]*m), o+float32(resultAt(c, y, n)*m)
		}
		if fromRows[i] != wantRows || fromC[i] != wantC {
			t.Fatalf("prob %v at %d,%d: added %v and %v, want %v and %v", prob, y, n, fromRows[i], fromC[i], wantRows, wantC)
		}
	}
	if !ok1() || !ok2() || !ok3() {
		t.Fatal("wrote past the end")
	}
}

// TestDropout_share: as many features are dropped as the probability says.
func TestDropout_share(t *testing.T) {
	forEachTile(t, func(t *testing.T, r *rand.Rand, ops *blockOps, prec Precision) {
		const cols, prob = 4096, 0.25
		x := make([]float32, words(groups(cols), prec))
		one := []float32{1}
		for n := range cols {
			var v group
			v.read(x, n/32, 0, prec)
			copy(v[n%32:], one)
			v.write(x, n/32, 0, prec)
		}
		ops.dropTiles(x, x, []uint64{r.Uint64()}, cols, prob, prec)
		kept := 0
		for n := range cols {
			if tileAt(x, 0, n, prec) != 0 {
				kept++
			}
		}
		// The standard deviation is 28.
		if kept < 3072-140 || kept > 3072+140 {
			t.Errorf("%d of %d features kept", kept, cols)
		}
	})
}
