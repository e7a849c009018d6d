package op

import (
	"math"

	"ft/internal/kernels"
	"ft/internal/stash"
)

// Attention is causal grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245): query head h reads
// key/value head h/(Heads/KVHeads).
type Attention struct {
	Heads, KVHeads, HeadDim int
	Scale                   float32 // of q·k before the softmax, 1/√HeadDim as a rule
	Window                  int     // a query sees this many keys at most, its own included; 0: all
	SoftCap                 float32 // scores s become SoftCap·tanh(s/SoftCap) (Gemma 2, arXiv:2408.00118, 2.3); 0: they do not
	Prefix                  *Prefix // what every sequence begins with; or nil
}

// DefaultScale is 1/√headDim.
func DefaultScale(headDim int) float32 { return float32(1 / math.Sqrt(float64(headDim))) }

// KV is one sequence's keys and values after RoPE, [rows, K·HeadDim] each.
type KV struct{ K, V []float32 }

// AttentionState is what the forward pass leaves for the backward pass.
type AttentionState struct {
	q, k, v []float32 // [sample][head][strip] after RoPE, in the pass's precision; keys and values with the prefix
	lse     []float32 // [sample][head][strip][32] logarithms of the softmaxes' denominators
	out     kernels.Act
}

// Room is memory for the state of a pass.
func (a *Attention) Room(p *Pass) AttentionState {
	_, r := p.strips()
	strips, keys, words := r.total(), p.keyStrips(a.Prefix.rows()).total(), kernels.StripWords(a.HeadDim, p.Prec)
	return AttentionState{
		q: p.Floats(strips * a.Heads * words), k: p.Floats(keys * a.KVHeads * words), v: p.Floats(keys * a.KVHeads * words),
		lse: p.Floats(strips * a.Heads * kernels.StripRows),
	}
}

// AttentionForward computes out [T,H·HeadDim] for sequences that begin in this pass, behind the prefix if there is one. q [T,H·HeadDim]
// and k, v [T,K·HeadDim] are the projections' results; q and k are turned by RoPE in place. The state refers to out.
//
// Each task owns 32 queries of one head and goes through the keys that they see part by part: [32, 256] scores are all
// that it ever stores of the T×T matrix. A query's result depends on its own keys alone, bit for bit.
func AttentionForward(p *Pass, a *Attention, rope *Rope, st *AttentionState, out kernels.Act, q, k, v []float32) {
	g := newAttend(p, a, out, q)
	defer attends.Put(g)
	g.prefix, g.keys, g.kv = a.Prefix, p.keyStrips(a.Prefix.rows()), g.kv[:0]
	width := a.KVHeads * a.HeadDim
	for s := range len(p.Starts) - 1 {
		lo, hi := int(p.Starts[s])*width, int(p.Starts[s+1])*width
		g.kv = append(g.kv, KV{K: k[lo:hi], V: v[lo:hi]})
	}
	g.cos, g.sin = rope.tables(p.Pos)
	st.out = out
	g.st = *st
	g.run()
}

// Rotate applies RoPE to queries [T,H·HeadDim] and keys [T,K·HeadDim] in place, for AttentionExtend.
func (a *Attention) Rotate(p *Pass, rope *Rope, q, k []float32) {
	cos, sin := rope.tables(p.Pos)
	if cos == nil {
		return
	}
	nq, nk := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	parallelRows(p.T, func(lo, hi int) {
		kernels.RoPE(q[lo*nq:hi*nq], hi-lo, a.Heads, a.HeadDim, nq, p.Pos[lo:hi], cos, sin, false)
		kernels.RoPE(k[lo*nk:hi*nk], hi-lo, a.KVHeads, a.HeadDim, nk, p.Pos[lo:hi], cos, sin, false)
	})
}

// AttentionExtend computes out [T,H·HeadDim] for sequences that began earlier. kv[s] holds the keys and values of
// sequence s, a prefix's first, as many rows as its last position in the pass plus one; they and q are turned by RoPE already.
func AttentionExtend(p *Pass, a *Attention, out kernels.Act, q []float32, kv []KV) {
	g := newAttend(p, a, out, q)
	defer attends.Put(g)
	g.kv = append(g.kv[:0], kv...)
	g.lengths = append(g.lengths[:0], 0)
	for s := range kv {
		g.lengths = append(g.lengths, g.lengths[s]+int32(stripsOf(len(kv[s].K)/(a.KVHeads*a.HeadDim))))
	}
	g.prefix, g.keys, g.cos, g.sin, g.st = nil, ragged{g.lengths}, nil, nil, AttentionState{}
	g.run()
}

