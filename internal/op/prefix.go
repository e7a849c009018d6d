package op

import "ft/internal/kernels"

// Prefix is keys and values that every sequence of a block begins with, as if they were those of Rows tokens at its first positions (Li and
// Liang 2021, arXiv:2101.00190). Keys are used as they are, without RoPE. Row r is at r·Stride, K·HeadDim values long.
type Prefix struct {
	Rows   int
	Stride int
	K, V   []float32
	DK, DV []float32 // gradient sinks of the same layout, added to by AttentionBackward, or nil
}

// rows is the number of rows, none without a prefix.
func (x *Prefix) rows() int {
	if x == nil {
		return 0
	}
	return x.Rows
}

// before gathers the rows of a sequence from row lo on, one of the prefix's, up to a strip of them; kv is what follows the prefix.
func (x *Prefix) before(w *work, kv KV, width, lo int) (k, v []float32) {
	n := min(kernels.StripRows, x.Rows+len(kv.K)/width-lo)
	w.k, w.v = kernels.Grow(w.k, n*width), kernels.Grow(w.v, n*width)
	own := min(n, x.Rows-lo)
	for r := range own {
		copy(w.k[r*width:(r+1)*width], x.K[(lo+r)*x.Stride:])
		copy(w.v[r*width:(r+1)*width], x.V[(lo+r)*x.Stride:])
	}
	copy(w.k[own*width:], kv.K)
	copy(w.v[own*width:], kv.V)
	return w.k, w.v
}

// sumPrefix is the task of the gradients of 32 of the prefix's keys and values of one head, summed over samples in their order.
type sumPrefix attendGrad

func (g *sumPrefix) Task(i int) {
	w := getWork(g.p.Prec)
	defer works.Put(w)
	strip, h := i/g.KVHeads, i%g.KVHeads
	x, lo := g.Prefix, strip*kernels.StripRows
	rows := min(kernels.StripRows, x.Rows-lo)
	w.q = kernels.Grow(w.q, kernels.StripRows*g.HeadDim)
	for s := range len(g.p.Starts) - 1 {
		for _, d := range [2]struct{ sink, parts []float32 }{{x.DK, g.dkT}, {x.DV, g.dvT}} {
			w.sumGroup((*attendGrad)(g), s, strip, h, d.parts)
			w.Rows(w.q, g.HeadDim, w.s, rows, g.HeadDim)
			for r := range rows {
				at := (lo+r)*x.Stride + h*g.HeadDim
				kernels.Add(d.sink[at:at+g.HeadDim], w.q[r*g.HeadDim:(r+1)*g.HeadDim])
			}
		}
	}
}
