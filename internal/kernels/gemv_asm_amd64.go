//go:build !purego

package kernels

// The functions of dequant_amd64.s and gemv_amd64.s. Blocks are those of the format, of F16 and BF16 32 values.
// Counts are positive.

// relax tells the CPU that the caller spins.
//
//go:noescape
func relax()

// The dequantisers are internal/quant's, bit for bit.

//go:noescape
func dequantF16AVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantBF16AVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ8_0AVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ4_0AVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ4_1AVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ5_0AVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ5_1AVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ2_KAVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ3_KAVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ4_KAVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ5_KAVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ6_KAVX512(dst *float32, src *byte, blocks int)

//go:noescape
func dequantF16AVX2(dst *float32, src *byte, blocks int)

//go:noescape
func dequantBF16AVX2(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ8_0AVX2(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ4_0AVX2(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ4_1AVX2(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ5_0AVX2(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ5_1AVX2(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ2_KAVX2(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ3_KAVX2(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ4_KAVX2(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ5_KAVX2(dst *float32, src *byte, blocks int)

//go:noescape
func dequantQ6_KAVX2(dst *float32, src *byte, blocks int)

// The rows functions compute dst[i·dstStep+r] = x_i·w_r for a number of weight rows wStep bytes apart and as many input rows,
// xStep floats apart, as the name says (one if it says none). Rows of float32 have k values, any number.

//go:noescape
func rowsF32AVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, k int)

//go:noescape
func rowsF16AVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsBF16AVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ8_0AVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ4_0AVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ4_1AVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ5_0AVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ5_1AVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ4_KAVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ5_KAVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ6_KAVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsF32x2AVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, k int)

//go:noescape
func rowsF32x3AVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, k int)

//go:noescape
func rowsF32x4AVX512(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, k int)

//go:noescape
func rowsF32AVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, k int)

//go:noescape
func rowsF16AVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsBF16AVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ8_0AVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ4_0AVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ4_1AVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ5_0AVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ5_1AVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ4_KAVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ5_KAVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ6_KAVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsF32x2AVX2(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, k int)

// The mix functions compute dst_i += sum of p[i·pStep+r]·v_r over rows v_r, for 1 to 4 sums; columns is a multiple of 16.

//go:noescape
func mix1AVX512(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

//go:noescape
func mix2AVX512(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

//go:noescape
func mix3AVX512(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

//go:noescape
func mix4AVX512(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

//go:noescape
func mix1AVX2(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

//go:noescape
func mix2AVX2(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

//go:noescape
func mix3AVX2(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

//go:noescape
func mix4AVX2(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

// The gain functions compute dst = (x·r)·gain for n values, a multiple of 16. dst may be x.

//go:noescape
func gainAVX512(dst, x, gain *float32, n int, r float32)

//go:noescape
func gainAVX2(dst, x, gain *float32, n int, r float32)

// The round functions are dequantisers to bfloat16, to nearest even; roundF32 rounds 32 values a block. They need AVX512_BF16, as do
// those whose name ends in Half: rows functions for inputs in bfloat16, with xStep in words of two.

//go:noescape
func roundF32(dst *float32, src *byte, blocks int)

//go:noescape
func roundF16(dst *float32, src *byte, blocks int)

//go:noescape
func roundQ8_0(dst *float32, src *byte, blocks int)

//go:noescape
func roundQ4_0(dst *float32, src *byte, blocks int)

//go:noescape
func roundQ4_1(dst *float32, src *byte, blocks int)

//go:noescape
func roundQ5_0(dst *float32, src *byte, blocks int)

//go:noescape
func roundQ5_1(dst *float32, src *byte, blocks int)

//go:noescape
func roundQ2_K(dst *float32, src *byte, blocks int)

//go:noescape
func roundQ3_K(dst *float32, src *byte, blocks int)

//go:noescape
func roundQ4_K(dst *float32, src *byte, blocks int)

//go:noescape
func roundQ5_K(dst *float32, src *byte, blocks int)

//go:noescape
func roundQ6_K(dst *float32, src *byte, blocks int)

//go:noescape
func rowsF32AVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsF16AVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ8_0AVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ4_0AVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ4_1AVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ5_0AVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ5_1AVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ4_KAVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ5_KAVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsQ6_KAVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsBF16AVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsBF16x2AVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsBF16x3AVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func rowsBF16x4AVX512Half(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, blocks int)

//go:noescape
func mix1AVX512Half(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

//go:noescape
func mix2AVX512Half(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

//go:noescape
func mix3AVX512Half(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)

//go:noescape
func mix4AVX512Half(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)
