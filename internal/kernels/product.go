package kernels

import (
	"fmt"
	"sync"
)

// maxTerms is how many products one Product sums: a weight and its low-rank term for each of q, k and v.
const maxTerms = 6

// term is one product A·B of a sum, perhaps with dropout on the product.
type term struct {
	a    Left
	b    Operand
	mask Mask
}

// whole reports whether the term's B is stored rows and its A blocks, ready to be taken slice by slice.
func (t *term) whole() bool { return !t.a.act.Nil() && !t.a.mask.on() && t.b.act.Nil() && !t.mask.on() }

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
	panels, rowTasks int // of one task: panels of columns; number of row ranges
	strips           int
	sliced           bool
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
	panelBudget = 128 << 10 // float32 words of packed B per task: half of a common second-level cache
	tasksEach   = 3         // tasks per thread that the split aims at, so that the last ones end together
	chunkBlocks = 16        // blocks of k that a strip of A and a panel of B have in the first-level cache at once
	deepBlocks  = 512       // of k from which on a product goes through B in slices
	sliceBlocks = 128       // of k in a slice, a multiple of chunkBlocks
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

// RunSerial is Run on the caller's goroutine alone, for use inside a parallel task. The result is the same.
func (p *Product) RunSerial() {
	p.runOn(active.Load())
}

// runOn is RunSerial on a given backend.
func (p *Product) runOn(be *backend) {
	n := p.plan(1)
	p.be = be
	for i := range n {
		p.Task(i)
	}
}

// depth is the number of values summed for one element.
func (p *Product) depth() (k int) {
	for i := range p.count {
		k += p.terms[i].b.k
	}
	for i := range p.pairs {
		k += p.pair[i].b.k
	}
	return k
}

// plan cuts C into tasks and returns their number: ranges of columns, each small enough for its packed panels to stay
// in the second-level cache, and of rows where columns alone would leave threads without work.
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
	all := (p.N + PanelCols - 1) / PanelCols
	if p.sliced = p.count == 1 && p.pairs == 0 && deep > deepBlocks*blockWords && p.terms[0].whole(); p.sliced {
		deep = sliceBlocks * blockWords
	}
	most := max(1, panelBudget/max(deep, 1))
	cols := (all + most - 1) / most
	if threads > 1 { // a multiple of the threads, so that they end together
		cols = (max(cols, min(all, threads)) + threads - 1) / threads * threads
	}
	p.panels = (all + cols - 1) / cols
	p.panels = (p.panels + unit - 1) / unit * unit
	cols = (all + p.panels - 1) / p.panels
	p.rowTasks = 1
	if cols < threads {
		p.rowTasks = min(p.strips, (threads*tasksEach+cols-1)/cols)
	}
	return cols * p.rowTasks
}

// scratch is a worker's memory for one task.
type scratch struct {
	panels, strip, c, c2, masked, rows, tile []float32
	keys                                     [StripRows]uint64
	product                                  Product // for GemmSerial
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Task computes one part of C; it is called by Run.
func (p *Product) Task(i int) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	row, lo := i%p.rowTasks, i/p.rowTasks*p.panels
	hi := min(lo+p.panels, (p.N+PanelCols-1)/PanelCols)
	from, to := row*p.strips/p.rowTasks, (row+1)*p.strips/p.rowTasks
	if p.sliced {
		p.slices(s, from, to, lo, hi)
		return
	}
	s.panels = grow(s.panels, p.packed(hi-lo))
	at := 0
	for i := range p.count + p.pairs {
		b := &p.term(i).b
		size := (hi - lo) * b.blocks(p.Prec) * blockWords
		b.pack(p.be, p.Prec, s.panels[at:at+size], lo, hi, 0, b.blocks(p.Prec), s)
		at += size
	}
	s.c = grow(s.c, (hi-lo)*resultSize)
	if p.pairs > 0 {
		s.c2 = grow(s.c2, (hi-lo)*resultSize)
	}
	for strip := from; strip < to; strip++ {
		at := p.sum(s, s.c, p.terms[:p.count], strip, lo, hi, 0)
		if p.pairs > 0 {
			p.sum(s, s.c2, p.pair[:p.pairs], strip, lo, hi, at)
		}
		p.Sink.strip(p, s, s.c, strip, lo, hi)
	}
}

