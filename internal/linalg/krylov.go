package linalg

import (
	"math"

	"ft/internal/kernels"
)

const (
	growth     = 4   // blocks of a Krylov space before it is restarted
	maxCycles  = 20  // a gap of 3 % after the last value takes 3 to 6
	stalled    = 0.9 // a residual that falls by less is the products' rounding
	blockUnit  = 16  // rows of a block are a multiple of this
	spareUnits = 8   // rows of a block beyond the rank, at least
)

// blockOf is the number of rows of a block for a rank.
func blockOf(rank int) int {
	return (rank + max(spareUnits, rank/8) + blockUnit - 1) / blockUnit * blockUnit
}

// product is float32 products with one matrix.
type product struct {
	w       *kernels.Matrix
	in, out []float32
}

// times is x [k,.]·wᵀ [k,Rows], or with back x·w [k,Cols].
func (p *product) times(x []float64, k int, back bool) []float64 {
	from, to := p.w.Cols, p.w.Rows
	if back {
		from, to = to, from
	}
	p.in, p.out = kernels.Grow(p.in, k*from), kernels.Grow(p.out, k*to)
	for i, v := range x[:k*from] {
		p.in[i] = float32(v)
	}
	kernels.MulWeights(p.out, p.in, k, p.w, !back)
	y := make([]float64, k*to)
	for i, v := range p.out {
		y[i] = float64(v)
	}
	return y
}

// krylov finds the leading part of w's decomposition from products alone. A cycle spans the space of [v, WᵀW·v, (WᵀW)²·v, …] from the best
// vectors so far, takes the decomposition of W within it, and ends when the residual ‖Wᵀ·u - S·v‖ of every wanted vector is at most tol
// beside the largest singular value, or no longer falls: float32 products say no more then.
func krylov(w *kernels.Matrix, rank int, tol float64) *SVD {
	b, m, n := blockOf(rank), w.Rows, w.Cols
	k := b * growth
	p := &product{w: w}
	q, z := make([]float64, k*n), make([]float64, k*m) // rows of q are orthonormal, z = q·Wᵀ
	fillRandom(q[:b*n], 1)
	orthonormal(q, b, n, 0)
	copy(z, p.times(q, b, false))
	back := p.times(z, b, true)
	var s *SVD
	last := math.Inf(1)
	for range maxCycles {
		for i := 1; i < growth; i++ {
			copy(q[i*b*n:], back)
			orthonormal(q, (i+1)*b, n, i*b)
			next := p.times(q[i*b*n:], b, false)
			copy(z[i*b*m:], next)
			if i+1 < growth {
				back = p.times(next, b, true)
			}
		}
		s = ritz(q, z, k, b, m, n, tol)
		back = p.times(s.U, b, true)
		now := s.residual(back, rank)
		if now <= tol*s.S[0] || now > stalled*last {
			break
		}
		last = now
		copy(q, s.V)
		for i := range b { // W·v without another product
			for j, u := range s.U[i*m : (i+1)*m] {
				z[i*m+j] = s.S[i] * u
			}
		}
	}
	s = s.cut(rank)
	s.signs()
	return s
}

// ritz is the leading b of the decomposition of W within the space that the rows of q [k,n] span: z = q·Wᵀ [k,m] is Jᵀ·S·U, and V = J·q.
func ritz(q, z []float64, k, b, m, n int, tol float64) *SVD {
	u := append([]float64(nil), z...)
	l := orthonormal(u, k, m, 0)
	j := identity(k)
	jacobi(l, k, k, j, tol/100)
	s := &SVD{M: m, N: n, S: make([]float64, b)}
	left, right := make([]float64, b*k), make([]float64, b*k)
	for i, at := range falling(l, k, k)[:b] {
		row := l[at*k : (at+1)*k]
		s.S[i] = norm(row)
		copy(right[i*k:], j[at*k:(at+1)*k])
		for c, v := range row {
			if s.S[i] > 0 {
				left[i*k+c] = v / s.S[i]
			}
		}
	}
	s.U, s.V = combine(left, b, k, u, m), combine(right, b, k, q, n)
	return s
}

// residual is the largest ‖Wᵀ·u - S·v‖ of the first r vectors; back is U·W.
func (s *SVD) residual(back []float64, r int) float64 {
	worst := 0.0
	for i := range r {
		sum := 0.0
		for j, v := range s.V[i*s.N : (i+1)*s.N] {
			d := back[i*s.N+j] - s.S[i]*v
			sum += d * d
		}
		worst = max(worst, math.Sqrt(sum))
	}
	return worst
}