// attend is one forward pass at work.
type attend struct {
	*Attention
	p             *Pass
	out           kernels.Act
	q             []float32
	prefix        *Prefix // before each of kv; or nil
	kv            []KV
	cos, sin      []float32 // nil where RoPE is done, or not to be done
	st            AttentionState
	queries, keys ragged
	lengths       []int32   // memory for keys
	kt, vs        []float32 // keys as panels and values straight, [sequence][head] each
	words, part   int       // of a strip of all features of a head, and of 32
	panels        int       // of a head's features
}

var attends stash.Stash[attend]

func newAttend(p *Pass, a *Attention, out kernels.Act, q []float32) *attend {
	g := attends.Get()
	g.Attention, g.p, g.out, g.q = a, p, out, q
	_, g.queries = p.strips()
	g.words, g.part = kernels.StripWords(a.HeadDim, p.Prec), kernels.StripWords(kernels.PanelCols, p.Prec)
	g.panels = g.words / g.part
	return g
}

// run packs keys and values, which all queries share, and attends.
func (g *attend) run() {
	mark := g.p.Arena.Mark()
	defer g.p.Arena.Release(mark)
	g.kt = g.p.Floats(g.keys.total() * g.KVHeads * g.words)
	g.vs = g.p.Floats(len(g.kt))
	kernels.ParallelTasks(g.keys.total(), (*packKeys)(g))
	strips, _ := g.p.strips()
	kernels.ParallelTasks(len(strips)*g.Heads, (*attendStrip)(g))
	g.out.ClearPadding()
}

// packKeys is the task of 32 keys and values of all heads. Where RoPE is still to be done, it turns queries too.
type packKeys attend

func (g *packKeys) Task(i int) {
	w := getWork(g.p.Prec)
	defer works.Put(w)
	s := g.keys.sequence(i)
	strip, n, width := i-int(g.keys.starts[s]), g.keys.count(s), g.KVHeads*g.HeadDim
	if g.cos != nil {
		g.rotate(s, strip)
	}
	k, v := g.rows(w, s, strip)
	rows := min(kernels.StripRows, len(k)/width)
	w.strip = kernels.Grow(w.strip, g.words)
	ks, vs := w.strip, w.strip
	for h := range g.KVHeads {
		at := g.keys.at(s, h, g.KVHeads)
		if g.st.k != nil {
			ks, vs = g.st.k[(at+strip)*g.words:], g.st.v[(at+strip)*g.words:]
		}
		w.Pack(ks, k[h*g.HeadDim:], width, rows, g.HeadDim)
		w.Panel(g.kt[(at+strip)*g.words:], ks, g.HeadDim)
		w.Pack(vs, v[h*g.HeadDim:], width, rows, g.HeadDim)
		w.Straight(g.vs[at*g.words+strip*g.part:], vs, g.HeadDim, n*g.part)
	}
}

// rows are the keys and values of a sequence from a strip on.
func (g *packKeys) rows(w *work, s, strip int) (k, v []float32) {
	kv, width, from := g.kv[s], g.KVHeads*g.HeadDim, strip*kernels.StripRows-g.prefix.rows()
	if from < 0 {
		return g.prefix.before(w, kv, width, strip*kernels.StripRows)
	}
	return kv.K[from*width:], kv.V[from*width:]
}

// rotate turns the queries of a strip and the pass's own keys of a strip, which a prefix moves.
func (g *packKeys) rotate(s, strip int) {
	start, n := int(g.p.Starts[s]), g.p.length(int32(s))
	turn := func(x []float32, lo, heads int) {
		lo, hi, width := max(lo, 0), min(lo+kernels.StripRows, n), heads*g.HeadDim
		if lo < hi {
			kernels.RoPE(x[lo*width:hi*width], hi-lo, heads, g.HeadDim, width, g.p.Pos[start+lo:start+hi], g.cos, g.sin, false)
		}
	}
	turn(g.q[start*g.Heads*g.HeadDim:], strip*kernels.StripRows, g.Heads)
	turn(g.kv[s].K, strip*kernels.StripRows-g.prefix.rows(), g.KVHeads)
}

// attendStrip is the task of 32 queries of one head.
type attendStrip attend

// forwardPanels is how many panels of keys the softmax takes at once: few enough for scores, keys and values to be in
// the first-level cache together. The cuts are at multiples of it, so that a query's result depends on its keys alone.
const forwardPanels = 8

