package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAttend_float64: scores are off by (d+3)·2^-24 of their terms' sizes, below 1e-5 here, and so are, relatively, the weights;
// with the exponential's 5e-7 and the sum over the keys, an output is within 5e-5 of the largest value. In BF16 that holds for rounded
// queries, keys and values. Neither pages nor other heads change a bit.
func TestAttend_float64(t *testing.T) {
	for _, prec := range []Precision{F32, BF16} {
		dims := []int{1, 6, 16, 40, 64, 80, 128}
		if prec == BF16 {
			dims = []int{32, 64, 96, 128}
		}
		forEachBackend(t, func(t *testing.T, r *rand.Rand) {
			for _, d := range dims {
				for _, end := range []int{1, 2, 5, 33, 300} {
					testAttend(t, r, prec, d, end)
				}
			}
		})
	}
}

func testAttend(t *testing.T, r *rand.Rand, prec Precision, d, end int) {
	n, first := 1+r.IntN(9), r.IntN(end)
	words := d >> prec
	step := words + r.IntN(30)
	q, k, v := randoms(r, n*d), randoms(r, end*step), randoms(r, end*step)
	keys, values := k, v // as attendReference reads them
	if prec == BF16 {
		q, _ = roundedRows(r, n, d, d/2)
		keys, k = roundedRows(r, end, d, step)
		values, v = roundedRows(r, end, d, step)
	}
	wide := len(keys) / end
	scale := float32(2 / math.Sqrt(float64(d)))
	var whole []float32
	for _, rows := range []int{end, 1, 3, 32} {
		kv := paged(k, v, rows, step, prec)
		out, intact := guarded(make([]float32, n*d))
		Attend(out, q, n, d, kv, first, end, scale, 0, make([]float32, n*(end-first)))
		if rows == end {
			whole = out
		}
		sameBits(t, fmt.Sprintf("pages of %d", rows), out, whole)
		for h := range n {
			for i, w := range attendReference(q[h*d:(h+1)*d], keys[first*wide:], values[first*wide:], wide, end-first, scale) {
				if err := math.Abs(w - float64(out[h*d+i])); !(err <= 5e-5) {
					t.Fatalf("d=%d, keys %d to %d in pages of %d: out[%d,%d] = %v, want %v", d, first, end, rows, h, i, out[h*d+i], w)
				}
			}
			alone := make([]float32, d)
			Attend(alone, q[h*d:(h+1)*d], 1, d, kv, first, end, scale, 0, make([]float32, end-first))
			sameBits(t, "head alone", alone, out[h*d:(h+1)*d])
		}
		if !intact() {
			t.Fatalf("d=%d, %d keys: wrote past the end", d, end)
		}
	}
}

// paged cuts keys and values, rows of step words, into pages that begin with something else.
func paged(k, v []float32, rows, step int, prec Precision) *Paged {
	const head = 5
	kv := &Paged{Rows: rows, K: head, V: head + rows*step, Step: step, Prec: prec}
	for at := 0; at < len(k); at += rows * step {
		page := make([]float32, head+2*rows*step)
		for i := range page {
			page[i] = float32(math.NaN())
		}
		copy(page[kv.K:kv.V], k[at:])
		copy(page[kv.V:], v[at:])
		kv.Pages = append(kv.Pages, page)
	}
	return kv
}

// roundedRows is random rows of d values that bfloat16 has, and the same in words, rows step apart.
func roundedRows(r *rand.Rand, rows, d, step int) (values, words []float32) {
	values, words = make([]float32, rows*d), make([]float32, rows*step)
	for i := range rows {
		RoundRow(words[i*step:], randoms(r, d))
		WidenRow(values[i*d:(i+1)*d], words[i*step:i*step+d/2])
	}
	return values, words
}

// attendReference is one head's attention in float64.
func attendReference(q, k, v []float32, step, seen int, scale float32) []float64 {
	out, sum := make([]float64, len(q)), 0.0
	for j := range seen {
		s := 0.0
		for i, a := range q {
			s += float64(a) * float64(k[j*step+i])
		}
		p := math.Exp(s * float64(scale))
		sum += p
		for i := range out {
			out[i] += p * float64(v[j*step+i])
		}
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// TestNormRows: to 1e-6 of float64, and the same bits for a row alone.
func TestNormRows(t *testing.T) {
	const eps = 1e-5
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, s := range [][2]int{{0, 3}, {1, 1}, {3, 5}, {4, 16}, {2, 33}, {5, 577}} {
			n, d := s[0], s[1]
			x, gain := randoms(r, n*d), randoms(r, d)
			got, intact := guarded(x)
			NormRows(got, got, gain, n, d, eps)
			for i := range n {
				row := make([]float64, d)
				for j := range row {
					row[j] = float64(x[i*d+j])
				}
				for j, want := range rmsRow(row, gain, eps) {
					near(t, "norm", got[i*d+j], want, 1, 1e-6)
				}
				one := make([]float32, d)
				NormRows(one, x[i*d:(i+1)*d], gain, 1, d, eps)
				sameBits(t, "one row", one, got[i*d:(i+1)*d])
			}
			if !intact() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}

func TestArgmax(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, n := range []int{1, 2, 15, 16, 17, 512, 513, 5000} {
			x := randoms(r, n)
			for i := range x {
				x[i] = float32(int(x[i] * 20)) // many ties
			}
			if got, want := Argmax(x), slices.Index(x, slices.Max(x)); got != want {
				t.Errorf("%d values: %d, want %d", n, got, want)
			}
			at := r.IntN(n)
			x[at] = 99
			if got := Argmax(x); got != at {
				t.Errorf("%d values: %d, want %d", n, got, at)
			}
		}
		if got := Argmax([]float32{float32(math.Inf(-1)), float32(math.Inf(-1))}); got != 0 {
			t.Errorf("of infinities: %d", got)
		}
	})
}

func BenchmarkAttend(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, seen := range []int{64, 1024} {
		const n, d, step = 3, 64, 192
		q, k, v := randoms(r, n*d), randoms(r, seen*step), randoms(r, seen*step)
		out, scores, kv := make([]float32, n*d), make([]float32, n*seen), paged(k, v, 32, step, F32)
		b.Run(fmt.Sprint(seen), func(b *testing.B) {
			b.SetBytes(int64(8 * seen * d))
			for b.Loop() {
				Attend(out, q, n, d, kv, 0, seen, 0.125, 0, scores)
			}
		})
	}
}
