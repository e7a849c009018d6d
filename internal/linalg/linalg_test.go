package linalg

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/internal/testkit/backend"
)

// planted is a matrix [m,n] with the given singular values, and its best approximation of rank r.
func planted(m, n int, s []float64, r int) (w *kernels.Matrix, best []float32) {
	k := len(s)
	u, v := make([]float64, k*m), make([]float64, k*n)
	fillRandom(u, 11)
	fillRandom(v, 12)
	orthonormal(u, k, m, 0)
	orthonormal(v, k, n, 0)
	at := func(k int) []float32 {
		sum := make([]float64, m*n)
		for i := range k {
			for row := range m {
				axpy(sum[row*n:(row+1)*n], s[i]*u[i*m+row], v[i*n:(i+1)*n])
			}
		}
		return narrow(sum)
	}
	return kernels.FromFloat32(m, n, at(k)), at(r)
}

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

// falls is n values that fall by a factor each, but for a gap after r.
func falls(n, r int, factor, gap float64) []float64 {
	s, v := make([]float64, n), 3.0
	for i := range s {
		s[i] = v
		v *= factor
		if i == r-1 {
			v *= gap / factor
		}
	}
	return s
}

func multiplied(a, b []float32, m, n, r int, scale float32) []float32 {
	c := make([]float32, m*n)
	kernels.Gemm(c, n, b, r, false, a, n, false, m, n, r, scale, false)
	return c
}

func checkOrthonormal(t *testing.T, what string, x []float64, n int, bound float64) {
	t.Helper()
	for i := range len(x) / n {
		for j := range i + 1 {
			want := 0.0
			if i == j {
				want = 1
			}
			if d := dot(x[i*n:(i+1)*n], x[j*n:(j+1)*n]); math.Abs(d-want) > bound {
				t.Fatalf("%s: rows %d and %d have the inner product %g", what, i, j, d)
			}
		}
	}
}

func TestTruncated(t *testing.T) {
	for _, c := range []struct {
		m, n, rank int
		s          []float64
	}{
		{48, 24, 4, falls(24, 4, 0.99, 0.97)}, // decomposed as a whole
		{24, 48, 4, falls(24, 4, 0.99, 0.97)},
		{40, 40, 40, falls(40, 40, 0.7, 1)}, // small values too
		{1, 7, 1, []float64{2}},
		{400, 300, 8, falls(300, 8, 0.99, 0.97)}, // by products
		{300, 400, 16, falls(300, 16, 0.999, 0.97)},
		{300, 310, 8, falls(300, 8, 0.5, 0.5)}, // less rank in float32 than vectors asked for
	} {
		t.Run(fmt.Sprintf("%dx%d/%d", c.m, c.n, c.rank), func(t *testing.T) {
			backend.Each(t, func(t *testing.T) {
				w, best := planted(c.m, c.n, c.s, c.rank)
				s, err := Truncated(w, c.rank, Exact)
				if err != nil {
					t.Fatal(err)
				}
				testkit.Near(t, "singular values", s.S, c.s[:c.rank], 1e-6, 0)
				checkOrthonormal(t, "left", s.U, c.m, 1e-6)
				checkOrthonormal(t, "right", s.V, c.n, 1e-6)
				a, b := s.Split(2)
				testkit.Near(t, "product", multiplied(a, b, c.m, c.n, c.rank, 2), best, 1e-5, 0)
				rest, size := Distance(w, a, b, c.rank, 2)
				testkit.Near(t, "norms", []float64{rest, size}, []float64{norm(c.s[c.rank:]), norm(c.s)}, 1e-6, 0)
			})
		})
	}
}

// TestTruncated_lowRank: what a matrix has not comes out as zeros.
func TestTruncated_lowRank(t *testing.T) {
	for _, size := range []int{30, 300} {
		w, best := planted(size, size+10, []float64{2, 1}, 2)
		s, err := Truncated(w, 6, Exact)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Near(t, "singular values", s.S, []float64{2, 1, 0, 0, 0, 0}, 1e-6, 0)
		a, b := s.Split(1)
		testkit.Near(t, "product", multiplied(a, b, size, size+10, 6, 1), best, 2e-6, 0)
	}
	zero, err := Truncated(kernels.FromFloat32(300, 300, make([]float32, 90000)), 4, Exact)
	if err != nil || norm(zero.S) != 0 {
		t.Errorf("of zeros: %v, %v", zero.S, err)
	}
}

