package kernels

import "ft/internal/stash"

// scratch is a worker's memory for one task.
type scratch struct {
	panels, strip, c, c2, masked, rows, tile, piece []float32
	keys                                            [StripRows]uint64
	product                                         Product // for Gemm and what multiplies rows
}

var scratches stash.Stash[scratch]

// Task computes one part of C; it is called by Run.
func (p *Product) Task(i int) {
	s := scratches.Get()
	defer scratches.Put(s)
	row, lo := i%p.rowTasks, i/p.rowTasks*p.panels
	part := part{
		lo: lo, hi: min(lo+p.panels, groups(p.N)),
		from: row * p.strips / p.rowTasks, to: (row + 1) * p.strips / p.rowTasks,
	}
	if p.slice > 0 {
		p.sliced(s, part)
	} else {
		p.whole(s, part)
	}
}

// part is the part of C that a task computes: strips from to to, panels lo to hi.
type part struct{ from, to, lo, hi int }

func (a part) panels() int { return a.hi - a.lo }

// whole packs all panels of the part, and then every strip passes over them and goes to the sink.
func (p *Product) whole(s *scratch, a part) {
	size := 0
	for i := range p.count + p.pairs {
		size += a.panels() * p.term(i).b.blocks(p.Prec) * blockWords
	}
	s.panels = Grow(s.panels, size)
	at := 0
	for i := range p.count + p.pairs {
		b := &p.term(i).b
		kb := b.blocks(p.Prec)
		b.pack(p.be, p.Prec, s.panels[at:], a.lo, a.hi, 0, kb, s)
		at += a.panels() * kb * blockWords
	}
	s.room(p, a.panels(), 1)
	for strip := a.from; strip < a.to; strip++ {
		if at = 0; p.count == 0 {
			clear(s.c) // of what the sink left
		}
		for i := range p.count + p.pairs {
			c, first := s.sum(p, i)
			kb := p.term(i).b.blocks(p.Prec)
			p.add(s, c, s.panels[at:], i, strip, a, 0, kb, !first)
			at += a.panels() * kb * blockWords
		}
		p.Sink.strip(p, s.c, s.c2, strip, a.lo, a.hi)
	}
}

// sliced goes through k slice by slice, with all strips of C at hand: each slice of B is packed once and stays in the
// second-level cache while the strips pass over it.
func (p *Product) sliced(s *scratch, a part) {
	size := a.panels() * resultSize
	s.room(p, a.panels(), a.to-a.from)
	for i := range p.count + p.pairs {
		c, first := s.sum(p, i)
		t := p.term(i)
		kb, step := t.b.blocks(p.Prec), p.slice
		if t.mask.on() {
			step = max(kb, 1) // a sum is complete before it is masked
		}
		s.panels = Grow(s.panels, a.panels()*step*blockWords)
		for k := 0; k < max(kb, 1); k += step {
			n := min(step, kb-k)
			t.b.pack(p.be, p.Prec, s.panels, a.lo, a.hi, k, n, s)
			for strip := a.from; strip < a.to; strip++ {
				at := (strip - a.from) * size
				p.add(s, c[at:at+size], s.panels, i, strip, a, k, n, !first || k > 0)
			}
		}
	}
	for strip := a.from; strip < a.to; strip++ {
		at := (strip - a.from) * size
		c2 := s.c2
		if p.pairs > 0 {
			c2 = s.c2[at : at+size]
		}
		p.Sink.strip(p, s.c[at:at+size], c2, strip, a.lo, a.hi)
	}
}

// room makes room for so many strips of C.
func (s *scratch) room(p *Product, panels, strips int) {
	s.c = Grow(s.c, strips*panels*resultSize)
	s.c2 = s.c2[:0]
	if p.pairs > 0 {
		s.c2 = Grow(s.c2, strips*panels*resultSize)
	}
	if p.count == 0 {
		clear(s.c)
	}
}

// sum is the sum that term i belongs to, and whether it is the first there.
func (s *scratch) sum(p *Product, i int) (c []float32, first bool) {
	if i < p.count {
		return s.c, i == 0
	}
	return s.c2, i == p.count
}

// add computes term i's part of one strip, n blocks of k from k0 on, into c, or adds it. Its packed panels are b.
func (p *Product) add(s *scratch, c, b []float32, i, strip int, at part, k0, n int, add bool) {
	if n == 0 { // a sum over nothing
		if !add {
			clear(c)
		}
		return
	}
	t := &p.term(i).a
	if !t.act.Nil() && !t.mask.on() {
		p.addStrip(s, c, t.act.Strip(strip)[k0*blockWords:(k0+n)*blockWords], b, i, strip, at, n, add)
		return
	}
	s.strip = Grow(s.strip, n*blockWords)
	t.pack(p.be, p.Prec, s.strip, strip*StripRows, min(StripRows, p.M-strip*StripRows), p.term(i).b.k, k0, n, s)
	p.addStrip(s, c, s.strip, b, i, strip, at, n, add)
}

// addStrip is add for n blocks of a strip a, with dropout on the product if the term has it.
func (p *Product) addStrip(s *scratch, c, a, b []float32, i, strip int, at part, n int, add bool) {
	m, panels := p.term(i).mask, at.panels()
	rows, cols := min(StripRows, p.M-strip*StripRows), min(PanelCols, p.N-(at.hi-1)*PanelCols)
	switch {
	case m.on():
	case p.Prec == F32 && p.term(i).b.k > longSum:
		p.addPieces(s, c, a, b, n, panels, rows, cols, add)
		return
	default:
		p.be.multiply(c, a, b, p.Prec, n, panels, n*blockWords, rows, cols, add)
		return
	}
	if !add {
		clear(c)
	}
	s.masked = Grow(s.masked, panels*resultSize)
	p.be.multiply(s.masked, a, b, p.Prec, n, panels, n*blockWords, rows, cols, false)
	m.add(p.be, s, c, s.masked, strip, at.lo, at.hi)
}

// longSum is the k above which a float32 sum is made of pieces. A single chain over a vocabulary of 50,000, as in the gradient of an
// output head, is off by 1e-5, which a deep model's backward pass makes ten times as much.
const longSum = 8192

// addPieces is multiply with a sum of its own for each chunk of k, whose bounds depend on k alone.
func (p *Product) addPieces(s *scratch, c, a, b []float32, n, panels, rows, cols int, add bool) {
	s.piece = Grow(s.piece, panels*resultSize)
	for k := 0; k < n; k += chunkBlocks {
		m := min(chunkBlocks, n-k)
		into := s.piece
		if !add {
			into = c
		}
		p.be.multiply(into, a[k*blockWords:], b[k*blockWords:], p.Prec, m, panels, n*blockWords, rows, cols, false)
		if add {
			p.be.vec.axpy(c[:panels*resultSize], 1, s.piece)
		}
		add = true
	}
}
