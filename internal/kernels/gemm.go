package kernels

import "fmt"

// Gemm computes C[m,n] = alpha·op(A)[m,k]·op(B)[k,n], plus the old C if add. op(A) is A, stored [m,k], or
// with transA the transpose of A stored [k,m]; B likewise. lda, ldb, ldc are the distances of stored rows.
// C must overlap neither A nor B. It runs on Threads threads.
func Gemm(c []float32, ldc int, a []float32, lda int, transA bool, b []float32, ldb int, transB bool, m, n, k int, alpha float32, add bool) {
	if m < 0 || n < 0 || k < 0 {
		panic(fmt.Sprintf("kernels: Gemm: negative size m=%d n=%d k=%d", m, n, k))
	}
	checkStored("Gemm", "C", c, ldc, m, n, false)
	checkStored("Gemm", "A", a, lda, m, k, transA)
	checkStored("Gemm", "B", b, ldb, k, n, transB)
	s := scratches.Get()
	defer scratches.Put(s)
	p := &s.product
	p.Reset(m, n, F32)
	p.Add(Left{f: a, ld: lda, trans: transA}, Values(b, ldb, k, n, transB), false)
	p.Sink = Sink{Kind: ToRows, Rows: c, LD: ldc, Add: add, Alpha: alpha, scaled: true}
	p.Run()
	p.Reset(0, 0, F32) // hold on to nobody's memory
}

// checkStored panics unless v holds op(X) [rows,cols] with row distance ld.
func checkStored(fn, name string, v []float32, ld, rows, cols int, trans bool) {
	if trans {
		rows, cols = cols, rows
	}
	if rows == 0 || cols == 0 {
		return
	}
	if ld < cols || len(v) < (rows-1)*ld+cols {
		panic(fmt.Sprintf("kernels: %s: %s is stored [%d,%d] with row distance %d, but has %d values", fn, name, rows, cols, ld, len(v)))
	}
}

// MulWeights computes C [m,n] = X [m,k]·B in float32 for a weight in its file's number type: B is w [Rows,Cols], or with transW its
// transpose. C must not overlap X. It runs on Threads threads.
func MulWeights(c, x []float32, m int, w *Matrix, transW bool) {
	b := Weights(w)
	if transW {
		b = WeightsT(w)
	}
	checkStored("MulWeights", "C", c, b.n, m, b.n, false)
	checkStored("MulWeights", "X", x, b.k, m, b.k, false)
	s := scratches.Get()
	defer scratches.Put(s)
	p := &s.product
	p.Reset(m, b.n, F32)
	p.Add(Left{f: x, ld: b.k}, b, false)
	p.Sink = Sink{Kind: ToRows, Rows: c, LD: b.n}
	p.Run()
	p.Reset(0, 0, F32)
}
