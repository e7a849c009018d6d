//go:build !purego

package kernels

import (
	"golang.org/x/sys/cpu"
)

// assembly is the backends besides generic that this CPU and its operating system support, best first.
func assembly() []*backend {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !cpu.X86.HasF16C {
		return nil
	}
	if !cpu.X86.HasAVX512F || !cpu.X86.HasAVX512BW || !cpu.X86.HasAVX512DQ || !cpu.X86.HasAVX512VL {
		return []*backend{&avx2}
	}
	if !cpu.X86.HasAVX512BF16 {
		return []*backend{&avx512, &avx2}
	}
	if !hasAMX {
		return []*backend{&avx512bf16, &avx512, &avx2}
	}
	return []*backend{&amx, &avx512bf16, &avx512, &avx2}
}

var avx512 = backend{
	name: "avx512",
	f32:  assemblyStrip{stripAVX512, 8, halfAVX512, 16}.strip,
	lay:  layout{assemblyTranspose(transpose16AVX512).transpose, roundGeneric, pairsGeneric, interleaveGeneric, assemblyDots{F32: dotsF32AVX512}.dots},

	dequantize: codersAVX512.dequantize,
	rows:       codersAVX512.rows,
	dots:       codersAVX512.dots,
	mix:        assemblyMix{mix1AVX512, mix2AVX512, mix3AVX512, mix4AVX512}.mix,
	gain:       assemblyGain(gainAVX512).gain,
	prefetch:   prefetchAMD64,

	prefetchRows: prefetchRowsAMD64,
	vec:          assemblyVectors{expSumAVX512, swigluAVX512, dotAVX512, axpyAVX512, scaleAVX512, maximumAVX512}.vectors(),
	ops:          bestBlockOps(),
	peaks:        [2]peak{F32: {peakF32AVX512, 24 * 32, 1 << 16}},
}

// avx512bf16 is avx512 with products in bfloat16, for which AMD's Zen 4 and later have twice the rate of float32.
var avx512bf16 = func() backend {
	b := avx512
	b.name = "avx512bf16"
	b.bf16 = assemblyStrip{stripBF16AVX512, 8, halfBF16AVX512, 16}.strip
	b.peaks[BF16] = peak{peakBF16AVX512, 24 * 64, 1 << 16}
	b.rowsBF16, b.roundRow = halvesAVX512.rows, halvesAVX512.round
	b.dotsBF16, b.mixBF16 = halvesAVX512.dots, halvesAVX512.mix
	b.lay.round = func(dst, src []float32, blocks, step int) {
		_, _ = src[32*blocks-1], dst[(blocks-1)*step+15]
		roundBF16(&dst[0], &src[0], blocks, step)
	}
	b.lay.pairs = func(dst, even, odd []float32, blocks, step int) {
		_, _, _ = even[32*blocks-1], odd[32*blocks-1], dst[(blocks-1)*step+271]
		pairsBF16(&dst[0], &even[0], &odd[0], blocks, step)
	}
	b.lay.interleave = func(dst, src []float32, count, dstStep, srcStep int) {
		_, _ = src[(count-1)*srcStep+blockWords-1], dst[(count-1)*dstStep+blockWords-1]
		interleaveBF16(&dst[0], &src[0], count, dstStep, srcStep)
	}
	b.lay.dots = assemblyDots{F32: dotsF32AVX512, BF16: dotsBF16AVX512}.dots
	return b
}()

// amx is avx512bf16 with products in tiles.
var amx = func() backend {
	b := avx512bf16
	b.name = "amx"
	b.rowsBF16, b.roundRow, b.dotsBF16, b.mixBF16 = nil, nil, nil, nil // Intel's cores have half of float32's rate in VDPBF16PS
	b.bf16 = tileStrip
	b.peaks[BF16] = peak{peakAMX, 4 * 2 * 16 * 16 * 32, 1 << 13}
	return b
}()

var avx2 = backend{
	name: "avx2",
	f32:  assemblyStrip{stripAVX2, 4, halfAVX2, 4}.strip,
	lay:  layout{assemblyTranspose(transpose16AVX2).transpose, roundGeneric, pairsGeneric, interleaveGeneric, assemblyDots{F32: dotsF32AVX2}.dots},

	dequantize: codersAVX2.dequantize,
	rows:       codersAVX2.rows,
	dots:       codersAVX2.dots,
	mix:        assemblyMix{mix1AVX2, mix2AVX2, mix3AVX2, mix4AVX2}.mix,
	gain:       assemblyGain(gainAVX2).gain,
	prefetch:   prefetchAMD64,

	prefetchRows: prefetchRowsAMD64,
	vec:          assemblyVectors{expSumAVX2, swigluAVX2, dotAVX2, axpyAVX2, scaleAVX2, maximumAVX2}.vectors(),
	ops:          blockOpsAVX2,
	peaks:        [2]peak{F32: {peakF32AVX2, 12 * 16, 1 << 17}},
}

// assemblyStrip is a micro-kernel, one for half a panel, and the rows of a part of each.
type assemblyStrip struct {
	whole     func(c, a, b *float32, blocks, panels, stride, parts int, add bool)
	wholeRows int
	half      func(c, a, b *float32, blocks, panels, stride, parts int, add bool)
	halfRows  int
}

// strip is stripFunc: it checks what makes the kernels' pointers safe.
func (f assemblyStrip) strip(c, a, b []float32, blocks, panels, stride, rows, cols int, add bool) {
	_, _, _ = c[panels*resultSize-1], a[blocks*blockWords-1], b[(panels-1)*stride+blocks*blockWords-1]
	if cols <= PanelCols/2 {
		panels--
		last := c[panels*resultSize:]
		f.half(&last[0], &a[0], &b[panels*stride], blocks, 1, 0, (rows+f.halfRows-1)/f.halfRows, add)
		for r := 0; r < rows && !add; r++ {
			clear(last[r*PanelCols+PanelCols/2 : (r+1)*PanelCols])
		}
	}
	if panels > 0 {
		f.whole(&c[0], &a[0], &b[0], blocks, panels, stride, (rows+f.wholeRows-1)/f.wholeRows, add)
	}
}

// assemblyTranspose is the same for a transpose.
type assemblyTranspose func(dst, src *float32, dstStride, srcStride, count, dstStep, srcStep int)

func (f assemblyTranspose) transpose(dst, src []float32, dstStride, srcStride, count, dstStep, srcStep int) {
	_, _ = src[(count-1)*srcStep+15*srcStride+15], dst[(count-1)*dstStep+15*dstStride+15]
	f(&dst[0], &src[0], dstStride, srcStride, count, dstStep, srcStep)
}

// assemblyDots is the same for layout.dots, by Precision; nil: the Go twin serves it.
type assemblyDots [2]func(dst, a, b *float32, blocks int)

func (f assemblyDots) dots(dst, a, b []float32, blocks int, prec Precision) {
	if f[prec] == nil {
		rowDotsGeneric(dst, a, b, blocks, prec)
		return
	}
	_, _, _ = dst[StripRows-1], a[blocks*blockWords-1], b[blocks*blockWords-1]
	f[prec](&dst[0], &a[0], &b[0], blocks)
}

// prefetchAMD64 is backend.prefetch.
func prefetchAMD64(src []byte) {
	if len(src) > 0 {
		prefetchLines(&src[0], (len(src)+63)/64)
	}
}

// prefetchRowsAMD64 is backend.prefetchRows.
func prefetchRowsAMD64(v []float32, step, rows, d int) {
	if len(v) > 0 && rows > 0 && d > 0 {
		prefetchRows(&v[0], step, rows, (d+15)/16)
	}
}
