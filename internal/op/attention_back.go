package op

import (
	"ft/internal/kernels"
	"ft/internal/stash"
)

// keyPanels is how many panels of keys a backward task works on at once: their scores, gradients and operands stay in
// the second-level cache while all queries pass by. Results do not depend on it.
const keyPanels = 16

// AttentionBackward writes dq [T,H·HeadDim] and dk, dv [T,K·HeadDim], gradients of what AttentionForward was given,
// from dout [T,H·HeadDim], and adds the prefix's gradients to its sinks. The forward pass's out must still be there.
//
// Probabilities are recomputed from lse, and Σp·dp of a query is its dout·out (Dao et al. 2022, arXiv:2205.14135,
// B.2). One task owns one query head of one sample and no sum is split, so threads do not matter; the query heads'
// parts of dk and dv are added up afterwards in order.
func AttentionBackward(p *Pass, a *Attention, rope *Rope, st *AttentionState, dq, dk, dv kernels.Act, dout []float32) {
	g := attendGrads.Get()
	defer attendGrads.Put(g)
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	g.Attention, g.p, g.st, g.dq, g.dk, g.dv, g.dout = a, p, *st, dq, dk, dv, dout
	g.cos, g.sin = rope.tables(p.Pos)
	g.words, g.part = kernels.StripWords(a.HeadDim, p.Prec), kernels.StripWords(kernels.PanelCols, p.Prec)
	g.panels = g.words / g.part
	_, g.queries = p.strips()
	g.keys = p.keyStrips(a.Prefix.rows())
	g.kt, g.ks, g.vt = p.Floats(len(st.k)), p.Floats(len(st.k)), p.Floats(len(st.k))
	g.dkT = p.Floats(g.keys.total() * a.Heads * g.panels * kernels.Result)
	g.dvT = p.Floats(len(g.dkT))
	kernels.ParallelTasks(g.keys.total()*a.KVHeads, (*repackKeys)(g))
	kernels.ParallelTasks((len(p.Starts)-1)*a.Heads, (*attendHead)(g))
	kernels.ParallelTasks(g.keys.total()*a.KVHeads, (*sumKeys)(g))
	if a.Prefix.rows() > 0 && a.Prefix.DK != nil {
		kernels.ParallelTasks(stripsOf(a.Prefix.Rows)*a.KVHeads, (*sumPrefix)(g))
	}
	dq.ClearPadding()
	dk.ClearPadding()
	dv.ClearPadding()
}

// attendGrad is one backward pass at work.
type attendGrad struct {
	*Attention
	p                   *Pass
	st                  AttentionState
	dq, dk, dv          kernels.Act
	dout                []float32
	cos, sin            []float32
	queries, keys       ragged
	kt, vt, ks          []float32 // keys and values as panels, keys straight: [sample][kv head] each
	dkT, dvT            []float32 // [sample][head] results of HeadDim rows, one panel for 32 keys
	words, part, panels int       // as in attend
}

var attendGrads stash.Stash[attendGrad]

// repackKeys is the task of 32 keys and values of one head.
type repackKeys attendGrad

func (g *repackKeys) Task(i int) {
	w := getWork(g.p.Prec)
	defer works.Put(w)
	s := g.keys.sequence(i / g.KVHeads)
	strip, h := i/g.KVHeads-int(g.keys.starts[s]), i%g.KVHeads
	head, n := g.keys.at(s, h, g.KVHeads), g.keys.count(s)
	at := (head + strip) * g.words
	w.Panel(g.kt[at:], g.st.k[at:], g.HeadDim)
	w.Panel(g.vt[at:], g.st.v[at:], g.HeadDim)
	w.Straight(g.ks[head*g.words+strip*g.part:], g.st.k[at:], g.HeadDim, n*g.part)
}

// attendHead is the task of one query head of one sample.
type attendHead attendGrad

// backward is a worker's memory for attendHead.
type backward struct {
	dp, ds, right, turned, capped, dout, delta, dq []float32
}

func (g *attendHead) Task(i int) {
	w := getWork(g.p.Prec)
	defer works.Put(w)
	s, h := g.p.longest(i/g.Heads), i%g.Heads
	n, keys := g.queries.count(s), g.keys.count(s)
	ahead := stripsOf(g.Prefix.rows())
	g.gradients(w, s, h)
	g.clearUnseen(s, h)
	w.dq = kernels.Grow(w.dq, n*g.panels*kernels.Result)
	for lo := 0; lo < keys; lo += keyPanels {
		for strip := max(0, lo-ahead); strip < n; strip++ {
			g.block(w, s, h, strip, lo, min(lo+keyPanels, strip+1+ahead, keys))
		}
	}
	for strip := range n {
		lo := int(g.p.Starts[s]) + strip*kernels.StripRows
		hi := min(lo+kernels.StripRows, int(g.p.Starts[s+1]))
		w.turnBack((*attendGrad)(g), g.dq, w.dq[strip*g.panels*kernels.Result:], 0, lo, hi, h)
	}
}

