package op

import (
	"ft/internal/kernels"
	"ft/internal/stash"
)

// Decoder does the decode step: one token for each of T sequences. Products are those of kernels.MulRows, the residual
// stream x is [T,D]. What a token gets depends on its own sequence alone, bit for bit. It
// differs by rounding from what a pass over several tokens gives. A Decoder keeps its lists from step to step, so that
// a step allocates next to nothing; it is not safe for concurrent use.
type Decoder struct {
	T     int
	Pos   []int32           // [T] positions of the tokens
	Prec  kernels.Precision // of products with frozen weights; slots are float32
	KV    []kernels.Paged   // [T] the block's keys and values, rows [K·HeadDim]; Block writes the token's own
	Arena *kernels.Arena

	products []kernels.RowProduct
	layers   []decodeLayer
	attend   decodeAttention
}

// decodeLayer is a Linear on its way: its output and its slot's inner product.
type decodeLayer struct {
	l    *Linear
	y, u []float32
}

// decodeChunk is how many rows of logits exist at once while decoding.
const decodeChunk = 64

// Block adds a block's output to x.
func (d *Decoder) Block(w *QKV, a *Attention, r *Rope, o *Project, m *MLP, x []float32) {
	mark := d.Arena.Mark()
	defer d.Arena.Release(mark)
	y := d.floats(o.Out.W.Rows)
	q, k, v := d.floats(w.Q.W.Rows), d.floats(w.K.W.Rows), d.floats(w.V.W.Rows)
	h := d.normed(w.Norm, x)
	d.add(w.Q, q, h)
	d.add(w.K, k, h)
	d.add(w.V, v, h)
	d.run()
	for _, n := range [2]struct {
		norm *Norm
		x    []float32
	}{{w.QNorm, q}, {w.KNorm, k}} {
		if n.norm != nil {
			n.norm.rows(n.x, n.x, len(n.x)/len(n.norm.Gain))
		}
	}
	att := d.floats(len(q) / d.T)
	d.attention(a, r, att, q, k, v)
	d.add(o.Out, y, att)
	d.run()
	o.Residual.rows(x, y)

	act, up := d.floats(m.Up.W.Rows), []float32(nil)
	h = d.normed(m.Norm, x)
	if m.Gate == nil {
		d.add(m.Up, act, h)
	} else {
		up = d.floats(m.Up.W.Rows)
		d.add(m.Gate, act, h)
		d.add(m.Up, up, h)
	}
	d.run()
	kernels.Activate(act, act, up, m.Act)
	d.add(m.Down, y, act)
	d.run()
	m.Residual.rows(x, y)
}

// normed is x behind a norm, or x itself if there is none.
func (d *Decoder) normed(n *Norm, x []float32) []float32 {
	if n == nil {
		return x
	}
	h := d.Arena.Floats(len(x))
	n.rows(h, x, d.T)
	return h
}

// Logits calls f once for each row of x, with the row's logits [V], as HeadLogits does.
func (d *Decoder) Logits(h *Head, x []float32, f func(i int, logits []float32)) {
	all, width, v := d.T, h.Out.W.Cols, h.Out.W.Rows
	for lo := 0; lo < all; lo += decodeChunk {
		mark := d.Arena.Mark()
		d.T = min(decodeChunk, all-lo)
		logits := d.floats(v)
		d.add(h.Out, logits, d.normed(h.Norm, x[lo*width:(lo+d.T)*width]))
		d.run()
		if h.Scale != 0 {
			kernels.Scale(logits, h.Scale)
		}
		kernels.Parallel(d.T, func(i int) {
			row := logits[i*v : (i+1)*v]
			h.capped(row)
			f(lo+i, row)
		})
		d.Arena.Release(mark)
	}
	d.T = all
}

// floats is memory for [T,n].
func (d *Decoder) floats(n int) []float32 { return d.Arena.Floats(d.T * n) }

