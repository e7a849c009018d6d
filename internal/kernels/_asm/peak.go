package main

import "fmt"

// peaks writes what measures the rate of multiplications that need nothing but registers.
func peaks(f *file) {
	peak(f, kernelOf{name: "peakF32AVX512", v: avx512, rows: 6, fma: func(f *file, d, a, b int) {
		f.op("VFMADD231PS Z%d, Z%d, Z%d", b, a, d)
	}})
	peak(f, kernelOf{name: "peakBF16AVX512", v: avx512, rows: 6, fma: func(f *file, d, a, b int) {
		f.evex("VDPBF16PS", 2, 0x52, d, a, b)
	}})
	peak(f, kernelOf{name: "peakF32AVX2", v: avx2, rows: 3, fma: func(f *file, d, a, b int) {
		f.op("VFMADD231PS Y%d, Y%d, Y%d", b, a, d)
	}})
}

// peak writes n rounds of 4·rows independent sums of products of 8 vectors (AVX2: of 3, for which there is room).
func peak(f *file, k kernelOf) {
	reg := func(i int) string { return fmt.Sprintf("%s%d", k.v.reg, i) }
	sums := 4 * k.rows
	factors := 8
	if k.v == avx2 {
		factors = 3
	}
	f.text(k.name, 16, "func "+k.name+"(x *float32, n int)")
	f.op("MOVQ x+0(FP), SI")
	f.op("MOVQ n+8(FP), CX")
	for i := range factors {
		f.op("VMOVUPS %d(SI), %s", i*k.v.bytes, reg(sums+i))
	}
	for i := range sums {
		k.v.zero(f, i)
	}
	f.line("round:")
	for i := range sums {
		k.fma(f, i, sums+i%factors, sums+(i+1)%factors)
	}
	f.op("DECQ CX")
	f.op("JNZ  round")
	f.ret()
}
