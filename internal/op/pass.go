package op

import (
	"slices"

	"ft/internal/kernels"
)

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
	Noise  float64           // alpha of NEFTune, on the embeddings; 0: none
	Prec   kernels.Precision // of products and of activations between stages
	Arena  *kernels.Arena

	cut          []block // see strips
	first, order []int32
	keys         []int32 // see keyStrips
	ahead        int     // rows in front of each sample that keys counts
	one, total   kernels.Product
	part         *Pass // see at
}

// block is a strip of one sample's tokens in this pass, lo to hi: its strip-th 32.
type block struct{ sample, strip, lo, hi int }

// ragged places strips of 32 tokens of sequences, one sequence after another and head by head in each:
// [sequence][head][strip].
type ragged struct{ starts []int32 } // [S+1] strips of one head before each sequence

func (r ragged) total() int      { return int(r.starts[len(r.starts)-1]) }
func (r ragged) count(s int) int { return int(r.starts[s+1] - r.starts[s]) }

// at is the number of the first strip of sequence s's head h.
func (r ragged) at(s, h, heads int) int { return int(r.starts[s])*heads + h*r.count(s) }

// sequence is the one that the i-th strip of a single head belongs to.
func (r ragged) sequence(i int) int {
	s, _ := slices.BinarySearch(r.starts, int32(i)+1)
	return s - 1
}

func stripsOf(tokens int) int { return (tokens + kernels.StripRows - 1) / kernels.StripRows }

// strips cuts the samples into strips, those that see the most keys first, so that workers finish together.
func (p *Pass) strips() ([]block, ragged) {
	if len(p.cut) == 0 {
		p.first = append(p.first[:0], 0)
		for s := range len(p.Starts) - 1 {
			lo, hi := int(p.Starts[s]), int(p.Starts[s+1])
			for i := 0; lo < hi; i++ {
				p.cut = append(p.cut, block{s, i, lo, min(lo+kernels.StripRows, hi)})
				lo += kernels.StripRows
			}
			p.first = append(p.first, int32(len(p.cut)))
		}
		p.order = p.order[:0]
		for s := range len(p.Starts) - 1 {
			p.order = append(p.order, int32(s))
		}
		slices.SortStableFunc(p.order, func(a, b int32) int { return p.length(b) - p.length(a) })
		slices.SortStableFunc(p.cut, func(a, b block) int { return int(p.Pos[b.hi-1] - p.Pos[a.hi-1]) })
	}
	return p.cut, ragged{p.first}
}

// keyStrips are the samples' strips of keys, with n rows in front of each sample.
func (p *Pass) keyStrips(n int) ragged {
	_, r := p.strips()
	if n == 0 {
		return r
	}
	if len(p.keys) == 0 || p.ahead != n {
		p.keys, p.ahead = append(p.keys[:0], 0), n
		for s := range len(p.Starts) - 1 {
			p.keys = append(p.keys, p.keys[s]+int32(stripsOf(n+p.length(int32(s)))))
		}
	}
	return ragged{p.keys}
}

func (p *Pass) length(s int32) int { return int(p.Starts[s+1] - p.Starts[s]) }

// longest is the sample with the i-th most tokens.
func (p *Pass) longest(i int) int { return int(p.order[i]) }

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
	*p = Pass{T: t, Prec: prec, Arena: a, cut: p.cut[:0], first: p.first, order: p.order, keys: p.keys[:0], part: p.part}
}

// rowBlock is how many rows one parallel task of an elementwise loop takes.
const rowBlock = 32

// parallelRows runs f over [0,t) in blocks of rows on the worker pool.
func parallelRows(t int, f func(lo, hi int)) {
	kernels.Parallel((t+rowBlock-1)/rowBlock, func(i int) {
		f(i*rowBlock, min(t, (i+1)*rowBlock))
	})
}
