package kernels

import (
	"fmt"
	"math"
)

// Attend computes the attention of one token for the n query heads that share a key/value head (Ainslie et al. 2023,
// arXiv:2305.13245): out, q [n,d]; keys k and values v [seen,d], rows step apart; scale multiplies the scores, and
// then, unless cap is 0, they become cap·tanh(score/cap) before the softmax.
// scores is memory for n·seen values. It runs on the caller's goroutine and depends on its arguments alone, bit for bit.
func Attend(out, q []float32, n, d int, k, v []float32, step, seen int, scale, cap float32, scores []float32) {
	if n < 1 || d < 1 || seen < 1 || step < d || len(out) != n*d || len(q) != n*d || len(k) < (seen-1)*step+d || len(v) < (seen-1)*step+d || len(scores) < n*seen {
		panic(fmt.Sprintf("kernels: Attend: out %d, q %d, k %d, v %d, scores %d values for %d heads of %d, %d keys %d apart",
			len(out), len(q), len(k), len(v), len(scores), n, d, seen, step))
	}
	be := active.Load()
	be.prefetchRows(k, step, seen, d) // hardware foresees rows badly that lie apart
	be.prefetchRows(v, step, seen, d)
	be.dots(scores, seen, q, d, n, k, step, seen, d)
	be.attendWeights(scores, n, seen, scale, cap)
	be.mix(out, d, scores, seen, n, v, step, seen, d)
}

// attendWeights turns the inner products of n queries with their keys into weights.
func (be *backend) attendWeights(scores []float32, n, seen int, scale, cap float32) {
	be.vec.scale(scores[:n*seen], scale)
	if cap > 0 {
		for i, v := range scores[:n*seen] {
			scores[i] = cap * float32(math.Tanh(float64(v/cap)))
		}
	}
	for i := range n {
		softmax(be, scores[i*seen:(i+1)*seen])
	}
}

// softmax replaces x, not empty, by its softmax. The maximum is subtracted first, so large values are safe.
func softmax(be *backend, x []float32) {
	be.vec.scale(x, 1/be.vec.expSum(x, x, be.vec.maximum(x)))
}
