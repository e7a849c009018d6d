package op

import (
	"ft/internal/kernels"
	"ft/internal/stash"
)

// keyPanels is how many panels of keys a backward task works on at once: their scores, gradients and operands stay in
// the second-level cache while all queries pass by. Results do not depend on it.
const keyPanels = 16

// AttentionBackward writes dq [T,H·HeadDim] and dk, dv [T,K·HeadDim], gradients of what AttentionForward was given,
// from dout [T,H·HeadDim]. The forward pass's out must still be there.
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
	var strips []block
	strips, g.at = p.strips()
	g.kt, g.ks, g.vt = p.Floats(len(st.k)), p.Floats(len(st.k)), p.Floats(len(st.k))
	g.dkT = p.Floats(g.at.total() * a.Heads * g.panels * kernels.Result)
	g.dvT = p.Floats(len(g.dkT))
	kernels.ParallelTasks(len(strips)*a.KVHeads, (*repackKeys)(g))
	kernels.ParallelTasks((len(p.Starts)-1)*a.Heads, (*attendHead)(g))
	kernels.ParallelTasks(len(strips)*a.KVHeads, (*sumKeys)(g))
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
	at                  ragged
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
	strips, _ := g.p.strips()
	b, h := strips[i/g.KVHeads], i%g.KVHeads
	head, n := g.at.at(b.sample, h, g.KVHeads), g.at.count(b.sample)
	at := (head + b.strip) * g.words
	w.Panel(g.kt[at:], g.st.k[at:], g.HeadDim)
	w.Panel(g.vt[at:], g.st.v[at:], g.HeadDim)
	w.Straight(g.ks[head*g.words+b.strip*g.part:], g.st.k[at:], g.HeadDim, n*g.part)
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
	n := g.at.count(s)
	g.gradients(w, s, h)
	w.dq = kernels.Grow(w.dq, n*g.panels*kernels.Result)
	for lo := 0; lo < n; lo += keyPanels {
		for strip := lo; strip < n; strip++ {
			g.block(w, s, h, strip, lo, min(lo+keyPanels, strip+1))
		}
	}
	for strip := range n {
		lo := int(g.p.Starts[s]) + strip*kernels.StripRows
		hi := min(lo+kernels.StripRows, int(g.p.Starts[s+1]))
		w.turnBack((*attendGrad)(g), g.dq, w.dq[strip*g.panels*kernels.Result:], lo, hi, h)
	}
}

// gradients packs the head's dout of sample s and computes what the softmax's gradient subtracts, one value a query.
func (g *attendHead) gradients(w *work, s, h int) {
	n, width := g.at.count(s), g.Heads*g.HeadDim
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
	n, panels := g.at.count(s), hi-lo
	head, kv := g.at.at(s, h, g.Heads), g.at.at(s, h/(g.Heads/g.KVHeads), g.KVHeads)
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
	at := (head*g.panels + lo) * kernels.Result
	fresh := hi == strip+1 // no query before these sees the last panel
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

// add adds to a transposed gradient, panels of n, the product of w.turned and a right operand; fresh says that the last
// panel holds nothing yet.
func (g *attendHead) add(w *work, d, right []float32, n, panels int, fresh bool) {
	for m := range g.panels {
		c := d[m*n*kernels.Result:][:panels*kernels.Result]
		if fresh {
			clear(c[(panels-1)*kernels.Result:])
		}
		w.Mul(c, w.turned[m*g.part:], right, kernels.StripRows, panels, g.part, true)
	}
}

// turnBack stores a result [32, HeadDim] of tokens lo to hi as head h of dst, RoPE undone. It spoils w.q and w.strip.
func (w *work) turnBack(g *attendGrad, dst kernels.Act, c []float32, lo, hi, h int) {
	w.q, w.strip = kernels.Grow(w.q, kernels.StripRows*g.HeadDim), kernels.Grow(w.strip, g.words)
	w.Rows(w.q, g.HeadDim, c, hi-lo, g.HeadDim)
	kernels.RoPE(w.q, hi-lo, 1, g.HeadDim, g.HeadDim, g.p.Pos[lo:hi], g.cos, g.sin, true)
	w.Pack(w.strip, w.q, g.HeadDim, hi-lo, g.HeadDim)
	dst.Put(w.strip, lo, hi-lo, h*g.HeadDim, g.HeadDim)
}

// sumKeys is the task of the gradients of 32 keys and values of one head.
type sumKeys attendGrad

func (g *sumKeys) Task(i int) {
	w := getWork(g.p.Prec)
	defer works.Put(w)
	strips, _ := g.p.strips()
	b, h := strips[i/g.KVHeads], i%g.KVHeads
	g.sum(w, b, h, g.dkT)
	w.turnBack((*attendGrad)(g), g.dk, w.s, b.lo, b.hi, h)
	g.sum(w, b, h, g.dvT)
	w.Round(w.strip, w.s, g.panels)
	g.dv.Put(w.strip, b.lo, b.hi-b.lo, h*g.HeadDim, g.HeadDim)
}

// sum adds up the gradients that the group of query heads left for 32 keys, and transposes them: w.s [32 keys, HeadDim].
func (g *sumKeys) sum(w *work, b block, h int, parts []float32) {
	group, n := g.Heads/g.KVHeads, g.at.count(b.sample)
	w.dp, w.s = kernels.Grow(w.dp, g.panels*kernels.Result), kernels.Grow(w.s, g.panels*kernels.Result)
	for j := range group {
		head := g.at.at(b.sample, h*group+j, g.Heads)
		for m := range g.panels {
			sum, part := w.dp[m*kernels.Result:], parts[(head*g.panels+m*n+b.strip)*kernels.Result:]
			if j == 0 {
				copy(sum[:kernels.Result], part)
				continue
			}
			w.AddResult(sum, part, 1)
		}
	}
	w.TransposeResult(w.s, w.dp, g.panels)
}
