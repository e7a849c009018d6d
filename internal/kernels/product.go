package kernels

import "fmt"

// maxTerms is how many products one Product sums: a weight and its low-rank term for each of q, k and v.
const maxTerms = 6

// term is one product A·B of a sum, perhaps with dropout on the product.
type term struct {
	a    Left
	b    Operand
	mask Mask
}

// Product is C [M,N] = the sum of its terms, handed to a Sink strip by strip. Pair, if it has terms, is a second sum of
// the same shape over the same left sides, for a sink that combines two. The zero value is empty; it may be used again
// after Reset and is not safe for concurrent use.
type Product struct {
	M, N  int
	Prec  Precision
	Sink  Sink
	terms [maxTerms]term
	count int
	pair  [maxTerms]term
	pairs int

	be               *backend
	strips           int
	panels, rowTasks int // of one task: panels of columns; number of row ranges
	slice            int // blocks of k that are packed at a time; 0: all of all terms
}

// Reset empties p for another product.
func (p *Product) Reset(m, n int, prec Precision) { *p = Product{M: m, N: n, Prec: prec} }

// Add appends a term, of the second sum if pair.
func (p *Product) Add(a Left, b Operand, pair bool) {
	p.check(a, b)
	if pair {
		p.pair[p.pairs] = term{a: a, b: b}
		p.pairs++
		return
	}
	p.terms[p.count] = term{a: a, b: b}
	p.count++
}

// AddMasked appends a term with dropout on its product [M,N]: the gradient of dropout on what B's transpose multiplied.
func (p *Product) AddMasked(a Left, b Operand, m Mask) {
	p.Add(a, b, false)
	p.terms[p.count-1].mask = m
}

func (p *Product) check(a Left, b Operand) {
	if b.n != p.N || !a.act.Nil() && (a.act.T != p.M || a.act.F != b.k || a.act.Prec != p.Prec) || !b.act.Nil() && b.act.Prec != p.Prec {
		panic(fmt.Sprintf("kernels: Product [%d,%d] of %v: a term of [%d,%d] %v and [%d,%d]", p.M, p.N, p.Prec, a.act.T, a.act.F, a.act.Prec, b.k, b.n))
	}
	if b.w != nil {
		b.w.check("Product")
	}
}

const (
	panelBudget = 128 << 10 // float32 words of packed B at a time: half of a common second-level cache
	mostPanels  = 16        // of a task: so many that rows of B are read in long pieces
	leastPanels = 6         // of a task that packs all of its B at once
	tasksEach   = 3         // tasks per thread where rows are split
	chunkBlocks = 16        // blocks of k that a strip of A and a panel of B have in the first-level cache at once
	serialWork  = 1 << 16   // multiplications below which waking helpers costs more than it gives
)

// Run computes the product on the pool.
func (p *Product) Run() {
	threads := Threads()
	if p.M*p.N*p.depth() <= serialWork {
		threads = 1
	}
	if n := p.plan(threads); n > 0 {
		ParallelTasks(n, p)
	}
}

// runOn is Run on a given backend and the caller's goroutine.
func (p *Product) runOn(be *backend) {
	n := p.plan(1)
	p.be = be
	for i := range n {
		p.Task(i)
	}
}

// depth is the number of values summed for one element.
func (p *Product) depth() (k int) {
	for i := range p.count + p.pairs {
		k += p.term(i).b.k
	}
	return k
}

// plan cuts C into tasks and returns their number: ranges of columns, and of rows where columns alone would leave
// threads without work. Where the packed panels of a task would leave the second-level cache, it goes through k slice by
// slice.
func (p *Product) plan(threads int) int {
	if p.M == 0 || p.N == 0 {
		return 0
	}
	p.be = active.Load()
	p.strips = (p.M + StripRows - 1) / StripRows
	unit, deep := 1, 0
	for i := range p.count + p.pairs {
		b := &p.term(i).b
		unit = max(unit, b.unit()/PanelCols)
		deep += b.blocks(p.Prec) * blockWords
	}
	all := groups(p.N)
	p.panels = even(all, threads, mostPanels)
	p.slice = 0
	if fit := panelBudget / max(deep, 1); fit >= min(p.panels, leastPanels) {
		p.panels = even(all, threads, fit)
	} else {
		p.slice = max(1, panelBudget/(p.panels*blockWords)/chunkBlocks) * chunkBlocks
	}
	p.panels = (p.panels + unit - 1) / unit * unit
	cols := (all + p.panels - 1) / p.panels
	p.rowTasks = 1
	if cols < threads {
		p.rowTasks = min(p.strips, (threads*tasksEach+cols-1)/cols)
	}
	return cols * p.rowTasks
}

// even is the size of parts of n, at most `most` each, a multiple of `threads` of them if n allows it.
func even(n, threads, most int) int {
	parts := (n + most - 1) / most
	parts = min(n, (parts+threads-1)/threads*threads)
	return (n + parts - 1) / parts
}

// term is the i-th of all terms, those of the pair last.
func (p *Product) term(i int) *term {
	if i < p.count {
		return &p.terms[i]
	}
	return &p.pair[i-p.count]
}

// strip is the micro-kernel for prec: where bfloat16 is asked for although it is not faster, the Go twin.
func (be *backend) strip(prec Precision) stripFunc {
	switch {
	case prec == F32:
		return be.f32
	case be.bf16 == nil:
		return stripBF16Generic
	}
	return be.bf16
}

// multiply runs the strip kernel in chunks of k. Their bounds depend on k alone, so that nothing else changes the result.
func (be *backend) multiply(c, a, b []float32, prec Precision, blocks, panels, stride, rows, cols int, add bool) {
	kernel := be.strip(prec)
	for k := 0; k < blocks; k += chunkBlocks {
		n := min(chunkBlocks, blocks-k)
		kernel(c, a[k*blockWords:(k+n)*blockWords], b[k*blockWords:], n, panels, stride, rows, cols, add || k > 0)
	}
}

// Grow is v, or a new slice aligned to 64 bytes, with room for n values; contents are undefined.
func Grow(v []float32, n int) []float32 {
	if n <= cap(v) {
		return v[:n]
	}
	v, _ = onHeap(n + n/4)
	return v[:n]
}