func (g *attendStrip) Task(i int) {
	w := getWork(g.p.Prec)
	defer works.Put(w)
	strips, _ := g.p.strips()
	b, h := strips[i/g.Heads], i%g.Heads
	rows, pos := b.hi-b.lo, g.p.Pos[b.lo:b.hi]
	qs, lse := g.query(w, b, h)
	at, n := g.keys.at(b.sample, h/(g.Heads/g.KVHeads), g.KVHeads), g.keys.count(b.sample)
	kt, vs := g.kt[at*g.words:], g.vs[at*g.words:]
	first, end := g.firstPanel(pos[0]), stripsOf(int(pos[rows-1])+1)
	w.see(g.Attention, pos)
	w.SoftmaxBegin(&w.softmax)
	w.o = kernels.Grow(w.o, g.panels*kernels.Result)
	w.s, w.p = kernels.Grow(w.s, forwardPanels*kernels.Result), kernels.Grow(w.p, forwardPanels*g.part)
	for lo := first; lo < end; {
		hi := min((lo/forwardPanels+1)*forwardPanels, end)
		w.Mul(w.s, qs, kt[lo*g.words:], g.HeadDim, hi-lo, g.words, false)
		scale := w.cap(g.Attention, w.s, hi-lo)
		w.hide(w.s, lo, hi)
		earlier := g.panels
		if lo == first {
			earlier = 0
		}
		w.SoftmaxStep(w.p, w.s, hi-lo, &w.softmax, scale, w.o, earlier)
		w.Mul(w.o, w.p, vs[lo*g.part:], (hi-lo)*kernels.PanelCols, g.panels, n*g.part, lo > first)
		lo = hi
	}
	w.SoftmaxEnd(w.o, g.panels, &w.softmax, lse)
	w.strip = kernels.Grow(w.strip, g.words)
	w.Round(w.strip, w.o, g.panels)
	g.out.Put(w.strip, b.lo, rows, h*g.HeadDim, g.HeadDim)
}

// query packs the queries of strip b of head h, and says where their lse goes.
func (g *attendStrip) query(w *work, b block, h int) (strip, lse []float32) {
	rows, width := b.hi-b.lo, g.Heads*g.HeadDim
	q := g.q[b.lo*width+h*g.HeadDim:]
	w.q = kernels.Grow(w.q, g.words)
	strip, lse = w.q, w.lse[:]
	if g.st.q != nil {
		at := g.queries.at(b.sample, h, g.Heads) + b.strip
		strip, lse = g.st.q[at*g.words:], g.st.lse[at*kernels.StripRows:]
	}
	w.Pack(strip, q, width, rows, g.HeadDim)
	return strip, lse
}

// firstPanel is the panel of keys in which what a query at position pos sees begins.
func (a *Attention) firstPanel(pos int32) int {
	if a.Window <= 0 {
		return 0
	}
	return max(0, int(pos)+1-a.Window) / kernels.PanelCols
}

// work is a worker's memory.
type work struct {
	kernels.Tiles
	softmax     kernels.SoftmaxRows
	lse         [kernels.StripRows]float32
	first, seen [kernels.StripRows]int32 // the keys that a strip's queries see

	q, s, p, o, strip []float32
	k, v              []float32 // rows of a prefix and what follows

	backward
}

var works stash.Stash[work]

func getWork(prec kernels.Precision) *work {
	w := works.Get()
	w.Begin(prec)
	return w
}

// see sets first and seen for queries at positions pos. Rows beyond the last are like the last: their queries are zero.
func (w *work) see(a *Attention, pos []int32) {
	for r := range w.seen {
		hi := pos[min(r, len(pos)-1)] + 1
		lo := int32(0)
		if a.Window > 0 {
			lo = max(0, hi-int32(a.Window))
		}
		w.first[r], w.seen[r] = lo, hi
	}
}

// cap bounds scores if a wants it, and returns the scale that remains to be applied.
func (w *work) cap(a *Attention, s []float32, panels int) (scale float32) {
	if a.SoftCap <= 0 {
		return a.Scale
	}
	w.Cap(s, panels, a.Scale, a.SoftCap)
	return 1
}

// hide sets the scores of keys that a query does not see, of those in panels lo to hi, to -Inf.
func (w *work) hide(s []float32, lo, hi int) {
	from, to := int(w.first[len(w.first)-1]), int(w.seen[0]) // what all see
	for p := lo; p < hi; p++ {
		if p*kernels.PanelCols < from || (p+1)*kernels.PanelCols > to {
			w.Fence(s[(p-lo)*kernels.Result:], p*kernels.PanelCols, &w.first, &w.seen)
		}
	}
}
