package op

import (
	"ft/internal/kernels"
	"ft/internal/stash"
)

// Head is the end of a decoder: a norm and the output projection.
type Head struct {
	Norm  *Norm
	Out   *Linear // [V,D]
	Scale float32 // of logits; 0 stands for 1
	Cap   float32 // logits l become Cap·tanh(l/Cap) (Gemma 2, arXiv:2408.00118, 2.3); 0: they do not
}

// headChunk is how many rows of logits exist at once: many, since the weight is packed anew for each chunk.
const headChunk = 192

// HeadLogits calls f once for each of the given rows of x [T,D], in their order, with the row's logits [V], which are
// valid and may be changed during the call. Calls for different rows may run in parallel; i is the index in rows. There
// is no dropout.
func HeadLogits(p *Pass, h *Head, x []float32, rows []int32, f func(i int, logits []float32)) {
	v := h.Out.W.Rows
	for lo := 0; lo < len(rows); lo += headChunk {
		mark := p.Arena.Mark()
		chunk := rows[lo:min(lo+headChunk, len(rows))]
		q := p.rows(len(chunk))
		st := h.room(q)
		logits := q.Floats(q.T * v)
		h.forward(q, &st, logits, x, chunk)
		kernels.Parallel(q.T, func(i int) {
			row := logits[i*v : (i+1)*v]
			h.capped(row)
			f(lo+i, row)
		})
		p.Arena.Release(mark)
	}
}

// headState is what the head's backward pass needs.
type headState struct {
	in  normState
	out LinearState
}

func (h *Head) room(p *Pass) headState {
	return headState{in: h.Norm.room(p, h.Out.W.Cols), out: h.Out.room(p)}
}

// forward computes the logits of the given rows of x, before their cap.
func (h *Head) forward(p *Pass, st *headState, logits, x []float32, rows []int32) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	d := h.Out.W.Cols
	xs := p.Floats(p.T * d)
	gather(xs, x, rows, d)
	sink := kernels.Sink{Kind: kernels.ToRows, Rows: logits, LD: h.Out.W.Rows, Alpha: h.Scale}
	linearInto(p, h.Out, st.out, sink, h.Norm.forward(p, &st.in, xs))
}

// capped applies the cap to a row of logits.
func (h *Head) capped(row []float32) {
	if h.Cap > 0 {
		kernels.SoftCap(row, h.Cap)
	}
}

// loss is a row's cross-entropy. The row becomes scale times its gradient.
func (h *Head) loss(row []float32, label int, scale float32) float64 {
	if h.Scale != 0 {
		scale *= h.Scale
	}
	if h.Cap <= 0 {
		return kernels.CrossEntropyRow(row, label, scale)
	}
	kernels.SoftCap(row, h.Cap)
	y := cappedRows.Get()
	defer cappedRows.Put(y)
	*y = append((*y)[:0], row...)
	loss := kernels.CrossEntropyRow(row, label, scale)
	kernels.SoftCapGrad(row, *y, h.Cap)
	return loss
}

// cappedRows is memory for logits whose gradient is taken.
var cappedRows stash.Stash[[]float32]

// HeadLoss sums the cross-entropies, in nats, of the labelled positions of x [T,D]. labels [T] are token ids, negative where nothing is to be
// predicted; no logits are computed there. losses [T] receives each labelled position's loss and zero elsewhere.
//
// With dx [T,D] not nil, it also writes scale·∂sum/∂x and adds scale times the gradients of the head's slots to
// their sinks: logits exist only chunk by chunk, so their gradient is taken while they are there.
func HeadLoss(p *Pass, h *Head, x []float32, labels []int32, losses []float64, dx []float32, scale float32) {
	clear(losses)
	clear(dx)
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	rows := p.Arena.Ints(len(labels))[:0]
	for t, l := range labels {
		if l >= 0 {
			rows = append(rows, int32(t))
		}
	}
	for len(rows) > 0 {
		n := min(headChunk, len(rows))
		mark := p.Arena.Mark()
		headChunkLoss(p, h, x, labels, rows[:n], losses, dx, scale)
		p.Arena.Release(mark)
		rows = rows[n:]
	}
}

func headChunkLoss(p *Pass, h *Head, x []float32, labels, rows []int32, losses []float64, dx []float32, scale float32) {
	d, v := h.Out.W.Cols, h.Out.W.Rows
	q := p.at(rows)
	st := h.room(q)
	logits := q.Floats(q.T * v)
	h.forward(q, &st, logits, x, rows)
	var dl kernels.Act
	if dx != nil {
		dl = q.Act(q.T, v)
		dl.ClearPadding()
	}
	kernels.Parallel(q.T, func(i int) {
		row, t := logits[i*v:(i+1)*v], rows[i]
		losses[t] = h.loss(row, int(labels[t]), scale) // row is the gradient from here on
		if dx != nil {
			dl.SetRow(i, row)
		}
	})
	if dx == nil {
		return
	}
	dxs := q.Arena.FloatsZero(q.T * d)
	h.Norm.back(q, &st.in, dxs, branch{h.Out, dl, st.out})
	for i, t := range rows {
		copy(dx[int(t)*d:(int(t)+1)*d], dxs[i*d:(i+1)*d])
	}
}

func gather(dst, x []float32, rows []int32, d int) {
	for i, t := range rows {
		copy(dst[i*d:(i+1)*d], x[int(t)*d:(int(t)+1)*d])
	}
}
