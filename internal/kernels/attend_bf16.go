package kernels

import (
	"fmt"

	"ft/internal/quant"
)

// CachePrecision is how keys and values of heads of d features are kept best for products in prec: BF16, two values in a word, where
// AttendHalves gains from it.
func CachePrecision(prec Precision, d int) Precision {
	if prec == BF16 && active.Load().dotsBF16 != nil && d%32 == 0 {
		return BF16
	}
	return F32
}

// RoundRow writes src, a multiple of 32 values, to the first words of dst in bfloat16, two values in a word.
func RoundRow(dst, src []float32) {
	if len(src)%32 != 0 || len(dst) < len(src)/2 {
		panic(fmt.Sprintf("kernels: RoundRow: %d values into %d words", len(src), len(dst)))
	}
	be := active.Load()
	if be.roundRow != nil {
		be.roundRow(dst, src)
		return
	}
	roundGeneric(dst, src, len(src)/32, rowWords)
}

// WidenRow writes the bfloat16 in src, two in a word, to dst.
func WidenRow(dst, src []float32) {
	if len(dst) != 2*len(src) {
		panic(fmt.Sprintf("kernels: WidenRow: %d words into %d values", len(src), len(dst)))
	}
	for i, h := range halves(src) {
		dst[i] = quant.BF16Value(h)
	}
}

// AttendHalves is Attend for keys k and values v in bfloat16, two in a word, with rows of d/2 words step words apart, and d a multiple of 32.
// Queries are rounded to it; weights and sums are float32.
func AttendHalves(out, q []float32, n, d int, k, v []float32, step, seen int, scale, cap float32, scores []float32) {
	if n < 1 || d < 1 || d%32 != 0 || seen < 1 || step < d/2 || len(out) != n*d || len(q) != n*d || len(k) < (seen-1)*step+d/2 || len(v) < (seen-1)*step+d/2 || len(scores) < n*seen {
		panic(fmt.Sprintf("kernels: AttendHalves: out %d, q %d, k %d, v %d, scores %d values for %d heads of %d, %d keys %d apart",
			len(out), len(q), len(k), len(v), len(scores), n, d, seen, step))
	}
	be := active.Load()
	dots, mix := be.dotsBF16, be.mixBF16
	if dots == nil {
		dots, mix = dotsHalvesGeneric, mixHalvesGeneric
	}
	be.prefetchRows(k, step, seen, d/2)
	be.prefetchRows(v, step, seen, d/2)
	tmp := rowTmps.Get()
	*tmp = Grow(*tmp, n*d/2)
	RoundRow(*tmp, q)
	dots(scores, seen, *tmp, d/2, n, k, step, seen, d)
	rowTmps.Put(tmp)
	be.attendWeights(scores, n, seen, scale, cap)
	mix(out, d, scores, seen, n, v, step, seen, d)
}

func dotsHalvesGeneric(dst []float32, dstStep int, x []float32, xStep, n int, w []float32, wStep, m, k int) {
	for i := range n {
		a := halves(x[i*xStep : i*xStep+k/2])
		for r := range m {
			sum := float32(0)
			for j, h := range halves(w[r*wStep : r*wStep+k/2]) {
				sum += float32(quant.BF16Value(a[j]) * quant.BF16Value(h))
			}
			dst[i*dstStep+r] = sum
		}
	}
}

func mixHalvesGeneric(dst []float32, dstStep int, p []float32, pStep, n int, v []float32, vStep, m, d int) {
	for i := range n {
		out := dst[i*dstStep : i*dstStep+d]
		clear(out)
		for r, a := range p[i*pStep : i*pStep+m] {
			for j, h := range halves(v[r*vStep : r*vStep+d/2]) {
				out[j] += float32(a * quant.BF16Value(h))
			}
		}
	}
}
