//go:build !purego

package kernels

import (
	"unsafe"

	"ft/internal/quant"
)

// asmHalves is the assembly for products of few rows in bfloat16: dequantisers to it, rows functions for one input row, and in
// tiles[i] what multiplies weights in bfloat16 with i+1 input rows; mixes are weighted sums of rows in it.
type asmHalves struct {
	types [quant.BF16 + 1]asmCoder
	tiles []rowsFunc
	mixes assemblyMix
}

var halvesAVX512 = &asmHalves{
	types: [...]asmCoder{
		quant.F32:  {32, roundF32, rowsF32AVX512Half},
		quant.F16:  {32, roundF16, rowsF16AVX512Half},
		quant.BF16: {32, nil, nil},
		quant.Q8_0: {32, roundQ8_0, rowsQ8_0AVX512Half},
		quant.Q4_0: {32, roundQ4_0, rowsQ4_0AVX512Half},
		quant.Q4_1: {32, roundQ4_1, rowsQ4_1AVX512Half},
		quant.Q5_0: {32, roundQ5_0, rowsQ5_0AVX512Half},
		quant.Q5_1: {32, roundQ5_1, rowsQ5_1AVX512Half},
		quant.Q2_K: {256, roundQ2_K, nil},
		quant.Q3_K: {256, roundQ3_K, nil},
		quant.Q4_K: {256, roundQ4_K, rowsQ4_KAVX512Half},
		quant.Q5_K: {256, roundQ5_K, rowsQ5_KAVX512Half},
		quant.Q6_K: {256, roundQ6_K, rowsQ6_KAVX512Half},
	},
	tiles: []rowsFunc{rowsBF16AVX512Half, rowsBF16x2AVX512Half, rowsBF16x3AVX512Half, rowsBF16x4AVX512Half},
	mixes: assemblyMix{mix1AVX512Half, mix2AVX512Half, mix3AVX512Half, mix4AVX512Half},
}

// round is backend.roundRow.
func (a *asmHalves) round(dst, src []float32) {
	if blocks := len(src) / 32; blocks > 0 {
		_ = dst[16*blocks-1]
		roundF32(&dst[0], (*byte)(unsafe.Pointer(&src[0])), blocks)
	}
}

// rows is backend.rowsBF16.
func (a *asmHalves) rows(dst, x []float32, t int, w *Matrix, lo, hi int, tmp *[]float32) {
	c, k := &a.types[w.Type], w.Cols
	for lo < hi {
		n, step := w.run(lo, hi)
		first := &w.stored(lo, 0, k)[0]
		switch {
		case w.Type == quant.BF16:
			a.multiply(dst[lo:], w.Rows, x, t, first, step, n, k)
		case t == 1 && c.rows != nil:
			_, _ = dst[lo+n-1], x[k/2-1]
			c.rows(&dst[lo], w.Rows, &x[0], k/2, first, step, n, k/c.values)
		default:
			a.rounded(dst[lo:], x, t, w, unsafe.Pointer(first), step, n, tmp)
		}
		lo += n
	}
}

// roundedBytes is the size of the rounded rows that are multiplied together: few enough to stay in the first-level cache
// beside four input rows, many enough that inputs are not read too often.
const roundedBytes = 24 << 10

// rounded multiplies by way of n rounded rows, which lie step bytes apart from first on.
func (a *asmHalves) rounded(dst, x []float32, t int, w *Matrix, first unsafe.Pointer, step, n int, tmp *[]float32) {
	c, k := &a.types[w.Type], w.Cols
	group := max(rowGroup, roundedBytes/(2*k)/rowGroup*rowGroup)
	*tmp = Grow(*tmp, group*k/2)
	v := *tmp
	blocks, row := k/c.values, w.Type.RowBytes(k)
	for r := 0; r < n; r += group {
		m := min(group, n-r)
		if step == row {
			c.dequantize(&v[0], (*byte)(unsafe.Add(first, r*step)), m*blocks)
		} else {
			for i := range m {
				c.dequantize(&v[i*k/2], (*byte)(unsafe.Add(first, (r+i)*step)), blocks)
			}
		}
		a.multiply(dst[r:], w.Rows, x, t, (*byte)(unsafe.Pointer(&v[0])), 2*k, m, k)
	}
}

// multiply does all t input rows with n weight rows of k values in bfloat16.
func (a *asmHalves) multiply(dst []float32, dstStep int, x []float32, t int, w *byte, wStep, n, k int) {
	for i := 0; i < t; {
		m := min(t-i, len(a.tiles))
		_, _ = dst[(i+m-1)*dstStep+n-1], x[(i+m)*k/2-1]
		a.tiles[m-1](&dst[i*dstStep], dstStep, &x[i*k/2], k/2, w, wStep, n, k/32)
		i += m
	}
}

// dots is backend.dotsBF16.
func (a *asmHalves) dots(dst []float32, dstStep int, x []float32, xStep, n int, w []float32, wStep, m, k int) {
	if m == 0 || k == 0 {
		dotsHalvesGeneric(dst, dstStep, x, xStep, n, w, wStep, m, k)
		return
	}
	_ = w[(m-1)*wStep+k/2-1]
	for i := 0; i < n; {
		c := min(n-i, len(a.tiles))
		_, _ = dst[(i+c-1)*dstStep+m-1], x[(i+c-1)*xStep+k/2-1]
		a.tiles[c-1](&dst[i*dstStep], dstStep, &x[i*xStep], xStep, (*byte)(unsafe.Pointer(&w[0])), 4*wStep, m, k/32)
		i += c
	}
}

// mix is backend.mixBF16.
func (a *asmHalves) mix(dst []float32, dstStep int, p []float32, pStep, n int, v []float32, vStep, m, d int) {
	if n == 0 || m == 0 || d == 0 {
		mixHalvesGeneric(dst, dstStep, p, pStep, n, v, vStep, m, d)
		return
	}
	_, _, _ = dst[(n-1)*dstStep+d-1], p[(n-1)*pStep+m-1], v[(m-1)*vStep+d/2-1]
	for i := 0; i < n; {
		sums := min(n-i, len(a.mixes))
		a.mixes[sums-1](&dst[i*dstStep], dstStep, &p[i*pStep], pStep, &v[0], vStep, m, d)
		i += sums
	}
}
