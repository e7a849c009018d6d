package kernels

import (
	"fmt"
	"math"
)

// Paged is where Attend finds keys and values: those of position p are row p%Rows of page p/Rows (Kwon et al. 2023, "Efficient memory
// management for large language model serving with PagedAttention", arXiv:2309.06180).
type Paged struct {
	Pages [][]float32
	Rows  int       // positions of a page
	K, V  int       // where a page's first row of keys and of values begins
	Step  int       // words from row to row
	Prec  Precision // BF16: two values in a word
}

// words is the length of d values.
func (kv *Paged) words(d int) int {
	if kv.Prec == BF16 {
		return d / 2
	}
	return d
}

// Row is the page of a position and where in it the position's keys and values begin.
func (kv *Paged) Row(pos int) (page []float32, k, v int) {
	at := pos % kv.Rows * kv.Step
	return kv.Pages[pos/kv.Rows], kv.K + at, kv.V + at
}

// each calls f for the pages of positions first to end: with the page from its first row on, that row's number from first on, and how many rows
// there are.
func (kv *Paged) each(first, end int, f func(page []float32, at, rows int)) {
	row, seen := first%kv.Rows, end-first
	for i, at := first/kv.Rows, 0; at < seen; i++ {
		rows := min(kv.Rows-row, seen-at)
		f(kv.Pages[i][row*kv.Step:], at, rows)
		at, row = at+rows, 0
	}
}

// Attend computes the attention of one token for the n query heads that share a key/value head (Ainslie et al. 2023,
// arXiv:2305.13245): out, q [n,d]; keys and values of positions first to end. scale multiplies the scores, and
// then, unless cap is 0, they become cap·tanh(score/cap) before the softmax.
// scores is memory for n·(end-first) values. In BF16 d is a multiple of 32 and queries are rounded; weights and sums are float32. It runs
// on the caller's goroutine and depends on queries, keys and values alone, bit for bit: not on how they are cut into pages.
func Attend(out, q []float32, n, d int, kv *Paged, first, end int, scale, cap float32, scores []float32) {
	seen := end - first
	kv.check(len(out), len(q), n, d, first, end, len(scores))
	be := active.Load()
	dots, mix, x, xStep := be.dots, be.mix, q, d
	if kv.Prec == BF16 {
		if dots, mix = be.dotsBF16, be.mixBF16; dots == nil {
			dots, mix = dotsHalvesGeneric, mixHalvesGeneric
		}
		tmp := rowTmps.Get()
		defer rowTmps.Put(tmp)
		*tmp = Grow(*tmp, n*d/2)
		RoundRow(*tmp, q)
		x, xStep = *tmp, d/2
	}
	kv.each(first, end, func(page []float32, _, rows int) { // hardware foresees rows badly that lie apart
		be.prefetchRows(page[kv.K:], kv.Step, rows, xStep)
		be.prefetchRows(page[kv.V:], kv.Step, rows, xStep)
	})
	kv.each(first, end, func(page []float32, at, rows int) {
		dots(scores[at:], seen, x, xStep, n, page[kv.K:], kv.Step, rows, d)
	})
	be.attendWeights(scores, n, seen, scale, cap)
	clear(out)
	kv.each(first, end, func(page []float32, at, rows int) {
		mix(out, d, scores[at:], seen, n, page[kv.V:], kv.Step, rows, d)
	})
}

// check panics where Attend would read or write past an end.
func (kv *Paged) check(out, q, n, d, first, end, scores int) {
	words := kv.words(d)
	ok := n >= 1 && d >= 1 && (kv.Prec == F32 || d%32 == 0) && out == n*d && q == n*d && 0 <= first && first < end && scores >= n*(end-first) &&
		kv.Rows >= 1 && kv.Step >= words && kv.K >= 0 && kv.V >= 0 && len(kv.Pages)*kv.Rows >= end
	if ok {
		need := max(kv.K, kv.V) + (kv.Rows-1)*kv.Step + words
		for _, page := range kv.Pages[first/kv.Rows : (end-1)/kv.Rows+1] {
			ok = ok && len(page) >= need
		}
	}
	if !ok {
		panic(fmt.Sprintf("kernels: Attend: out %d, q %d, scores %d values for %d heads of %d, keys %d to %d in %d pages of %d rows %d apart",
			out, q, scores, n, d, first, end, len(kv.Pages), kv.Rows, kv.Step))
	}
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
