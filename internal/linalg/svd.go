package linalg

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"ft/internal/kernels"
)

// SVD is the leading part of a matrix's singular value decomposition, W [m,n] ≈ Σ S[i]·U[i]·V[i]ᵀ, the best approximation of its
// rank (Eckart and Young 1936). The sign of each pair of vectors is such that the largest value of U[i] is positive.
type SVD struct {
	M, N int
	S    []float64 // [R] singular values, falling; 0 where the matrix has less rank
	U    []float64 // [R,M], row i is the i-th left singular vector
	V    []float64 // [R,N]
}

// Rank is R, the number of singular values.
func (s *SVD) Rank() int { return len(s.S) }

// Split gives the two factors of the approximation divided by scale, B·A = U·S·Vᵀ/scale, each with the square root of S: A [R,N] and B [M,R].
func (s *SVD) Split(scale float64) (a, b []float32) {
	r := s.Rank()
	a, b = make([]float32, r*s.N), make([]float32, s.M*r)
	for i, sigma := range s.S {
		f := math.Sqrt(sigma / scale)
		for j, v := range s.V[i*s.N : (i+1)*s.N] {
			a[i*s.N+j] = float32(f * v)
		}
		for j, u := range s.U[i*s.M : (i+1)*s.M] {
			b[j*r+i] = float32(f * u)
		}
	}
	return a, b
}

// exactSide is the shorter side up to which a matrix is decomposed as a whole.
const exactSide = 160

// Exact is the tolerance for all that float32 products can give.
const Exact = 3e-7

// Truncated is the leading part, of the given rank, of w's decomposition. tol bounds W·v - S·u and Wᵀ·u - S·v of each of its vectors, beside w's
// largest singular value. With Exact, its product is within 1e-6 of that value of the best one, where the singular value after the last is smaller
// by a few per cent or more; where two are closer, which of their vectors are taken matters as little to the product's error. It is an error if w
// has no such rank or holds what is no number.
func Truncated(w *kernels.Matrix, rank int, tol float64) (*SVD, error) {
	side := min(w.Rows, w.Cols)
	if rank < 1 || rank > side {
		return nil, fmt.Errorf("linalg: rank %d of a matrix [%d,%d]: must be from 1 to %d", rank, w.Rows, w.Cols, side)
	}
	if !finite(w) {
		return nil, fmt.Errorf("linalg: the matrix [%d,%d] holds values that are no finite numbers", w.Rows, w.Cols)
	}
	if side <= exactSide || blockOf(rank)*growth*2 > side {
		return whole(w).cut(rank), nil
	}
	return krylov(w, rank, tol), nil
}

func finite(w *kernels.Matrix) bool {
	row := make([]float32, w.Cols)
	for i := range w.Rows {
		w.Row(row, i)
		for _, v := range row {
			if v-v != 0 {
				return false
			}
		}
	}
	return true
}

// whole decomposes w altogether.
func whole(w *kernels.Matrix) *SVD {
	x := make([]float64, w.Rows*w.Cols)
	row := make([]float32, w.Cols)
	for i := range w.Rows {
		w.Row(row, i)
		for j, v := range row {
			if w.Rows <= w.Cols {
				x[i*w.Cols+j] = float64(v)
			} else {
				x[j*w.Rows+i] = float64(v)
			}
		}
	}
	s := ofRows(x, min(w.Rows, w.Cols), max(w.Rows, w.Cols))
	if w.Rows > w.Cols {
		s.M, s.N, s.U, s.V = s.N, s.M, s.V, s.U
	}
	s.signs()
	return s
}

// ofRows decomposes x [k,n], k at most n, which it spoils: x = l·q, and j·l has orthogonal rows, so that x = jᵀ·(j·l)·q.
func ofRows(x []float64, k, n int) *SVD {
	l := orthonormal(x, k, n, 0)
	j := identity(k)
	jacobi(l, k, k, j, 0)
	s := &SVD{M: k, N: n, S: make([]float64, k), U: make([]float64, k*k)}
	order := falling(l, k, k)
	core := make([]float64, k*k)
	for i, at := range order {
		row := l[at*k : (at+1)*k]
		s.S[i] = norm(row)
		copy(s.U[i*k:], j[at*k:(at+1)*k])
		for c, v := range row {
			if s.S[i] > 0 {
				core[i*k+c] = v / s.S[i]
			}
		}
	}
	s.V = combine(core, k, k, x, n)
	return s
}

