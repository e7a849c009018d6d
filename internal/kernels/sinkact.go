package kernels

import "ft/internal/stash"

// plainMLP is a worker's memory for an activation without a gate: a gated one's other half, which is one everywhere, as C and as
// tiles, and room for what nobody needs.
type plainMLP struct {
	ones  [2][]float32 // tiles, by Precision; those of float32 serve as C too
	spare []float32
}

var plainMLPs stash.Stash[plainMLP]

// use gets room for a number of panels, and the tiles of ones.
func (w *plainMLP) use(panels int, prec Precision) (ones, spare []float32) {
	for p := range w.ones {
		n := words(panels, Precision(p))
		if len(w.ones[p]) >= n {
			continue
		}
		w.ones[p] = Grow(w.ones[p], n)
		var v group
		for i := range v {
			v[i] = 1
		}
		for g := range panels {
			for r := range StripRows {
				v.write(w.ones[p], g, r, Precision(p))
			}
		}
	}
	w.spare = Grow(w.spare, words(panels, prec))
	return w.ones[prec][:words(panels, prec)], w.spare
}

// acted is ToActed and ToActedGrad: what is gated by a gate goes through the activation, and the other half is one.
func (k *Sink) acted(p *Product, c []float32, strip, lo, hi int) {
	w := plainMLPs.Get()
	defer plainMLPs.Put(w)
	ones, spare := w.use(hi-lo, p.Prec)
	up, out := blocksFor(k.Up, strip, lo, hi), blocksFor(k.Out, strip, lo, hi)
	if k.Kind == ToActed {
		p.be.ops.gated(up, spare, out, c, w.ones[F32][:(hi-lo)*resultSize], hi-lo, p.Prec, k.Act)
		return
	}
	p.be.ops.gatedGrad(blocksFor(k.DUp, strip, lo, hi), spare, out, up, ones, c, hi-lo, p.Prec, k.Act)
}
