package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

// forEachPrecision runs the test on every backend in both precisions. A backend without products in bfloat16 does them
// with the Go twin.
func forEachPrecision(t *testing.T, f func(t *testing.T, r *rand.Rand, prec Precision)) {
	t.Helper()
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		if raceDetector && testing.Short() && Backend() != Backends()[0] {
			t.Skip("races are the same on every backend")
		}
		for _, prec := range []Precision{F32, BF16} {
			t.Run(prec.String(), func(t *testing.T) { f(t, r, prec) })
		}
	})
}

// rounded is what a product in prec sees of x.
func rounded(x float32, prec Precision) float32 {
	if prec == BF16 {
		return quant.BF16Value(quant.BF16Bits(x))
	}
	return x
}

// emptyAct is an Act full of NaN, so that forgotten padding shows, with canaries behind it.
func emptyAct(t, f int, prec Precision) (a Act, intact func() bool) {
	a = Act{T: t, F: f, Prec: prec}
	v := make([]float32, a.Strips()*a.Blocks()*blockWords)
	for i := range v {
		v[i] = math.Float32frombits(0x7fc07fc0) // in both precisions
	}
	a.data, intact = guarded(v)
	return a, intact
}

// randomAct is an Act of values in [-1,1).
func randomAct(r *rand.Rand, t, f int, prec Precision) Act {
	a, _ := emptyAct(t, f, prec)
	Rounded(a, randoms(r, t*f))
	return a
}

// values64 is the Act's values, [T,F].
func (a Act) values64() []float64 {
	v := make([]float64, 0, a.T*a.F)
	for i := range a.T {
		for j := range a.F {
			v = append(v, float64(a.At(i, j)))
		}
	}
	return v
}

// from is the strips from token lo on, a multiple of 32, with n tokens.
func (a Act) from(lo, n int) Act {
	size := a.Blocks() * blockWords
	b := Act{T: n, F: a.F, Prec: a.Prec}
	b.data = a.data[lo/StripRows*size:][:b.Strips()*size]
	return b
}

// zeroPadding fails unless every row and column beyond the last is zero.
func zeroPadding(t *testing.T, what string, a Act) {
	t.Helper()
	for s := range a.Strips() {
		padded(t, a.Strip(s), min(StripRows, a.T-s*StripRows), a.F, a.Prec)
	}
	if t.Failed() {
		t.Fatal(what)
	}
}

// randomMask is dropout of t rows with a probability of 0.3.
func randomMask(r *rand.Rand, t int) Mask {
	m := Mask{Keys: make([]uint64, t), Prob: 0.3}
	for i := range m.Keys {
		m.Keys[i] = r.Uint64()
	}
	return m
}

// masked is v [T,f] with dropout as tiles of prec have it: multiplied, then rounded.
func masked(v []float64, m Mask, f int, prec Precision) []float64 {
	out := make([]float64, len(v))
	for i, x := range m.Factors(f) {
		if x != 0 {
			out[i] = float64(rounded(float32(v[i])*x, prec))
		}
	}
	return out
}

// sum64 is a sum of products [m,n] in float64, with the sum of the terms' sizes and their number.
type sum64 struct {
	m, n       int
	want, size []float64
	depth      int
}

func newSum64(m, n int) *sum64 {
	return &sum64{m: m, n: n, want: make([]float64, m*n), size: make([]float64, m*n)}
}

// add adds a [m,k] · b [k,n], times factors [m,n] unless they are nil.
func (s *sum64) add(a, b []float64, k int, factors []float32) {
	s.depth += k + 2
	want, size := make([]float64, s.n), make([]float64, s.n)
	for i := range s.m {
		clear(want)
		clear(size)
		for q := range k {
			x := a[i*k+q]
			for j, y := range b[q*s.n : (q+1)*s.n] {
				want[j] += x * y
				size[j] += math.Abs(x * y)
			}
		}
		for j := range s.n {
			f := 1.0
			if factors != nil {
				f = float64(factors[i*s.n+j])
			}
			s.want[i*s.n+j] += f * want[j]
			s.size[i*s.n+j] += f * size[j]
		}
	}
}

// bound is the error that float32 sums in any order may have.
func (s *sum64) bound(at int) float64 { return bound(s.depth) * s.size[at] }

// check compares got(i,j) with the sum times scale.
func (s *sum64) check(t *testing.T, what string, scale float64, got func(i, j int) float32) {
	t.Helper()
	for i := range s.m {
		for j := range s.n {
			want, at := scale*s.want[i*s.n+j], i*s.n+j
			if err := math.Abs(want - float64(got(i, j))); !(err <= s.bound(at)*math.Abs(scale)+math.Abs(want)/(1<<23)) {
				t.Fatalf("%s: C[%d,%d] = %v, want %v", what, i, j, got(i, j), want)
			}
		}
	}
}

// The kinds of right sides, for tests that go through all.
var rightKinds = []string{"weightsT", "weights", "valuesT", "values", "tokens", "masked tokens"}

// newRight is a random B [k,n] of a kind and its values, rounded as the product does.
func newRight(t *testing.T, r *rand.Rand, kind string, k, n int, typ quant.Type, prec Precision) (Operand, []float64) {
	t.Helper()
	switch kind {
	case "weightsT", "weights":
		rows, cols := k, n
		if kind == "weightsT" {
			rows, cols = n, k
		}
		w := weights(t, r, rows, cols, typ, r.IntN(2) == 0)
		if kind == "weights" {
			return Weights(w), rounded64(dense(w), cols, rows, cols, false, prec)
		}
		return WeightsT(w), rounded64(dense(w), cols, k, n, true, prec)
	case "valuesT", "values":
		trans := kind == "valuesT"
		s := newStored(r, k, n, trans)
		return Values(s.v, s.ld, k, n, trans), rounded64(s.v, s.ld, k, n, trans, prec)
	case "tokens":
		a := randomAct(r, k, n, prec)
		return Tokens(a, Mask{}), a.values64()
	case "masked tokens":
		a, m := randomAct(r, k, n, prec), randomMask(r, k)
		return Tokens(a, m), masked(a.values64(), m, n, prec)
	}
	panic(fmt.Sprintf("no kind %q", kind))
}

// rounded64 is [rows,cols] of stored values as a product in prec sees them.
func rounded64(v []float32, ld, rows, cols int, trans bool, prec Precision) []float64 {
	out := make([]float64, 0, rows*cols)
	for i := range rows {
		for j := range cols {
			at := i*ld + j
			if trans {
				at = j*ld + i
			}
			out = append(out, float64(rounded(v[at], prec)))
		}
	}
	return out
}

// mulT computes dst[t,Rows] = x[t,Cols] · wᵀ, or adds it to dst.
func mulT(dst, x []float32, w *Matrix, t int, add bool) { rowProduct(dst, x, WeightsT(w), t, add) }

// mul computes dst[t,Cols] = dy[t,Rows] · w, or adds it to dst.
func mul(dst, dy []float32, w *Matrix, t int, add bool) { rowProduct(dst, dy, Weights(w), t, add) }

func rowProduct(dst, x []float32, b Operand, t int, add bool) {
	p := Product{M: t, N: b.n, Sink: Sink{Kind: ToRows, Rows: dst, LD: b.n, Add: add}}
	p.Add(Left{f: x, ld: b.k}, b, false)
	p.Run()
}

// mulRows is MulRows for one product in float32.
func mulRows(dst, x []float32, w *Matrix, t int) { MulRows(t, RowProduct{Dst: dst, X: x, W: w}) }
