package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

// actShapes are [T,F] with edges in both.
var actShapes = [][2]int{{1, 1}, {31, 16}, {32, 32}, {33, 17}, {5, 100}, {64, 96}, {100, 65}, {1, 577}}

// TestAct_layout: where a value lies, by the definition of blocks.
func TestAct_layout(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range actShapes {
			a, intact := emptyAct(s[0], s[1], prec)
			x := randoms(r, s[0]*s[1])
			Rounded(a, x)
			width := []int{16, 32}[prec]
			perStrip := (s[1] + 31) / 32 * 32 / width * 512 // words
			if a.Blocks()*512 != perStrip || len(a.data) != (s[0]+31)/32*perStrip {
				t.Fatalf("%v: %d blocks, %d words", s, a.Blocks(), len(a.data))
			}
			for i, v := range x {
				row, col := i/s[1], i%s[1]
				block := row/32*perStrip + col/width*512 + row%32*16
				got := a.data[block+col%width/(1+int(prec))]
				if prec == BF16 {
					got = quant.BF16Value(halves(a.data[block : block+16])[col%32])
				}
				if got != rounded(v, prec) || a.At(row, col) != got {
					t.Fatalf("%v at %d,%d: %v, At %v, want %v", s, row, col, got, a.At(row, col), v)
				}
			}
			if zeroPadding(t, fmt.Sprint(s), a); !intact() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}

// TestAct_setRow: rows set one by one, and the padding behind them cleared, give what Rounded gives.
func TestAct_setRow(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range actShapes {
			x := randoms(r, s[0]*s[1])
			want, _ := emptyAct(s[0], s[1], prec)
			Rounded(want, x)
			got, intact := emptyAct(s[0], s[1], prec)
			for _, i := range r.Perm(s[0]) {
				got.SetRow(i, x[i*s[1]:(i+1)*s[1]])
			}
			got.ClearPadding()
			sameBits(t, fmt.Sprint(s), got.data, want.data)
			if !intact() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}

func TestTranspose(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range actShapes {
			a := randomAct(r, s[0], s[1], prec)
			b, intact := emptyAct(s[1], s[0], prec)
			Transpose(b, a)
			for i := range a.T {
				for j := range a.F {
					if b.At(j, i) != a.At(i, j) {
						t.Fatalf("%v at %d,%d: %v, want %v", s, i, j, b.At(j, i), a.At(i, j))
					}
				}
			}
			if zeroPadding(t, fmt.Sprint(s), b); !intact() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}

// TestNorm compares Norm over strips with float64, to 1e-6 before rounding, and NormGrad with one strip's step.
func TestNorm(t *testing.T) {
	const eps = 1e-5
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range actShapes {
			rows, d := s[0], s[1]
			x, gain, dh, old := randoms(r, rows*d), randoms(r, d), randoms(r, rows*d), randoms(r, rows*d)
			h, ok1 := emptyAct(rows, d, prec)
			xhat, ok2 := emptyAct(rows, d, prec)
			only, _ := emptyAct(rows, d, prec)
			inv, ok3 := guarded(make([]float32, rows))
			Norm(h, xhat, inv, x, gain, eps)
			Norm(only, Act{}, inv, x, gain, eps)
			sameBits(t, "without xhat", only.data, h.data)
			dx, ok4 := guarded(old)
			NormGrad(dx, dh, xhat, inv, gain)
			for i := range rows {
				row := make([]float64, d)
				for j := range row {
					row[j] = float64(x[i*d+j])
				}
				for j, want := range rmsRow(row, gain, eps) {
					nearTile(t, "h", h.At(i, j), want, 1, 1e-6, prec)
					v := row[j] * float64(inv[i])
					nearTile(t, "xhat", xhat.At(i, j), v, math.Abs(v), 1e-7, prec)
				}
			}
			for lo := 0; lo < rows; lo += StripRows {
				n := min(StripRows, rows-lo)
				want := append([]float32(nil), old[lo*d:(lo+n)*d]...)
				active.Load().ops.normBack(want, dh[lo*d:(lo+n)*d], xhat.Strip(lo/StripRows), inv[lo:lo+n], gain, n, d, true, prec)
				sameBits(t, "dx", dx[lo*d:(lo+n)*d], want)
			}
			zeroPadding(t, fmt.Sprint("h ", s), h)
			zeroPadding(t, fmt.Sprint("xhat ", s), xhat)
			if !ok1() || !ok2() || !ok3() || !ok4() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}

// TestAct_clearPadding: everything around the values becomes zero, and they stay.
func TestAct_clearPadding(t *testing.T) {
	for _, prec := range []Precision{F32, BF16} {
		for _, s := range actShapes {
			a, intact := emptyAct(s[0], s[1], prec)
			a.ClearPadding()
			for i := range s[0] {
				for j := range s[1] {
					if v := a.At(i, j); v == v {
						t.Fatalf("%v %v: %d,%d is %v", prec, s, i, j, v)
					}
				}
			}
			if zeroPadding(t, fmt.Sprint(s), a); !intact() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	}
}
