package op

import "ft/internal/kernels"

// Head is the end of a decoder: RMS norm and the output projection.
type Head struct {
	Gain []float32 // [D]
	Eps  float32
	Out  *Linear // [V,D]
}

// headChunk is how many rows of logits exist at once.
const headChunk = 128

// HeadLogits calls f once for each of the given rows of x [T,D], in their order, with the row's logits [V], which are
// valid and may be changed during the call. Calls for different rows may run in parallel; i is the index in rows. There
// is no dropout.
func HeadLogits(p *Pass, h *Head, x []float32, rows []int32, f func(i int, logits []float32)) {
	d, v := h.Out.W.Cols, h.Out.W.Rows
	for lo := 0; lo < len(rows); lo += headChunk {
		mark := p.Arena.Mark()
		chunk := rows[lo:min(lo+headChunk, len(rows))]
		n := len(chunk)
		q := &Pass{T: n, Arena: p.Arena}
		xs, inv, hn := p.Floats(n*d), p.Floats(n), p.Floats(n*d)
		gather(xs, x, chunk, d)
		kernels.RMSNorm(hn, inv, xs, h.Gain, n, d, h.Eps)
		logits := p.Floats(n * v)
		LinearForward(q, h.Out, logits, hn, h.Out.inner(q), false)
		kernels.Parallel(n, func(i int) { f(lo+i, logits[i*v:(i+1)*v]) })
		p.Arena.Release(mark)
	}
}

// HeadLoss sums the cross-entropies, in nats, of the labelled positions of x [T,D]. labels [T] are token ids, negative where nothing is to be
// predicted; no logits are computed there. losses [T] receives each labelled position's loss and zero elsewhere.
//
// With dx [T,D] not nil, it also writes scale·∂sum/∂x and adds scale times the gradients of the head's slots to
// their sinks: logits exist only chunk by chunk, so their gradient is taken while they are there.
func HeadLoss(p *Pass, h *Head, x []float32, labels []int32, losses []float64, dx []float32, scale float32) {
	d := h.Out.W.Cols
	clear(losses)
	if dx != nil {
		clear(dx)
	}
	rows := make([]int32, 0, len(labels))
	for t, l := range labels {
		if l >= 0 {
			rows = append(rows, int32(t))
		}
	}
	for len(rows) > 0 {
		n := min(headChunk, len(rows))
		mark := p.Arena.Mark()
		headChunkLoss(p, h, x, labels, rows[:n], losses, dx, scale, d)
		p.Arena.Release(mark)
		rows = rows[n:]
	}
}

func headChunkLoss(p *Pass, h *Head, x []float32, labels, rows []int32, losses []float64, dx []float32, scale float32, d int) {
	n, v := len(rows), h.Out.W.Rows
	q := p.at(rows)
	xs, inv, hn := p.Floats(n*d), p.Floats(n), p.Floats(n*d)
	gather(xs, x, rows, d)
	kernels.RMSNorm(hn, inv, xs, h.Gain, n, d, h.Eps)
	logits := p.Floats(n * v)
	u := h.Out.inner(q)
	LinearForward(q, h.Out, logits, hn, u, false)
	kernels.Parallel(n, func(i int) {
		t := rows[i]
		losses[t] = kernels.CrossEntropyRow(logits[i*v:(i+1)*v], int(labels[t]), scale) // logits are gradients from here on
	})
	if dx == nil {
		return
	}
	dh, dxs := p.Floats(n*d), p.Floats(n*d)
	LinearBackward(q, h.Out, dh, logits, hn, u, false)
	kernels.RMSNormBackward(dxs, dh, xs, inv, h.Gain, n, d, false)
	for i, t := range rows {
		copy(dx[int(t)*d:(int(t)+1)*d], dxs[i*d:(i+1)*d])
	}
}

func gather(dst, x []float32, rows []int32, d int) {
	for i, t := range rows {
		copy(dst[i*d:(i+1)*d], x[int(t)*d:(int(t)+1)*d])
	}
}

// EmbedForward writes the embeddings of ids into x [T,D]; table is [V,D].
func EmbedForward(table *kernels.Matrix, x []float32, ids []int32) {
	d := table.Cols
	parallelRows(len(ids), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			table.Row(x[i*d:(i+1)*d], int(ids[i]))
		}
	})
}
