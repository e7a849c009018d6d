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
	if !cpu.X86.HasAVX512F {
		return []*backend{&avx2}
	}
	return []*backend{&avx512, &avx2}
}

var avx512 = backend{
	name: "avx512", mr: 14, nr: 32, group: 8,
	tile: func(t *tile) {
		tileAVX512(t.rows, t.k, &t.a[0], t.rowStep, t.kStep, &t.b[0], &t.c[0], t.ldc, t.alpha, t.add)
	},
	transpose:  func(dst, src []float32, ld, k int) { transposeAVX2(dst, src, ld, k, 32) },
	dequantize: dequantizeAVX2,
	prefetch:   prefetchAMD64,
	vec:        assemblyVectors{expSumAVX512, swigluAVX512, swigluBackwardAVX512, dotAVX512, axpyAVX512, scaleAVX512, maximumAVX512}.vectors(),
	ops:        bestBlockOps(),
}

var avx2 = backend{
	name: "avx2", mr: 6, nr: 16, group: 8,
	tile: func(t *tile) {
		tileAVX2(t.rows, t.k, &t.a[0], t.rowStep, t.kStep, &t.b[0], &t.c[0], t.ldc, t.alpha, t.add)
	},
	transpose:  func(dst, src []float32, ld, k int) { transposeAVX2(dst, src, ld, k, 16) },
	dequantize: dequantizeAVX2,
	prefetch:   prefetchAMD64,
	vec:        assemblyVectors{expSumAVX2, swigluAVX2, swigluBackwardAVX2, dotAVX2, axpyAVX2, scaleAVX2, maximumAVX2}.vectors(),
	ops:        blockOpsAVX2,
}

// transposeAVX2 is backend.transpose for groups of 8 and panels of nr columns.
func transposeAVX2(dst, src []float32, ld, k, nr int) {
	whole := k &^ 7
	if whole > 0 {
		transpose8(&dst[0], &src[0], ld, nr, whole/8)
	}
	for i := whole; i < k; i++ {
		for r := range 8 {
			dst[i*nr+r] = src[r*ld+i]
		}
	}
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
