package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

func TestScaleColumns(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range actShapes {
			src, by := randomAct(r, s[0], s[1], prec), randoms(r, s[1])
			dst, intact := emptyAct(s[0], s[1], prec)
			ScaleColumns(dst, src, by)
			for i := range s[0] {
				for j := range s[1] {
					if want := rounded(src.At(i, j)*by[j], prec); dst.At(i, j) != want {
						t.Fatalf("%v at %d,%d: %v, want %v", s, i, j, dst.At(i, j), want)
					}
				}
			}
			if zeroPadding(t, fmt.Sprint(s), dst); !intact() {
				t.Fatalf("%v: wrote past the end", s)
			}
			ScaleColumns(src, src, by)
			sameBits(t, fmt.Sprint(s, " in place"), src.data, dst.data)
		}
	})
}

// TestColumnSums: sums and inner products of columns, added to what was there, the same bits with any number of threads.
func TestColumnSums(t *testing.T) {
	defer SetThreads(0)
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range actShapes {
			a, b, x := randomAct(r, s[0], s[1], prec), randomAct(r, s[0], s[1], prec), randoms(r, s[0]*s[1])
			factors, old := randoms(r, s[1]), randoms(r, s[1])
			for _, c := range []struct {
				what    string
				run     func(dst []float32)
				element func(i, j int) float64
			}{
				{"sums", func(dst []float32) { ColumnSums(dst, a) }, func(i, j int) float64 { return float64(a.At(i, j)) }},
				{"sums of rows", func(dst []float32) { ColumnSumsRows(dst, x) }, func(i, j int) float64 { return float64(x[i*s[1]+j]) }},
				{"dots", func(dst []float32) { ColumnDots(dst, nil, a, b) }, func(i, j int) float64 { return float64(a.At(i, j)) * float64(b.At(i, j)) }},
				{"dots with factors", func(dst []float32) { ColumnDots(dst, factors, a, b) }, func(i, j int) float64 {
					return float64(a.At(i, j)) * float64(b.At(i, j)) * float64(factors[j])
				}},
				{"dots of rows", func(dst []float32) { ColumnDotsRows(dst, x, a) }, func(i, j int) float64 {
					return float64(x[i*s[1]+j]) * float64(a.At(i, j))
				}},
			} {
				SetThreads(1)
				one, intact := guarded(old)
				c.run(one)
				SetThreads(3)
				three, _ := guarded(old)
				c.run(three)
				sameBits(t, c.what, three, one)
				for j, v := range old {
					want, size := float64(v), math.Abs(float64(v))
					for i := range s[0] {
						e := c.element(i, j)
						want, size = want+e, size+math.Abs(e)
					}
					near(t, fmt.Sprintf("%s of %v, column %d", c.what, s, j), one[j], want, 1, 4e-6*size)
				}
				if !intact() {
					t.Fatalf("%s of %v: wrote past the end", c.what, s)
				}
			}
		}
	})
}

// TestMatrix_withRows: products, rows and decoding see the replaced rows of any format, and later changes of them.
func TestMatrix_withRows(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		const n, k, tokens = 70, 64, 3
		ids, rows := []int32{69, 0, 33}, randoms(r, 3*k)
		for _, base := range []*Matrix{
			weights(t, r, n, k, quant.BF16, true), weights(t, r, n, k, quant.Q8_0, false), FromFloat32(n, k, randoms(r, n*k)),
		} {
			w := base.WithRows(ids, rows)
			rows[k+5] += 0.25
			plain := make([]float32, n*k)
			for i := range n {
				base.Row(plain[i*k:(i+1)*k], i)
			}
			for i, id := range ids {
				copy(plain[int(id)*k:int(id+1)*k], rows[i*k:])
			}
			want, x, dy := FromFloat32(n, k, plain), randoms(r, tokens*k), randoms(r, tokens*n)
			for what, f := range map[string]func(dst []float32, w *Matrix){
				"forward":  func(dst []float32, w *Matrix) { mulT(dst[:tokens*n], x, w, tokens, false) },
				"backward": func(dst []float32, w *Matrix) { mul(dst[:tokens*k], dy, w, tokens, false) },
				"decoding": func(dst []float32, w *Matrix) { mulRows(dst[:tokens*n], x, w, tokens) },
				"row":      func(dst []float32, w *Matrix) { w.Row(dst[:k], 33) },
				"another":  func(dst []float32, w *Matrix) { w.Row(dst[:k], 34) },
			} {
				a, b := make([]float32, tokens*n), make([]float32, tokens*n)
				f(a, w)
				f(b, want)
				for i := range a {
					near(t, fmt.Sprintf("%v %s %d", base.Type, what, i), a[i], float64(b[i]), 1, 2e-5)
				}
			}
		}
	})
}
