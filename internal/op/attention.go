package op

import (
	"math"
	"math/bits"
	"sync"

	"ft/internal/kernels"
)

// Attention is causal grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245): query head h reads
// key/value head h/(Heads/KVHeads).
type Attention struct {
	Heads, KVHeads, HeadDim int
	Scale                   float32 // of q·k before the softmax, 1/√HeadDim as a rule
}

// keyChunk is how many keys one product with the values takes. A long product would be split depending on its length,
// and a query must have the same sum whether it is alone or in a block that reaches further.
const keyChunk = 256

// KV is one sequence's keys and values, [rows, K·HeadDim] each.
type KV struct{ K, V []float32 }

// strips holds score buffers for reuse by the parallel tasks. The queries of one block share a strip: [blockRows, keys]
// is all that is ever stored of the T×T matrix.
var strips sync.Pool

func strip(n int) *[]float32 {
	if b, ok := strips.Get().(*[]float32); ok && cap(*b) >= n {
		*b = (*b)[:n]
		return b
	}
	b := make([]float32, n, 1<<bits.Len(uint(n))) // with room, so that the next one fits as a rule
	return &b
}

// AttentionForward computes out [T,H·HeadDim] from the pass's queries q [T,H·HeadDim]. kv[s] holds the keys and values
// of sequence s, as many rows as its last position in the pass plus one. lse [T,H] receives the logarithm
// of each softmax's denominator for AttentionBackward; it may be nil.
func AttentionForward(p *Pass, a *Attention, out, lse, q []float32, kv []KV) {
	blocks := p.blocks()
	kernels.Parallel(len(blocks)*a.Heads, func(i int) {
		b := blocks[i/a.Heads]
		a.forwardBlock(p, b, i%a.Heads, out, lse, q, kv[b.sample])
	})
}

// forwardBlock attends with the queries of one block of one head.
func (a *Attention) forwardBlock(p *Pass, k block, head int, out, lse, q []float32, kv KV) {
	d, nq, nk := a.HeadDim, a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	rows, keys := k.hi-k.lo, int(p.Pos[k.hi-1])+1
	col, kcol := head*d, head/(a.Heads/a.KVHeads)*d
	buf := strip(rows * keys)
	defer strips.Put(buf)
	s := *buf
	kernels.GemmSerial(s, keys, q[k.lo*nq+col:], nq, false, kv.K[kcol:], nk, true, rows, keys, d, a.Scale, false)
	for i := range rows {
		seen := int(p.Pos[k.lo+i]) + 1
		row := s[i*keys : (i+1)*keys]
		l := kernels.SoftmaxRow(row[:seen])
		clear(row[seen:])
		if lse != nil {
			lse[(k.lo+i)*a.Heads+head] = l
		}
	}
	for j := 0; j < keys; j += keyChunk {
		kernels.GemmSerial(out[k.lo*nq+col:], nq, s[j:], keys, false, kv.V[j*nk+kcol:], nk, false, rows, d, min(keyChunk, keys-j), 1, j > 0)
	}
}

// AttentionBackward writes dq [T,H·HeadDim] and dk, dv [T,K·HeadDim] from dout [T,H·HeadDim]; q, k, v, out, lse are
// the forward pass's, for sequences that begin in this pass. Scores are recomputed from lse (Dao et al. 2022,
// arXiv:2205.14135). One task owns one key/value head of one sample, so no reduction is split.
func AttentionBackward(p *Pass, a *Attention, dq, dk, dv, dout, out, lse, q, k, v []float32) {
	g := &attendGrad{a, p, dq, dk, dv, dout, out, lse, q, k, v}
	kernels.Parallel((len(p.Starts)-1)*a.KVHeads, func(i int) { g.head(i/a.KVHeads, i%a.KVHeads) })
}

type attendGrad struct {
	a                                   *Attention
	p                                   *Pass
	dq, dk, dv, dout, out, lse, q, k, v []float32
}

// head runs over all query blocks of all query heads that read one key/value head of sample s.
func (g *attendGrad) head(s, kvHead int) {
	a, d := g.a, g.a.HeadDim
	lo, hi := int(g.p.Starts[s]), int(g.p.Starts[s+1])
	nk, kcol := a.KVHeads*d, kvHead*d
	for t := lo; t < hi; t++ {
		clear(g.dk[t*nk+kcol : t*nk+kcol+d])
		clear(g.dv[t*nk+kcol : t*nk+kcol+d])
	}
	group := a.Heads / a.KVHeads
	n := min(blockRows, hi-lo)
	buf := strip(2 * n * (hi - lo))
	defer strips.Put(buf)
	for h := kvHead * group; h < (kvHead+1)*group; h++ {
		for b := lo; b < hi; b += blockRows {
			g.block(*buf, h, kcol, lo, b, min(b+blockRows, hi))
		}
	}
}

// block adds the gradients of queries b to e of head h; lo is the sample's first token.
func (g *attendGrad) block(buf []float32, h, kcol, lo, b, e int) {
	a, d := g.a, g.a.HeadDim
	nq, nk, col := a.Heads*d, a.KVHeads*d, h*d
	rows, keys := e-b, e-lo
	prob, dp := buf[:rows*keys], buf[rows*keys:2*rows*keys]
	k, v := g.k[lo*nk+kcol:], g.v[lo*nk+kcol:]
	dk, dv := g.dk[lo*nk+kcol:], g.dv[lo*nk+kcol:]
	q, dq, dout := g.q[b*nq+col:], g.dq[b*nq+col:], g.dout[b*nq+col:]
	kernels.GemmSerial(prob, keys, q, nq, false, k, nk, true, rows, keys, d, a.Scale, false)
	kernels.GemmSerial(dp, keys, dout, nq, false, v, nk, true, rows, keys, d, 1, false)
	for i := range rows {
		t := b + i
		seen := t - lo + 1
		pr, ds := prob[i*keys:(i+1)*keys], dp[i*keys:(i+1)*keys]
		l := g.lse[t*a.Heads+h]
		for j := range pr[:seen] {
			pr[j] -= l
		}
		kernels.Exp(pr[:seen], pr[:seen])
		clear(pr[seen:])
		delta := kernels.Dot(g.dout[t*nq+col:t*nq+col+d], g.out[t*nq+col:t*nq+col+d])
		for j := range ds {
			ds[j] = pr[j] * (ds[j] - delta)
		}
	}
	kernels.GemmSerial(dv, nk, prob, keys, true, dout, nq, false, keys, d, rows, 1, true)
	kernels.GemmSerial(dq, nq, dp, keys, false, k, nk, false, rows, d, keys, a.Scale, false)
	kernels.GemmSerial(dk, nk, dp, keys, true, q, nq, false, keys, d, rows, a.Scale, true)
}

// DefaultScale is 1/√headDim.
func DefaultScale(headDim int) float32 { return float32(1 / math.Sqrt(float64(headDim))) }
