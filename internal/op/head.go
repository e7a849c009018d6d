package op

import "ft/internal/kernels"

// Head is the end of a decoder: RMS norm and the output projection.
type Head struct {
	Norm *Norm
	Out  *Linear // [V,D]
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
		kernels.Parallel(q.T, func(i int) { f(lo+i, logits[i*v:(i+1)*v]) })
		p.Arena.Release(mark)
	}
}

// headState is what the head's backward pass needs.
type headState struct {
	xhat, u kernels.Act
	inv     []float32
}

func (h *Head) room(p *Pass) headState {
	return headState{xhat: p.Act(p.T, len(h.Norm.Gain)), u: h.Out.room(p), inv: p.Floats(p.T)}
}

// forward computes the logits of the given rows of x.
func (h *Head) forward(p *Pass, st *headState, logits, x []float32, rows []int32) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	d := len(h.Norm.Gain)
	xs, hn := p.Floats(p.T*d), p.Act(p.T, d)
	gather(xs, x, rows, d)
	kernels.Norm(hn, st.xhat, st.inv, xs, h.Norm.Gain, h.Norm.Eps)
	linearRows(p, h.Out, st.u, logits, nil, hn)
}

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
	d, v := len(h.Norm.Gain), h.Out.W.Rows
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
		losses[t] = kernels.CrossEntropyRow(row, int(labels[t]), scale) // row is the gradient from here on
		if dx != nil {
			dl.SetRow(i, row)
		}
	})
	if dx == nil {
		return
	}
	dxs := q.Arena.FloatsZero(q.T * d)
	normedBackward(q, h.Norm, st.xhat, st.inv, dxs, branch{h.Out, dl, st.u})
	for i, t := range rows {
		copy(dx[int(t)*d:(int(t)+1)*d], dxs[i*d:(i+1)*d])
	}
}

func gather(dst, x []float32, rows []int32, d int) {
	for i, t := range rows {
		copy(dst[i*d:(i+1)*d], x[int(t)*d:(int(t)+1)*d])
	}
}
