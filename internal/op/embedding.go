package op

import "ft/internal/kernels"

// Embedding is a table of token embeddings with its slots: x = W[t] + Scale·B·A[:,t]. Of the low-rank slot, A is [R,V] and B [D,R],
// and there is no dropout.
type Embedding struct {
	W     *kernels.Matrix // [V,D]
	DW    []float32       // gradient sink, or nil
	Delta *LowRank        // or nil
	Rows  *Rows           // or nil
	Times float32         // factor of tokens' embeddings, slots included; 0 stands for 1

	Prompt, DPrompt []float32 // rows of virtual tokens [n,D] (see Virtual) and their gradient sink; or nil
}

// Virtual is the id that stands for row i of an embedding's prompt.
func Virtual(i int) int32 { return int32(-1 - i) }

// virtual is the row of the prompt that an id stands for, negative for a token.
func virtual(id int32) int { return -1 - int(id) }

// EmbedForward writes the embeddings of ids into x [T,D]. A token's are the same bits whatever else is in ids.
func EmbedForward(a *kernels.Arena, e *Embedding, x []float32, ids []int32) {
	d := e.W.Cols
	parallelRows(len(ids), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			if v := virtual(ids[i]); v >= 0 {
				copy(x[i*d:(i+1)*d], e.Prompt[v*d:])
				continue
			}
			e.W.Row(x[i*d:(i+1)*d], int(ids[i]))
		}
	})
	if r := e.Delta; r != nil {
		mark := a.Mark()
		defer a.Release(mark)
		kernels.Gemm(x, d, e.columns(a, ids), r.R, false, r.B, r.R, true, len(ids), d, r.R, r.Scale, true)
	}
	e.multiply(x, ids)
}

// multiply multiplies the tokens' rows of x [T,D] with the factor.
func (e *Embedding) multiply(x []float32, ids []int32) {
	if e.Times == 0 {
		return
	}
	d := e.W.Cols
	for i, id := range ids {
		if id >= 0 {
			kernels.Scale(x[i*d:(i+1)*d], e.Times)
		}
	}
}

// columns is the columns of A for ids [T,R], zero for virtual ones.
func (e *Embedding) columns(a *kernels.Arena, ids []int32) []float32 {
	r, v := e.Delta.R, e.W.Rows
	u := a.Floats(len(ids) * r)
	for i, id := range ids {
		if id < 0 {
			clear(u[i*r : (i+1)*r])
			continue
		}
		for k := range r {
			u[i*r+k] = e.Delta.A[k*v+int(id)]
		}
	}
	return u
}

// EmbedBackward adds the gradients of the embedding's slots from dx [T,D], the gradient of EmbedForward's x.
func EmbedBackward(a *kernels.Arena, e *Embedding, dx []float32, ids []int32) {
	mark := a.Mark()
	defer a.Release(mark)
	if e.Times != 0 {
		own := a.Floats(len(dx))
		copy(own, dx)
		e.multiply(own, ids)
		dx = own
	}
	e.scatter(dx, ids)
	if r := e.Delta; r != nil {
		t, d, v := len(ids), e.W.Cols, e.W.Rows
		if r.DB != nil {
			kernels.Gemm(r.DB, r.R, dx, d, true, e.columns(a, ids), r.R, false, d, r.R, t, r.Scale, true)
		}
		if r.DA != nil {
			du := a.Floats(t * r.R)
			kernels.Gemm(du, r.R, dx, d, false, r.B, r.R, false, t, r.R, d, r.Scale, false)
			for i, id := range ids {
				if id < 0 {
					continue
				}
				for k := range r.R {
					r.DA[k*v+int(id)] += du[i*r.R+k]
				}
			}
		}
	}
}

// scatter adds each token's row of dx [T,D] to the gradient of its row of the table.
func (e *Embedding) scatter(dx []float32, ids []int32) {
	d := e.W.Cols
	sinks := make([][]float32, len(ids))
	for i, id := range ids {
		sinks[i] = e.sink(id)
	}
	kernels.Parallel((d+scatterCols-1)/scatterCols, func(part int) {
		lo, hi := part*scatterCols, min(d, (part+1)*scatterCols)
		for i, g := range sinks {
			if g != nil {
				kernels.Axpy(g[lo:hi], 1, dx[i*d+lo:i*d+hi])
			}
		}
	})
}

// scatterCols is how many columns a task of scatter takes. Columns do not touch each other, tokens do.
const scatterCols = 128

// sink is the gradient of an id's row, nil where it is frozen.
func (e *Embedding) sink(id int32) []float32 {
	d := e.W.Cols
	if v := virtual(id); v >= 0 {
		if e.DPrompt == nil {
			return nil
		}
		return e.DPrompt[v*d : (v+1)*d]
	}
	if e.Rows != nil {
		if n, ok := e.Rows.at[id]; ok {
			if e.Rows.Grad == nil {
				return nil
			}
			return e.Rows.Grad[n*d : (n+1)*d]
		}
	}
	if e.DW == nil {
		return nil
	}
	return e.DW[int(id)*d : (int(id)+1)*d]
}
