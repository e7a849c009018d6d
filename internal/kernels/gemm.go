package kernels

import (
	"fmt"
	"sync"
)

// MulT computes dst[t,Rows] = x[t,Cols] · wᵀ, the forward pass of a linear layer, or adds it to dst if add.
// dst must not overlap x. Row i of dst depends on row i of x and w only, bit for bit.
func MulT(dst, x []float32, w *Matrix, t int, add bool) {
	w.check("MulT")
	if t < 0 || len(dst) != t*w.Rows || len(x) != t*w.Cols {
		panic(fmt.Sprintf("kernels: MulT: dst %d, x %d values for t=%d and a matrix [%d,%d]", len(dst), len(x), t, w.Rows, w.Cols))
	}
	p := product{c: dst, ldc: w.Rows, a: x, lda: w.Cols, b: operand{w: w, trans: true}, m: t, n: w.Rows, k: w.Cols, alpha: 1, add: add}
	p.run()
}

// Mul computes dst[t,Cols] = dy[t,Rows] · w, the input gradient of a linear layer, or adds it to dst if add.
// dst must not overlap dy. Row i of dst depends on row i of dy and w only, bit for bit.
func Mul(dst, dy []float32, w *Matrix, t int, add bool) {
	w.check("Mul")
	if t < 0 || len(dst) != t*w.Cols || len(dy) != t*w.Rows {
		panic(fmt.Sprintf("kernels: Mul: dst %d, dy %d values for t=%d and a matrix [%d,%d]", len(dst), len(dy), t, w.Rows, w.Cols))
	}
	p := product{c: dst, ldc: w.Cols, a: dy, lda: w.Rows, b: operand{w: w}, m: t, n: w.Cols, k: w.Rows, alpha: 1, add: add}
	p.run()
}

// Gemm computes C[m,n] = alpha·op(A)[m,k]·op(B)[k,n], plus the old C if add. op(A) is A, stored [m,k], or
// with transA the transpose of A stored [k,m]; B likewise. lda, ldb, ldc are the distances of stored rows.
// C must overlap neither A nor B. It runs on Threads threads.
func Gemm(c []float32, ldc int, a []float32, lda int, transA bool, b []float32, ldb int, transB bool, m, n, k int, alpha float32, add bool) {
	p := newProduct("Gemm", c, ldc, a, lda, transA, b, ldb, transB, m, n, k, alpha, add)
	p.run()
}

// GemmSerial is Gemm on the caller's goroutine alone, for use inside Parallel. The result is the same.
func GemmSerial(c []float32, ldc int, a []float32, lda int, transA bool, b []float32, ldb int, transB bool, m, n, k int, alpha float32, add bool) {
	p := newProduct("GemmSerial", c, ldc, a, lda, transA, b, ldb, transB, m, n, k, alpha, add)
	if p.trivial() {
		return
	}
	be := active.Load()
	step := p.columns(be, 1)
	for j := 0; j < n; j += step {
		p.block(be, 0, m, j, min(n, j+step))
	}
}

