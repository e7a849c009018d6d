package op

import (
	"math"

	"ft/internal/keyed"
)

// neftuneKey tells the noise of embeddings from the dropout of modules.
var neftuneKey = ModuleKey("neftune")

// NEFTune adds uniform noise to the embeddings x [T,D] of a training pass, but for the ahead virtual tokens that each sequence
// begins with: up to alpha/√(L·D) on either side, L being the
// sequence's other tokens (Jain et al. 2023, arXiv:2310.05914, algorithm 1). Unlike Hugging Face's trainer, which takes the length of
// the padded batch for L, it takes each sequence's own, as the paper does, so noise does not depend on what shares the pass. The
// draws are functions of seed, step, sample, position and feature, and are not PyTorch's.
func NEFTune(p *Pass, x []float32, ahead int, alpha float64) {
	d := len(x) / p.T
	for s := range len(p.Starts) - 1 {
		first, n := int(p.Starts[s])+ahead, int(p.Starts[s+1]-p.Starts[s])-ahead
		bound := alpha / math.Sqrt(float64(n*d))
		parallelRows(n, func(lo, hi int) {
			for t := first + lo; t < first+hi; t++ {
				key, row := p.rowKey(neftuneKey, p.Keys[s], p.Pos[t]), x[t*d:(t+1)*d]
				for i := range row {
					key += keyed.Increment
					unit := (float64(keyed.Mix(key)>>11) + 0.5) / (1 << 53)
					row[i] += float32((2*unit - 1) * bound)
				}
			}
		})
	}
}