// TestThreads: the same bits whatever the number of threads.
func TestThreads(t *testing.T) {
	defer kernels.SetThreads(0)
	w, _ := planted(400, 300, falls(300, 8, 0.99, 0.97), 8)
	q, _ := planted(150, 170, falls(150, 8, 0.99, 0.97), 8)
	var first [][]float64
	for _, threads := range []int{1, 2, 5} {
		kernels.SetThreads(threads)
		var got [][]float64
		for _, w := range []*kernels.Matrix{w, q} {
			s, err := Truncated(w, 8, Exact)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, s.S, s.U, s.V)
		}
		if first == nil {
			first = got
		}
		for i := range got {
			if !slices.Equal(got[i], first[i]) {
				t.Fatalf("%d threads: other bits", threads)
			}
		}
	}
}

func TestTruncated_refuses(t *testing.T) {
	w := kernels.FromFloat32(3, 4, make([]float32, 12))
	for _, r := range []int{0, 4} {
		if _, err := Truncated(w, r, Exact); err == nil {
			t.Errorf("rank %d: no error", r)
		}
		if _, _, err := LeadingQR(w, r); err == nil {
			t.Errorf("QR of rank %d: no error", r)
		}
	}
	bad := kernels.FromFloat32(1, 2, []float32{1, float32(math.NaN())})
	if _, err := Truncated(bad, 1, Exact); err == nil {
		t.Error("a NaN: no error")
	}
	if _, _, err := TruncatedSum(1, 2, 1, []Term{{Factor: 1, Rank: 1, A: []float32{1, float32(math.Inf(1))}, B: []float32{1}}}); err == nil {
		t.Error("an infinity: no error")
	}
}

// TestTruncatedSum compares with the sum's own decomposition, with ranks below and above the matrix's sides.
func TestTruncatedSum(t *testing.T) {
	for _, c := range []struct{ m, n, each, rank int }{{20, 30, 4, 5}, {30, 20, 4, 8}, {6, 30, 4, 3}, {30, 6, 4, 9}, {5, 5, 4, 5}} {
		var terms []Term
		sum := make([]float32, c.m*c.n)
		for i, f := range []float64{0.7, -1.5} {
			a, b := make([]float64, c.each*c.n), make([]float64, c.m*c.each)
			fillRandom(a, uint64(20+i))
			fillRandom(b, uint64(30+i))
			term := Term{Factor: f, Rank: c.each, A: narrow(a), B: narrow(b)}
			terms = append(terms, term)
			kernels.Axpy(sum, float32(f), multiplied(term.A, term.B, c.m, c.n, c.each, 1))
		}
		got, size, err := TruncatedSum(c.m, c.n, c.rank, terms)
		if err != nil {
			t.Fatal(err)
		}
		w := kernels.FromFloat32(c.m, c.n, sum)
		rank := min(c.rank, c.m, c.n)
		want, err := Truncated(w, rank, Exact)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Near(t, "singular values", got.S, append(want.S, make([]float64, c.rank-rank)...), 1e-6, 0)
		a, b := got.Split(1)
		wa, wb := want.Split(1)
		testkit.Near(t, "product", multiplied(a, b, c.m, c.n, c.rank, 1), multiplied(wa, wb, c.m, c.n, rank, 1), 1e-5, 0)
		_, whole := Distance(w, a, b, c.rank, 1)
		testkit.Near(t, "norm", []float64{size}, []float64{whole}, 1e-6, 0)
	}
}

func TestLeadingQR(t *testing.T) {
	for _, c := range []struct{ m, n, rank int }{{20, 30, 4}, {30, 20, 20}, {300, 200, 8}} {
		w, _ := planted(c.m, c.n, falls(min(c.m, c.n), 4, 0.9, 0.9), 1)
		q, r, err := LeadingQR(w, c.rank)
		if err != nil {
			t.Fatal(err)
		}
		product, row := multiplied(r, q, c.m, c.n, c.rank, 1), make([]float32, c.n)
		for i := range c.m {
			w.Row(row, i)
			testkit.Near(t, "leading columns", product[i*c.n:][:c.rank], row[:c.rank], 0, 1e-5)
		}
		for i := range c.rank {
			for j := range i {
				if v := r[i*c.n+j]; math.Abs(float64(v)) > 1e-5 {
					t.Errorf("R[%d,%d] is %g", i, j, v)
				}
			}
			if r[i*c.n+i] < 0 {
				t.Errorf("R[%d,%d] is negative", i, i)
			}
		}
		columns := make([]float64, c.rank*c.m)
		for i, v := range q {
			columns[i%c.rank*c.m+i/c.rank] = float64(v)
		}
		checkOrthonormal(t, "Q", columns, c.m, 1e-6)
	}
}

// BenchmarkTruncated is a layer of a model with 7 billion parameters.
func BenchmarkTruncated(b *testing.B) {
	const m, n, rank = 11008, 4096, 16
	x := make([]float64, m*n)
	fillRandom(x, 1)
	w := kernels.FromFloat32(m, n, narrow(x))
	for b.Loop() {
		if _, err := Truncated(w, rank, Exact); err != nil {
			b.Fatal(err)
		}
	}
}