// gradients packs the head's dout of sample s and computes what the softmax's gradient subtracts, one value a query.
func (g *attendHead) gradients(w *work, s, h int) {
	n, width := g.queries.count(s), g.Heads*g.HeadDim
	w.dout, w.delta = kernels.Grow(w.dout, n*g.words), kernels.Grow(w.delta, n*kernels.StripRows)
	w.strip = kernels.Grow(w.strip, g.words)
	for strip := range n {
		lo := int(g.p.Starts[s]) + strip*kernels.StripRows
		rows := min(kernels.StripRows, int(g.p.Starts[s+1])-lo)
		dout := w.dout[strip*g.words:]
		w.Pack(dout, g.dout[lo*width+h*g.HeadDim:], width, rows, g.HeadDim)
		g.st.out.Take(w.strip, lo, rows, h*g.HeadDim, g.HeadDim)
		w.Dots(w.delta[strip*kernels.StripRows:], dout, w.strip, g.HeadDim)
	}
}

// block adds what the queries of one strip and the keys of panels lo to hi give each other.
func (g *attendHead) block(w *work, s, h, strip, lo, hi int) {
	t := int(g.p.Starts[s]) + strip*kernels.StripRows
	pos := g.p.Pos[t:min(t+kernels.StripRows, int(g.p.Starts[s+1]))]
	begin := g.firstPanel(pos[0])
	lo = max(lo, begin)
	if lo >= hi {
		return
	}
	n, panels := g.keys.count(s), hi-lo
	head, kv := g.queries.at(s, h, g.Heads), g.keys.at(s, h/(g.Heads/g.KVHeads), g.KVHeads)
	q, dout := g.st.q[(head+strip)*g.words:], w.dout[strip*g.words:]
	w.see(g.Attention, pos)
	w.s, w.dp = kernels.Grow(w.s, panels*kernels.Result), kernels.Grow(w.dp, panels*kernels.Result)
	w.right, w.ds = kernels.Grow(w.right, panels*g.part), kernels.Grow(w.ds, panels*g.part)
	w.turned = kernels.Grow(w.turned, g.words)

	w.Mul(w.s, q, g.kt[(kv+lo)*g.words:], g.HeadDim, panels, g.words, false)
	scale := w.cap(g.Attention, w.s, panels)
	if g.SoftCap > 0 {
		w.capped = append(w.capped[:0], w.s...)
	}
	w.hide(w.s, lo, hi)
	right := w.Probs(w.right, w.s, panels, g.st.lse[(head+strip)*kernels.StripRows:], scale)
	w.Turn(w.turned, dout, g.HeadDim)
	at := (g.keys.at(s, h, g.Heads)*g.panels + lo) * kernels.Result
	fresh := max(lo, g.seenBefore(strip)) - lo
	g.add(w, g.dvT[at:], right, n, panels, fresh)

	w.Mul(w.dp, dout, g.vt[(kv+lo)*g.words:], g.HeadDim, panels, g.words, false)
	if g.SoftCap > 0 {
		w.CapGrad(w.s, w.capped, panels, g.Scale, g.SoftCap)
	}
	right = w.ScoreGrad(w.ds, w.right, w.dp, w.s, panels, w.delta[strip*kernels.StripRows:], scale)
	w.Turn(w.turned, q, g.HeadDim)
	g.add(w, g.dkT[at:], right, n, panels, fresh)
	dq := w.dq[strip*g.panels*kernels.Result:]
	w.Mul(dq, w.ds, g.ks[kv*g.words+lo*g.part:], panels*kernels.PanelCols, g.panels, n*g.part, lo > begin)
}

// seenBefore is the number of panels of keys that queries before a strip see, or might but for a window: their gradients hold something.
func (g *attendHead) seenBefore(strip int) int {
	if strip == 0 {
		return 0
	}
	return strip + stripsOf(g.Prefix.rows())
}