func identity(k int) []float64 {
	j := make([]float64, k*k)
	for i := range k {
		j[i*k+i] = 1
	}
	return j
}

// falling is the order of the rows of x [k,n] by falling norm.
func falling(x []float64, k, n int) []int {
	order, size := make([]int, k), make([]float64, k)
	for i := range order {
		order[i], size[i] = i, norm(x[i*n:(i+1)*n])
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(size[b], size[a]) })
	return order
}

// cut keeps the first r.
func (s *SVD) cut(r int) *SVD {
	return &SVD{M: s.M, N: s.N, S: s.S[:r], U: s.U[:r*s.M], V: s.V[:r*s.N]}
}

// signs settles the signs.
func (s *SVD) signs() {
	for i := range s.S {
		u, v := s.U[i*s.M:(i+1)*s.M], s.V[i*s.N:(i+1)*s.N]
		top := 0.0
		for _, x := range u {
			// The margin keeps rounding from deciding between two that are equal but for their sign.
			if math.Abs(x) > 1.0001*math.Abs(top) {
				top = x
			}
		}
		if top < 0 {
			for j := range u {
				u[j] = -u[j]
			}
			for j := range v {
				v[j] = -v[j]
			}
		}
	}
}

// Term is one product of a sum, Factor·B·A with A [Rank,n] and B [m,Rank].
type Term struct {
	Factor float64
	Rank   int
	A, B   []float32
}

// TruncatedSum is the leading part, of the given rank, of Σ Factor·B·A [m,n], and the whole sum's Frobenius norm. All is done in float64 on
// the factors, so it costs what their ranks cost and the sum itself never exists. Ranks that the sum has not come out as zeros.
func TruncatedSum(m, n, rank int, terms []Term) (s *SVD, size float64, err error) {
	k := 0
	for _, t := range terms {
		k += t.Rank
	}
	if rank < 1 {
		return nil, 0, fmt.Errorf("linalg: rank %d: must be 1 or more", rank)
	}
	a, bt := make([]float64, k*n), make([]float64, k*m) // stacked, B transposed
	at := 0
	for _, t := range terms {
		for i := range t.Rank {
			for j, v := range t.A[i*n : (i+1)*n] {
				a[at*n+j] = float64(v)
			}
			for j := range m {
				bt[at*m+j] = t.Factor * float64(t.B[j*t.Rank+i])
			}
			at++
		}
	}
	for _, v := range [][]float64{a, bt} {
		if d := dot(v, v); d-d != 0 {
			return nil, 0, fmt.Errorf("linalg: a factor holds values that are no finite numbers")
		}
	}
	ra, rb := a, bt
	ka, kb := k, k
	var la, lb []float64 // a = la·ra, bt = lb·rb
	if k > n {
		la, ra, ka = a, identity(n), n
	} else {
		la = orthonormal(a, k, n, 0)
	}
	if k > m {
		lb, rb, kb = bt, identity(m), m
	} else {
		lb = orthonormal(bt, k, m, 0)
	}
	core := make([]float64, kb*ka) // lbᵀ·la
	for i := range k {
		for p := range kb {
			axpy(core[p*ka:(p+1)*ka], lb[i*kb+p], la[i*ka:(i+1)*ka])
		}
	}
	size = norm(core)
	c := ofCore(core, kb, ka).cut(min(rank, ka, kb))
	s = &SVD{M: m, N: n, S: make([]float64, rank), U: make([]float64, rank*m), V: make([]float64, rank*n)}
	copy(s.S, c.S)
	copy(s.U, combine(c.U, c.Rank(), kb, rb, m))
	copy(s.V, combine(c.V, c.Rank(), ka, ra, n))
	s.signs()
	return s, size, nil
}

// ofCore decomposes x [m,n], which it may spoil.
func ofCore(x []float64, m, n int) *SVD {
	if m <= n {
		return ofRows(x, m, n)
	}
	t := make([]float64, len(x))
	for i := range m {
		for j := range n {
			t[j*m+i] = x[i*n+j]
		}
	}
	s := ofRows(t, n, m)
	s.M, s.N, s.U, s.V = s.N, s.M, s.V, s.U
	return s
}