// newProduct checks the operands of Gemm.
func newProduct(fn string, c []float32, ldc int, a []float32, lda int, transA bool, b []float32, ldb int, transB bool, m, n, k int, alpha float32, add bool) product {
	if m < 0 || n < 0 || k < 0 {
		panic(fmt.Sprintf("kernels: %s: negative size m=%d n=%d k=%d", fn, m, n, k))
	}
	checkStored(fn, "C", c, ldc, m, n, false)
	checkStored(fn, "A", a, lda, m, k, transA)
	checkStored(fn, "B", b, ldb, k, n, transB)
	return product{c: c, ldc: ldc, a: a, lda: lda, transA: transA, b: operand{f: b, ld: ldb, trans: transB}, m: m, n: n, k: k, alpha: alpha, add: add}
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

// product is C[m,n] = alpha·op(A)·B (+ C).
type product struct {
	c       []float32
	ldc     int
	a       []float32
	lda     int
	transA  bool
	b       operand
	m, n, k int
	alpha   float32
	add     bool
}

// serialWork is the number of multiplications below which waking helpers costs more than it gives.
const serialWork = 1 << 16

// run does the product on the pool.
func (p *product) run() {
	if p.trivial() {
		return
	}
	be, threads := active.Load(), Threads()
	if p.m*p.n*p.k <= serialWork {
		threads = 1
	}
	nb := p.columns(be, threads)
	cols := (p.n + nb - 1) / nb
	mb := p.rows(be, threads, cols)
	rows := (p.m + mb - 1) / mb
	Parallel(cols*rows, func(i int) {
		i0, j0 := i%rows*mb, i/rows*nb
		p.block(be, i0, min(p.m, i0+mb), j0, min(p.n, j0+nb))
	})
}

// trivial does the product if there is nothing to multiply and reports whether that was so.
func (p *product) trivial() bool {
	if p.m == 0 || p.n == 0 {
		return true
	}
	if p.k > 0 {
		return false
	}
	for i := 0; !p.add && i < p.m; i++ {
		clear(p.c[i*p.ldc : i*p.ldc+p.n])
	}
	return true
}

const (
	maxColumns = 256 // of one block: with maxChunk, 512 KB of panels, half of a common second-level cache
	maxChunk   = 512 // of k
	tasksEach  = 3   // tasks per thread that the split aims at, so that the last ones end together
)

// columns is how many columns of C a task takes, a multiple of whole panels and quantisation blocks.
func (p *product) columns(be *backend, threads int) int {
	unit := be.nr
	if p.b.w != nil && !p.b.trans {
		unit = max(unit, p.b.w.Type.Block())
	}
	most := maxColumns
	if p.m <= be.mr && p.b.trans {
		most = 2 * be.nr // little arithmetic per weight: keep the panels in the first-level cache
	}
	nb := min(most, (p.n+threads*tasksEach-1)/(threads*tasksEach))
	if threads == 1 {
		nb = most
	}
	return (nb + unit - 1) / unit * unit
}

// rows is how many rows of C a task takes, given the number of column blocks: all, unless that leaves
// threads without work. Blocks of the same columns pack them once each.
func (p *product) rows(be *backend, threads, cols int) int {
	if threads == 1 || cols >= threads {
		return p.m
	}
	parts := (threads*tasksEach + cols - 1) / cols
	mb := max(2*be.mr, (p.m+parts-1)/parts)
	return (mb + be.mr - 1) / be.mr * be.mr
}

// chunk is the number of k summed in accumulators before C is touched. It depends on k alone, so that
// nothing else changes the result, and keeps quantisation blocks whole.
func chunk(k int) int {
	unit := 32
	if k%256 == 0 {
		unit = 256
	}
	n := (k + maxChunk - 1) / maxChunk
	return ((k+n-1)/n + unit - 1) / unit * unit
}

// scratch is a worker's memory for one block.
type scratch struct {
	panels, rows, strip, edge []float32
	tile                      tile
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// block computes C rows i0 to i1, columns j0 to j1.
func (p *product) block(be *backend, i0, i1, j0, j1 int) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	kc := chunk(p.k)
	strips := (i1 - i0 + be.mr - 1) / be.mr
	for k0 := 0; k0 < p.k; k0 += kc {
		k1 := min(p.k, k0+kc)
		p.b.pack(be, s, j0, j1, k0, k1)
		for q := range strips { // of nearly equal height
			lo, hi := i0+q*(i1-i0)/strips, i0+(q+1)*(i1-i0)/strips
			p.packStrip(s, lo, hi, k0, k1)
			s.tile.alpha, s.tile.add = p.alpha, p.add || k0 > 0
			p.strip(be, s, lo, j0, j1)
		}
	}
	s.tile = tile{} // hold on to nobody's memory
}

// strip multiplies the packed rows from lo on with all panels of columns j0 to j1.
func (p *product) strip(be *backend, s *scratch, lo, j0, j1 int) {
	t := &s.tile
	add, size := t.add, t.k*be.nr
	for j, b := j0, 0; j < j1; j, b = j+be.nr, b+size {
		t.b = s.panels[b : b+size]
		if j+be.nr <= j1 {
			t.c, t.ldc = p.c[lo*p.ldc+j:], p.ldc
			be.tile(t)
			continue
		}
		s.edge = grow(s.edge, be.mr*be.nr)
		t.c, t.ldc, t.add = s.edge, be.nr, false
		be.tile(t)
		t.add = add
		for r := range t.rows {
			addOrSet(p.c[(lo+r)*p.ldc+j:(lo+r)*p.ldc+j1], s.edge[r*be.nr:], add)
		}
	}
}

// addOrSet adds the front of src to dst, or copies it.
func addOrSet(dst, src []float32, add bool) {
	if !add {
		copy(dst, src)
		return
	}
	for i := range dst {
		dst[i] += src[i]
	}
}