// clearUnseen clears the gradients of the prefix's panels that are behind the window of all queries.
func (g *attendHead) clearUnseen(s, h int) {
	unseen := min(g.firstPanel(g.p.Pos[g.p.Starts[s]]), g.keys.count(s))
	n, at := g.keys.count(s), g.keys.at(s, h, g.Heads)*g.panels
	for m := range g.panels {
		lo, hi := (at+m*n)*kernels.Result, (at+m*n+unseen)*kernels.Result
		clear(g.dkT[lo:hi])
		clear(g.dvT[lo:hi])
	}
}

// add adds to a transposed gradient, panels of n, the product of w.turned and a right operand; panels from fresh on hold
// nothing yet.
func (g *attendHead) add(w *work, d, right []float32, n, panels, fresh int) {
	for m := range g.panels {
		c := d[m*n*kernels.Result:][:panels*kernels.Result]
		if fresh < panels {
			clear(c[fresh*kernels.Result:])
		}
		w.Mul(c, w.turned[m*g.part:], right, kernels.StripRows, panels, g.part, true)
	}
}

// turnBack stores rows of a result [32, HeadDim], from row skip on, as head h of tokens lo to hi of dst, RoPE undone. It spoils w.q and
// w.strip.
func (w *work) turnBack(g *attendGrad, dst kernels.Act, c []float32, skip, lo, hi, h int) {
	w.q = kernels.Grow(w.q, kernels.StripRows*g.HeadDim)
	w.Rows(w.q, g.HeadDim, c, skip+hi-lo, g.HeadDim)
	rows := w.q[skip*g.HeadDim:]
	if g.cos != nil {
		kernels.RoPE(rows, hi-lo, 1, g.HeadDim, g.HeadDim, g.p.Pos[lo:hi], g.cos, g.sin, true)
	}
	w.put(g, dst, rows, lo, hi, h)
}

// put stores rows [·,HeadDim] as head h of tokens lo to hi of dst. It spoils w.strip.
func (w *work) put(g *attendGrad, dst kernels.Act, rows []float32, lo, hi, h int) {
	w.strip = kernels.Grow(w.strip, g.words)
	w.Pack(w.strip, rows, g.HeadDim, hi-lo, g.HeadDim)
	dst.Put(w.strip, lo, hi-lo, h*g.HeadDim, g.HeadDim)
}

// sumKeys is the task of the gradients of 32 keys and values of one head, but for those of the prefix.
type sumKeys attendGrad

func (g *sumKeys) Task(i int) {
	w := getWork(g.p.Prec)
	defer works.Put(w)
	s := g.keys.sequence(i / g.KVHeads)
	strip, h := i/g.KVHeads-int(g.keys.starts[s]), i%g.KVHeads
	from := strip*kernels.StripRows - g.Prefix.rows()
	start, n := int(g.p.Starts[s]), g.p.length(int32(s))
	lo, hi := start+max(from, 0), start+min(from+kernels.StripRows, n)
	if lo >= hi {
		return
	}
	skip := max(-from, 0)
	w.sumGroup((*attendGrad)(g), s, strip, h, g.dkT)
	w.turnBack((*attendGrad)(g), g.dk, w.s, skip, lo, hi, h)
	w.sumGroup((*attendGrad)(g), s, strip, h, g.dvT)
	if skip == 0 {
		w.Round(w.strip, w.s, g.panels)
		g.dv.Put(w.strip, lo, hi-lo, h*g.HeadDim, g.HeadDim)
		return
	}
	w.Rows(w.q, g.HeadDim, w.s, skip+hi-lo, g.HeadDim)
	w.put((*attendGrad)(g), g.dv, w.q[skip*g.HeadDim:], lo, hi, h)
}

// sumGroup adds up the gradients that the group of query heads left for a strip of keys, and transposes them: w.s [32 keys, HeadDim].
func (w *work) sumGroup(g *attendGrad, s, strip, h int, parts []float32) {
	group, n := g.Heads/g.KVHeads, g.keys.count(s)
	w.dp, w.s = kernels.Grow(w.dp, g.panels*kernels.Result), kernels.Grow(w.s, g.panels*kernels.Result)
	for j := range group {
		head := g.keys.at(s, h*group+j, g.Heads)
		for m := range g.panels {
			sum, part := w.dp[m*kernels.Result:], parts[(head*g.panels+m*n+strip)*kernels.Result:]
			if j == 0 {
				copy(sum[:kernels.Result], part)
				continue
			}
			w.AddResult(sum, part, 1)
		}
	}
	w.TransposeResult(w.s, w.dp, g.panels)
}