// add puts the layer's output y for x on the list of what run computes.
func (d *Decoder) add(l *Linear, y, x []float32) {
	if s := l.In; s != nil {
		scaled := d.floats(len(s.G))
		copy(scaled, x)
		scaleRows(scaled, s.G)
		x = scaled
	}
	d.products = append(d.products, kernels.RowProduct{Dst: y, X: x, W: l.W, Prec: d.Prec})
	p := decodeLayer{l: l, y: y}
	if s := l.Delta; s != nil {
		a, _ := s.matrices(l)
		p.u = d.floats(s.R)
		d.products = append(d.products, kernels.RowProduct{Dst: p.u, X: x, W: a})
	}
	d.layers = append(d.layers, p)
}

// run computes what add has listed. The layers read the same x: they run side by side.
func (d *Decoder) run() {
	kernels.MulRows(d.T, d.products...)
	d.products = d.products[:0]
	mark := d.Arena.Mark()
	for _, p := range d.layers {
		if s := p.l.Delta; s != nil {
			_, b := s.matrices(p.l)
			d.products = append(d.products, kernels.RowProduct{Dst: d.floats(p.l.W.Rows), X: p.u, W: b})
		}
	}
	if len(d.products) > 0 {
		kernels.MulRows(d.T, d.products...)
	}
	i := 0
	for _, p := range d.layers {
		if s := p.l.Delta; s != nil {
			kernels.Axpy(p.y, s.Scale, d.products[i].Dst)
			i++
		}
		p.finish()
	}
	d.products, d.layers = d.products[:0], d.layers[:0]
	d.Arena.Release(mark)
}

// finish is the layer's bias and output scale.
func (p *decodeLayer) finish() {
	o := p.l.Out
	if o != nil && !o.WithBias {
		scaleRows(p.y, o.G)
	}
	if b := p.l.Bias; b != nil {
		for at := 0; at < len(p.y); at += len(b) {
			kernels.Add(p.y[at:at+len(b)], b)
		}
	}
	if o != nil && o.WithBias {
		scaleRows(p.y, o.G)
	}
}

// scaleRows multiplies each row of x [T,len(g)] by g.
func scaleRows(x, g []float32) {
	for at := 0; at < len(x); at += len(g) {
		for i, f := range g {
			x[at+i] *= f
		}
	}
}

// attention rotates queries and keys, appends keys and values to KV, and attends.
func (d *Decoder) attention(a *Attention, r *Rope, out, q, k, v []float32) {
	s := &d.attend
	*s = decodeAttention{Attention: a, d: d, out: out, q: q, k: k, v: v}
	s.cos, s.sin = r.tables(d.Pos)
	kernels.ParallelTasks(d.T*a.KVHeads, s)
}

// decodeAttention is the attention of one block: a task is one sequence's key/value head and the queries that share it.
type decodeAttention struct {
	*Attention
	d            *Decoder
	cos, sin     []float32
	out, q, k, v []float32
}

func (s *decodeAttention) Task(i int) {
	t, h := i/s.KVHeads, i%s.KVHeads
	n, hd := s.Heads/s.KVHeads, s.HeadDim
	pos, kv := s.d.Pos[t:t+1], s.d.KV[t]
	end := int(pos[0]) + 1
	q, k, v := s.q[i*n*hd:(i+1)*n*hd], s.k[i*hd:(i+1)*hd], s.v[i*hd:(i+1)*hd]
	if s.cos != nil {
		kernels.RoPE(q, 1, n, hd, n*hd, pos, s.cos, s.sin, false)
		kernels.RoPE(k, 1, 1, hd, hd, pos, s.cos, s.sin, false)
	}
	store, words := copyRow, hd
	if kv.Prec == kernels.BF16 {
		store, words = kernels.RoundRow, hd/2
	}
	kv.K, kv.V = kv.K+h*words, kv.V+h*words
	page, atK, atV := kv.Row(end - 1)
	store(page[atK:atK+words], k)
	store(page[atV:atV+words], v)
	first := 0
	if s.Window > 0 {
		first = max(0, end-s.Window)
	}
	scores := scoreRows.Get()
	*scores = kernels.Grow(*scores, n*(end-first))
	kernels.Attend(s.out[i*n*hd:(i+1)*n*hd], q, n, hd, &kv, first, end, s.Scale, s.SoftCap, *scores)
	scoreRows.Put(scores)
}

func copyRow(dst, src []float32) { copy(dst, src) }

// scoreRows is memory for the scores of the queries that share a key/value head.
var scoreRows stash.Stash[[]float32]