// term is the i-th of all terms, those of the pair last.
func (p *Product) term(i int) *term {
	if i < p.count {
		return &p.terms[i]
	}
	return &p.pair[i-p.count]
}

// packed is the words of n panels of all terms.
func (p *Product) packed(n int) (words int) {
	for i := range p.count + p.pairs {
		words += n * p.term(i).b.blocks(p.Prec) * blockWords
	}
	return words
}

// sum adds up terms for one strip, panels lo to hi, into c. Their panels lie in s.panels from `at` on; it returns where
// they end.
func (p *Product) sum(s *scratch, c []float32, terms []term, strip, lo, hi, at int) int {
	rows, panels := min(StripRows, p.M-strip*StripRows), hi-lo
	add := false
	for i := range terms {
		t := &terms[i]
		kb := t.b.blocks(p.Prec)
		a := t.a.strip(p.be, p.Prec, s.left(&t.a, kb), strip*StripRows, rows, t.b.k, s)
		b := s.panels[at : at+panels*kb*blockWords]
		at += len(b)
		if !t.mask.on() {
			p.be.multiply(c, a, b, p.Prec, kb, panels, kb*blockWords, add)
			add = true
			continue
		}
		if !add {
			clear(c)
		}
		s.masked = grow(s.masked, panels*resultSize)
		p.be.multiply(s.masked, a, b, p.Prec, kb, panels, kb*blockWords, false)
		t.mask.add(p.be, s, c, s.masked, strip, lo, hi)
		add = true
	}
	if !add {
		clear(c)
	}
	return at
}

// left is memory for a packed strip of kb blocks, if a needs it.
func (s *scratch) left(a *Left, kb int) []float32 {
	if !a.act.Nil() && !a.mask.on() {
		return nil
	}
	s.strip = grow(s.strip, kb*blockWords)
	return s.strip
}

// slices computes C's strips from to to, panels lo to hi, of a product so deep that a panel of B leaves the caches: it
// goes through B slice by slice, and all strips pass over each.
func (p *Product) slices(s *scratch, from, to, lo, hi int) {
	panels := hi - lo
	size := panels * resultSize
	s.c = grow(s.c, (to-from)*size)
	t := &p.terms[0]
	kb := t.b.blocks(p.Prec)
	s.panels = grow(s.panels, panels*sliceBlocks*blockWords)
	for k := 0; k < kb; k += sliceBlocks {
		n := min(sliceBlocks, kb-k)
		t.b.pack(p.be, p.Prec, s.panels, lo, hi, k, n, s)
		for strip := from; strip < to; strip++ {
			c := s.c[(strip-from)*size : (strip-from+1)*size]
			a := t.a.act.Strip(strip)[k*blockWords : (k+n)*blockWords]
			p.be.multiply(c, a, s.panels, p.Prec, n, panels, n*blockWords, k > 0)
		}
	}
	for strip := from; strip < to; strip++ {
		p.Sink.strip(p, s, s.c[(strip-from)*size:(strip-from+1)*size], strip, lo, hi)
	}
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
func (be *backend) multiply(c, a, b []float32, prec Precision, blocks, panels, stride int, add bool) {
	kernel := be.strip(prec)
	if blocks == 0 && !add {
		clear(c[:panels*resultSize])
	}
	for k := 0; k < blocks; k += chunkBlocks {
		n := min(chunkBlocks, blocks-k)
		kernel(c, a[k*blockWords:(k+n)*blockWords], b[k*blockWords:], n, panels, stride, add || k > 0)
	}
}

// grow is v, or a new slice aligned to 64 bytes, with room for n values; contents are undefined.
func grow(v []float32, n int) []float32 {
	if n <= cap(v) {
		return v[:n]
	}
	v, _ = onHeap(n + n/4)
	return v[:n]
}
