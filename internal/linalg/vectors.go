package linalg

import (
	"math"

	"ft/internal/kernels"
	"ft/internal/keyed"
)

// dot is the inner product of two rows, summed in one order always.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// axpy adds c·x to y.
func axpy(y []float64, c float64, x []float64) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] += c * v
	}
}

// norm is the Euclidean norm. Values near the ends of float64's range do not occur: they come from float32.
func norm(x []float64) float64 { return math.Sqrt(dot(x, x)) }

// smallWork is the number of multiplications below which sharing work costs more than it gives.
const smallWork = 1 << 15

// each runs f for 0 to n-1 on the pool, or here if it is little work.
func each(n, work int, f func(i int)) {
	if work < smallWork {
		for i := range n {
			f(i)
		}
		return
	}
	kernels.Parallel(n, f)
}

// combine returns c [rows,k]·x [k,n].
func combine(c []float64, rows, k int, x []float64, n int) []float64 {
	out := make([]float64, rows*n)
	each(rows, rows*k*n, func(i int) {
		for j := range k {
			axpy(out[i*n:(i+1)*n], c[i*k+j], x[j*n:(j+1)*n])
		}
	})
	return out
}

// fillRandom fills x with numbers from [-1,1) that depend on the key alone.
func fillRandom(x []float64, key uint64) {
	for i := range x {
		key += keyed.Increment
		x[i] = float64(int64(keyed.Mix(key))) / (1 << 63)
	}
}

// piece is how many values of a row one task changes.
const piece = 4096

// orthonormal makes the rows of x [k,n], k at most n, orthonormal, given that the first `done` are, and returns lower triangular
// l [k,k] with old x = l·new x for the others: Gram–Schmidt, each row against all before it, twice (Giraud and Langou 2005: twice
// is enough). A row that depends on those before it, to 12 digits, is replaced by a direction of its own with 0 on l's diagonal.
func orthonormal(x []float64, k, n, done int) (l []float64) {
	l = make([]float64, k*k)
	for i := range done {
		l[i*k+i] = 1
	}
	for i := done; i < k; i++ {
		row := x[i*n : (i+1)*n]
		before := norm(row)
		project(x, i, n, row, l[i*k:])
		project(x, i, n, row, l[i*k:])
		size := norm(row)
		l[i*k+i] = size
		for try := uint64(1); !(size > 1e-12*before) || size == 0; try++ {
			l[i*k+i] = 0
			fillRandom(row, uint64(i)<<32+try)
			before = norm(row)
			spare := make([]float64, i)
			project(x, i, n, row, spare)
			project(x, i, n, row, spare)
			size = norm(row)
		}
		for j := range row {
			row[j] /= size
		}
	}
	return l
}

// project takes out of row what it has in common with the first k rows of x [.,n], and adds the coefficients to c.
func project(x []float64, k, n int, row, c []float64) {
	now := make([]float64, k)
	each(k, k*n, func(j int) { now[j] = dot(x[j*n:(j+1)*n], row) })
	each((n+piece-1)/piece, k*n, func(p int) {
		lo, hi := p*piece, min(n, (p+1)*piece)
		for j, v := range now {
			axpy(row[lo:hi], -v, x[j*n+lo:j*n+hi])
		}
	})
	for j, v := range now {
		c[j] += v
	}
}

func squares(x []float32) (sum float64) {
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}
