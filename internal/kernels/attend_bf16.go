package kernels

import (
	"fmt"

	"ft/internal/quant"
)

// CachePrecision is how keys and values of heads of d features are kept best for products in prec: BF16, two values in a word, where
// Attend gains from it.
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
		for r, a := range p[i*pStep : i*pStep+m] {
			for j, h := range halves(v[r*vStep : r*vStep+d/2]) {
				out[j] += float32(a * quant.BF16Value(h))
			}
		}
	}
}
