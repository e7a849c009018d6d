package main

import "fmt"

// strips writes the micro-kernels of strip.go. A part of the result, 8×32 (AVX2: 4×16), stays in registers over all
// blocks of k: so many independent chains hide the latency of the multiply-add, and every load serves several of them.
// Kernels for half a panel have parts of 16×16 (4×16): as many chains.
func strips(f *file) {
	fma := func(f *file, d, a, b int) { f.op("VFMADD231PS Z%d, Z%d, Z%d", b, a, d) }
	dot := func(f *file, d, a, b int) { f.evex("VDPBF16PS", 2, 0x52, d, a, b) }
	short := func(f *file, d, a, b int) { f.op("VFMADD231PS Y%d, Y%d, Y%d", b, a, d) }
	strip(f, kernelOf{name: "stripAVX512", v: avx512, cols: 32, rows: 8, vecs: 2, bStep: 128, bNext: 64, fma: fma})
	strip(f, kernelOf{name: "halfAVX512", v: avx512, cols: 16, rows: 16, vecs: 1, bStep: 128, fma: fma})
	strip(f, kernelOf{name: "stripBF16AVX512", v: avx512, cols: 32, rows: 8, vecs: 2, bStep: 64, bNext: 1024, fma: dot})
	strip(f, kernelOf{name: "halfBF16AVX512", v: avx512, cols: 16, rows: 16, vecs: 1, bStep: 64, fma: dot})
	strip(f, kernelOf{name: "stripAVX2", v: avx2, cols: 32, rows: 4, vecs: 2, bStep: 128, bNext: 32, fma: short})
	strip(f, kernelOf{name: "halfAVX2", v: avx2, cols: 16, rows: 4, vecs: 2, bStep: 128, bNext: 32, fma: short})
}

// kernelOf is what differs between the kernels: columns of a panel, rows and vectors of columns of a part, the bytes from
// one step of k to the next in a block of B, those from the first vector to the second, and the instruction d += a·b.
type kernelOf struct {
	name             string
	v                isa
	cols, rows, vecs int
	bStep, bNext     int
	fma              func(f *file, d, a, b int)
}

// strip writes one kernel. Registers: AX C of the panel, R13 C of the part, SI A, R10 A's part, DI the panel of B, R11
// its block, CX blocks, R12 blocks left, R8 panels left, R15 parts, DX parts left, R9 bytes between panels.
func strip(f *file, k kernelOf) {
	cols := k.vecs * k.v.bytes // of a part, in bytes of C
	f.text(k.name, 57, "func "+k.name+"(c, a, b *float32, blocks, panels, stride, parts int, add bool)")
	f.op("MOVQ c+0(FP), AX")
	f.op("MOVQ a+8(FP), SI")
	f.op("MOVQ b+16(FP), DI")
	f.op("MOVQ blocks+24(FP), CX")
	f.op("MOVQ panels+32(FP), R8")
	f.op("MOVQ stride+40(FP), R9")
	f.op("MOVQ parts+48(FP), R15")
	f.op("MOVBLZX add+56(FP), R14")
	f.op("SHLQ $2, R9")
	f.line("panel:")
	for at := 0; at < 4*k.cols/cols; at++ {
		f.op("MOVQ SI, R10")
		f.op("LEAQ %d(AX), R13", at*cols)
		f.op("MOVQ R15, DX")
		f.line("part%d:", at)
		stripPart(f, k, at)
		f.op("ADDQ $%d, R10", k.rows*64)
		f.op("ADDQ $%d, R13", k.rows*128)
		f.op("DECQ DX")
		f.op("JNZ  part%d", at)
	}
	f.op("ADDQ R9, DI")
	f.op("ADDQ $4096, AX")
	f.op("DECQ R8")
	f.op("JNZ  panel")
	f.ret()
}

// stripPart writes the sum over all blocks for the parts of columns `at`. R10 moves through A and is put back.
func stripPart(f *file, k kernelOf, at int) {
	reg := func(i int) string { return fmt.Sprintf("%s%d", k.v.reg, i) }
	sums := k.rows * k.vecs
	f.op("TESTL R14, R14")
	f.op("JZ   clear%d", at)
	for i := range sums {
		f.op("VMOVUPS %d(R13), %s", i/k.vecs*128+i%k.vecs*k.v.bytes, reg(i))
	}
	f.op("JMP  start%d", at)
	f.line("clear%d:", at)
	for i := range sums {
		k.v.zero(f, i)
	}
	f.line("start%d:", at)
	f.op("LEAQ %d(DI), R11", at*k.vecs*k.v.bytes)
	f.op("MOVQ CX, R12")
	f.line("block%d:", at)
	for step := range 16 {
		for v := range k.vecs {
			f.op("VMOVUPS %d(R11), %s", step*k.bStep+v*k.bNext, reg(sums+v))
		}
		for r := range k.rows {
			x := sums + k.vecs + r%2
			f.op("VBROADCASTSS %d(R10), %s", r*64+step*4, reg(x))
			for v := range k.vecs {
				k.fma(f, k.vecs*r+v, x, sums+v)
			}
		}
	}
	f.op("ADDQ $2048, R10")
	f.op("ADDQ $2048, R11")
	f.op("DECQ R12")
	f.op("JNZ  block%d", at)
	for i := range sums {
		f.op("VMOVUPS %s, %d(R13)", reg(i), i/k.vecs*128+i%k.vecs*k.v.bytes)
	}
	f.op("MOVQ CX, R12")
	f.op("SHLQ $11, R12")
	f.op("SUBQ R12, R10")
}
