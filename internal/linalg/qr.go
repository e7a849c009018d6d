package linalg

import (
	"fmt"
	"math"

	"ft/internal/kernels"
)

// LeadingQR is the part of w's QR decomposition that its first `rank` columns decide: Q [m,rank] with orthonormal columns that span
// them, and R = Qᵀ·W [rank,n]. R's diagonal is not negative.
func LeadingQR(w *kernels.Matrix, rank int) (q, r []float32, err error) {
	m, n := w.Rows, w.Cols
	if side := min(m, n); rank < 1 || rank > side {
		return nil, nil, fmt.Errorf("linalg: rank %d of a matrix [%d,%d]: must be from 1 to %d", rank, m, n, side)
	}
	if !finite(w) {
		return nil, nil, fmt.Errorf("linalg: the matrix [%d,%d] holds values that are no finite numbers", m, n)
	}
	columns := make([]float64, rank*m)
	row := make([]float32, n)
	for i := range m {
		w.Row(row, i)
		for j, v := range row[:rank] {
			columns[j*m+i] = float64(v)
		}
	}
	orthonormal(columns, rank, m, 0)
	p := &product{w: w}
	p.times(columns, rank, true)
	q = make([]float32, m*rank)
	for j := range rank {
		for i, v := range columns[j*m : (j+1)*m] {
			q[i*rank+j] = float32(v)
		}
	}
	return q, append([]float32(nil), p.out...), nil
}

// Distance is the Frobenius norm of w - scale·B·A, with A [rank,Cols] and B [Rows,rank], and that of w.
func Distance(w *kernels.Matrix, a, b []float32, rank int, scale float32) (rest, size float64) {
	const rows = 128
	part := make([]float32, min(rows, w.Rows)*w.Cols)
	for lo := 0; lo < w.Rows; lo += rows {
		n := min(rows, w.Rows-lo)
		for i := range n {
			w.Row(part[i*w.Cols:(i+1)*w.Cols], lo+i)
		}
		size += squares(part[:n*w.Cols])
		kernels.Gemm(part, w.Cols, b[lo*rank:], rank, false, a, w.Cols, false, n, w.Cols, rank, -scale, true)
		rest += squares(part[:n*w.Cols])
	}
	return math.Sqrt(rest), math.Sqrt(size)
}
