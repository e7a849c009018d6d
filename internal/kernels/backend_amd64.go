//go:build !purego

package kernels

import (
	"golang.org/x/sys/cpu"

	"ft/internal/quant"
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
	f32:  assemblyStrip(stripAVX512).strip,
	lay:  layout{assemblyTranspose(transpose16AVX512).transpose, roundGeneric, pairsGeneric, interleaveGeneric, straightGeneric, assemblyDots{F32: dotsF32AVX512}.dots},

	dequantize: dequantizeAVX2,
	prefetch:   prefetchAMD64,
	vec:        assemblyVectors{expSumAVX512, swigluAVX512, swigluBackwardAVX512, dotAVX512, axpyAVX512, scaleAVX512, maximumAVX512}.vectors(),
	ops:        bestBlockOps(),
}

// avx512bf16 is avx512 with products in bfloat16, for which AMD's Zen 4 and later have twice the rate of float32.
var avx512bf16 = func() backend {
	b := avx512
	b.name = "avx512bf16"
	b.bf16 = assemblyStrip(stripBF16AVX512).strip
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
	b.lay.straight = func(dst, c []float32, panels int) {
		_, _ = dst[panels*blockWords-1], c[panels*resultSize-1]
		straightBF16(&dst[0], &c[0], panels)
	}
	b.lay.dots = assemblyDots{F32: dotsF32AVX512, BF16: dotsBF16AVX512}.dots
	return b
}()

// amx is avx512bf16 with products in tiles.
var amx = func() backend {
	b := avx512bf16
	b.name = "amx"
	b.bf16 = assemblyStrip(stripAMX).strip
	return b
}()

var avx2 = backend{
	name: "avx2",
	f32:  assemblyStrip(stripAVX2).strip,
	lay:  layout{assemblyTranspose(transpose16AVX2).transpose, roundGeneric, pairsGeneric, interleaveGeneric, straightGeneric, assemblyDots{F32: dotsF32AVX2}.dots},

	dequantize: dequantizeAVX2,
	prefetch:   prefetchAMD64,
	vec:        assemblyVectors{expSumAVX2, swigluAVX2, swigluBackwardAVX2, dotAVX2, axpyAVX2, scaleAVX2, maximumAVX2}.vectors(),
	ops:        blockOpsAVX2,
}

// assemblyStrip wraps a micro-kernel in the checks that make its pointers safe.
type assemblyStrip func(c, a, b *float32, blocks, panels, stride int, add bool)

func (f assemblyStrip) strip(c, a, b []float32, blocks, panels, stride int, add bool) {
	_, _, _ = c[panels*resultSize-1], a[blocks*blockWords-1], b[(panels-1)*stride+blocks*blockWords-1]
	f(&c[0], &a[0], &b[0], blocks, panels, stride, add)
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
		dotsGeneric(dst, a, b, blocks, prec)
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

// dequantizeAVX2 has fast twins of the common formats.
func dequantizeAVX2(dst []float32, t quant.Type, src []byte) {
	if len(dst) == 0 {
		return
	}
	_ = src[t.RowBytes(len(dst))-1]
	switch t {
	case quant.BF16, quant.F16:
		n := len(dst) &^ 15
		if n > 0 && t == quant.BF16 {
			dequantBF16(&dst[0], &src[0], n/16)
		} else if n > 0 {
			dequantF16(&dst[0], &src[0], n/16)
		}
		if n < len(dst) {
			quant.Dequantize(dst[n:], t, src[2*n:])
		}
	case quant.Q8_0:
		dequantQ8_0(&dst[0], &src[0], len(dst)/32)
	case quant.Q4_0:
		dequantQ4_0(&dst[0], &src[0], len(dst)/32)
	case quant.Q4_1:
		dequantQ4_1(&dst[0], &src[0], len(dst)/32)
	default:
		quant.Dequantize(dst, t, src)
	}
}
