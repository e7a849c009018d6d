package op

import "ft/internal/kernels"

// Pass is what all stages of one forward pass share: how the T tokens divide into samples, the dropout keys
// of the step, and the arena that buffers come from.
type Pass struct {
	T      int
	Starts []int32  // [S+1] sample s is tokens Starts[s] to Starts[s+1]
	Pos    []int32  // [T] position of each token in its sequence
	Keys   []uint64 // [S] sample identities for dropout; may be nil when Train is false
	Train  bool     // dropout is on
	Seed   uint64
	Step   uint64
	Prec   kernels.Precision // of products and of activations between stages
	Arena  *kernels.Arena

	cut        []block // see blocks
	one, total kernels.Product
	part       *Pass // see at
}

// block is some tokens, lo to hi, of one sample.
type block struct{ sample, lo, hi int }

// blockRows is the largest number of tokens in a block.
const blockRows = 64

// blocks cuts the pass into blocks, in the order of the samples, each sample's last block first: it is the longest
// one for attention, so the workers finish together.
func (p *Pass) blocks() []block {
	if len(p.cut) == 0 {
		for s := range len(p.Starts) - 1 {
			lo := int(p.Starts[s])
			for hi := int(p.Starts[s+1]); hi > lo; hi -= blockRows {
				p.cut = append(p.cut, block{s, max(hi-blockRows, lo), hi})
			}
		}
	}
	return p.cut
}

// Floats gives an uninitialised buffer that lives until the arena is released past it.
func (p *Pass) Floats(n int) []float32 { return p.Arena.Floats(n) }

// Act gives an activation matrix [t,f] in the pass's precision, uninitialised.
func (p *Pass) Act(t, f int) kernels.Act { return p.Arena.Act(t, f, p.Prec) }

// product is an empty product [m,n] for use until the next call.
func (p *Pass) product(m, n int) *kernels.Product {
	p.one.Reset(m, n, p.Prec)
	return &p.one
}

// sum is a second product, which terms are added to while product serves others.
func (p *Pass) sum(m, n int) *kernels.Product {
	p.total.Reset(m, n, p.Prec)
	return &p.total
}

// at is the pass over some of p's tokens alone, given in ascending order, for a stage that needs no others. It drops
// out what the whole pass would; attention has no use for it. It is valid until the next call, and its lists live in the
// arena.
func (p *Pass) at(tokens []int32) *Pass {
	q := p.rows(len(tokens))
	q.Keys, q.Train, q.Seed, q.Step = p.Keys, p.Train, p.Seed, p.Step
	q.Starts, q.Pos = p.Arena.Ints(len(p.Starts)), p.Arena.Ints(len(tokens))
	i := 0
	q.Starts[0] = 0
	for s, end := range p.Starts[1:] {
		for ; i < len(tokens) && tokens[i] < end; i++ {
			q.Pos[i] = p.Pos[tokens[i]]
		}
		q.Starts[s+1] = int32(i)
	}
	return q
}

// rows is a pass over n rows without samples, valid until the next call.
func (p *Pass) rows(n int) *Pass {
	if p.part == nil {
		p.part = new(Pass)
	}
	p.part.Reset(n, p.Prec, p.Arena)
	return p.part
}

// Reset empties p for another pass over t tokens and keeps its memory.
func (p *Pass) Reset(t int, prec kernels.Precision, a *kernels.Arena) {
	*p = Pass{T: t, Prec: prec, Arena: a, cut: p.cut[:0], part: p.part}
}

// rowBlock is how many rows one parallel task of an elementwise loop takes.
const rowBlock = 32

// parallelRows runs f over [0,t) in blocks of rows on the worker pool.
func parallelRows(t int, f func(lo, hi int)) {
	kernels.Parallel((t+rowBlock-1)/rowBlock, func(i int) {
		f(i*rowBlock, min(t, (i+1)*rowBlock))
	})
}
