package kernels

import (
	"fmt"

	"ft/internal/stash"
)

// RowProduct is one product of few rows: Dst [t,Rows] = X [t,Cols] · Wᵀ. Dst must not overlap X. Prec BF16 allows rounding X and W to
// bfloat16, which is done where the backend gains from it and Cols is a multiple of 32, for any t or for none.
type RowProduct struct {
	Dst, X []float32
	W      *Matrix
	Prec   Precision
}

// MulRows does products of t rows side by side, few rows as decoding has them: weights are read once, in their file's type, at the
// speed of memory. Sums are float32 on every backend, each in one fixed order: row i of Dst depends on row i of X and W only, bit
// for bit. It differs from Product by rounding.
func MulRows(t int, products ...RowProduct) {
	j := rowJobs.Get()
	j.be, j.t, j.products = active.Load(), t, append(j.products[:0], products...)
	for i := range j.products {
		j.products[i].check(t)
	}
	j.round()
	j.cut()
	ParallelTasks(len(j.parts), j)
	clear(j.products) // hold on to nobody's memory
	rowJobs.Put(j)
}

func (p *RowProduct) check(t int) {
	p.W.check("MulRows")
	if t < 0 || len(p.Dst) != t*p.W.Rows || len(p.X) != t*p.W.Cols {
		panic(fmt.Sprintf("kernels: MulRows: dst %d, x %d values for t=%d and a matrix [%d,%d]", len(p.Dst), len(p.X), t, p.W.Rows, p.W.Cols))
	}
}

// rowJob is one call of MulRows, cut into parts.
type rowJob struct {
	be       *backend
	t        int
	products []RowProduct
	parts    []rowPart
	halves   []float32 // inputs in bfloat16
	at       []int     // where each product's are in halves; -1 for products in float32
}

// rowPart is rows lo to hi of a product's weight.
type rowPart struct{ product, lo, hi int }

var (
	rowJobs stash.Stash[rowJob]
	rowTmps stash.Stash[[]float32]
)

const (
	partsEach = 4       // parts per thread that the cut aims at, so that the last ones end together
	leastPart = 1 << 15 // multiplications, or weights of one row, below which a part is not worth handing out
	rowGroup  = 4       // weight rows that kernels read side by side
)

// round rounds the inputs of products in bfloat16. Products side by side often have the same input.
func (j *rowJob) round() {
	j.at = j.at[:0]
	n := 0
	for i, p := range j.products {
		switch {
		case p.Prec != BF16 || j.be.rowsBF16 == nil || p.W.Cols%32 != 0 || len(p.X) == 0:
			j.at = append(j.at, -1)
		case i > 0 && j.at[i-1] >= 0 && &p.X[0] == &j.products[i-1].X[0]:
			j.at = append(j.at, j.at[i-1])
		default:
			j.at = append(j.at, n)
			n += len(p.X) / 2
		}
	}
	j.halves = Grow(j.halves, n)
	for i, at := range j.at {
		if at >= 0 && (i == 0 || at != j.at[i-1]) {
			j.be.roundRow(j.halves[at:], j.products[i].X)
		}
	}
}

// cut divides the products into parts of about equal work.
func (j *rowJob) cut() {
	total := 0
	for _, p := range j.products {
		total += p.W.Rows * p.W.Cols
	}
	part := max(total/(partsEach*Threads()), leastPart/max(1, j.t))
	if Threads() == 1 {
		part = max(1, total)
	}
	j.parts = j.parts[:0]
	for i, p := range j.products {
		rows := p.W.Rows
		if p.W.Cols > 0 {
			rows = part / p.W.Cols
		}
		rows = max(rowGroup, rows/rowGroup*rowGroup)
		for lo := 0; lo < p.W.Rows && j.t > 0; lo += rows {
			j.parts = append(j.parts, rowPart{i, lo, min(p.W.Rows, lo+rows)})
		}
	}
}

// Task does one part.
func (j *rowJob) Task(i int) {
	tmp := rowTmps.Get()
	part := j.parts[i]
	p := &j.products[part.product]
	if at := j.at[part.product]; at >= 0 {
		j.be.rowsBF16(p.Dst, j.halves[at:at+len(p.X)/2], j.t, p.W, part.lo, part.hi, tmp)
	} else {
		j.be.rows(j.be, p.Dst, p.X, j.t, p.W, part.lo, part.hi, tmp)
	}
	for r, v := range p.W.replaced {
		if r := int(r); r >= part.lo && r < part.hi {
			j.be.dots(p.Dst[r:], p.W.Rows, p.X, p.W.Cols, j.t, v, p.W.Cols, 1, p.W.Cols)
		}
	}
	rowTmps.Put(tmp)
}

func rowsGeneric(be *backend, dst, x []float32, t int, w *Matrix, lo, hi int, tmp *[]float32) {
	*tmp = Grow(*tmp, w.Cols)
	for r := lo; r < hi; r++ {
		v := w.part(be, *tmp, r, 0, w.Cols)
		for i := range t {
			dst[i*w.Rows+r] = dotGeneric(v, x[i*w.Cols:(i+1)*w.Cols])
		}
	}
}

func dotsGeneric(dst []float32, dstStep int, x []float32, xStep, n int, w []float32, wStep, m, k int) {
	for i := range n {
		for r := range m {
			dst[i*dstStep+r] = dotGeneric(w[r*wStep:r*wStep+k], x[i*xStep:i*xStep+k])
		}
	}
}

func mixGeneric(dst []float32, dstStep int, p []float32, pStep, n int, v []float32, vStep, m, d int) {
	for i := range n {
		out := dst[i*dstStep : i*dstStep+d]
		for r, a := range p[i*pStep : i*pStep+m] {
			axpyGeneric(out, a, v[r*vStep:r*vStep+d])
		}
	}
}
