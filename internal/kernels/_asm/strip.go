package main

import "fmt"

// strips writes the micro-kernels of strip.go. A result of 8×32 (AVX2: 4×16) stays in registers over all blocks
// of k: so many independent chains hide the latency of the multiply-add, and every load serves several of them.
func strips(f *file) {
	strip(f, kernelOf{name: "stripAVX512", v: avx512, rows: 8, bStep: 128, bNext: 64, fma: func(f *file, d, a, b int) {
		f.op("VFMADD231PS Z%d, Z%d, Z%d", b, a, d)
	}})
	strip(f, kernelOf{name: "stripBF16AVX512", v: avx512, rows: 8, bStep: 64, bNext: 1024, fma: func(f *file, d, a, b int) {
		f.evex("VDPBF16PS", 2, 0x52, d, a, b)
	}})
	strip(f, kernelOf{name: "stripAVX2", v: avx2, rows: 4, bStep: 128, bNext: 32, fma: func(f *file, d, a, b int) {
		f.op("VFMADD231PS Y%d, Y%d, Y%d", b, a, d)
	}})
}

// kernelOf is what differs between the kernels: result rows in registers, the bytes from one step of k to the next
// in a block of B, those from the first vector of columns to the second, and the instruction d += a·b.
type kernelOf struct {
	name         string
	v            isa
	rows         int
	bStep, bNext int
	fma          func(f *file, d, a, b int)
}

// strip writes one kernel. Registers: AX C of the panel, R13 C of the part in registers, SI A, R10 A's part, DI the
// panel of B, R11 its block, CX blocks, R12 blocks left, R8 panels left, DX parts left, R9 bytes between panels.
func strip(f *file, k kernelOf) {
	cols := 2 * k.v.bytes // of C, in bytes
	f.text(k.name, 49, "func "+k.name+"(c, a, b *float32, blocks, panels, stride int, add bool)")
	f.op("MOVQ c+0(FP), AX")
	f.op("MOVQ a+8(FP), SI")
	f.op("MOVQ b+16(FP), DI")
	f.op("MOVQ blocks+24(FP), CX")
	f.op("MOVQ panels+32(FP), R8")
	f.op("MOVQ stride+40(FP), R9")
	f.op("MOVBLZX add+48(FP), R14")
	f.op("SHLQ $2, R9")
	f.line("panel:")
	for half := 0; half < 128/cols; half++ {
		f.op("MOVQ SI, R10")
		f.op("LEAQ %d(AX), R13", half*cols)
		f.op("MOVQ $%d, DX", 32/k.rows)
		f.line("part%d:", half)
		stripPart(f, k, half)
		f.op("ADDQ $%d, R10", k.rows*64)
		f.op("ADDQ $%d, R13", k.rows*128)
		f.op("DECQ DX")
		f.op("JNZ  part%d", half)
	}
	f.op("ADDQ R9, DI")
	f.op("ADDQ $4096, AX")
	f.op("DECQ R8")
	f.op("JNZ  panel")
	f.ret()
}

// stripPart writes the sum over all blocks for one part of C. R10 moves through A and is put back.
func stripPart(f *file, k kernelOf, half int) {
	reg := func(i int) string { return fmt.Sprintf("%s%d", k.v.reg, i) }
	panel := 2 * k.rows
	f.op("TESTL R14, R14")
	f.op("JZ   clear%d", half)
	for r := range k.rows {
		f.op("VMOVUPS %d(R13), %s", r*128, reg(2*r))
		f.op("VMOVUPS %d(R13), %s", r*128+k.v.bytes, reg(2*r+1))
	}
	f.op("JMP  start%d", half)
	f.line("clear%d:", half)
	for i := range 2 * k.rows {
		k.v.zero(f, i)
	}
	f.line("start%d:", half)
	f.op("LEAQ %d(DI), R11", half*2*k.v.bytes)
	f.op("MOVQ CX, R12")
	f.line("block%d:", half)
	for step := range 16 {
		f.op("VMOVUPS %d(R11), %s", step*k.bStep, reg(panel))
		f.op("VMOVUPS %d(R11), %s", step*k.bStep+k.bNext, reg(panel+1))
		for r := range k.rows {
			x := panel + 2 + r%2
			f.op("VBROADCASTSS %d(R10), %s", r*64+step*4, reg(x))
			k.fma(f, 2*r, x, panel)
			k.fma(f, 2*r+1, x, panel+1)
		}
	}
	f.op("ADDQ $2048, R10")
	f.op("ADDQ $2048, R11")
	f.op("DECQ R12")
	f.op("JNZ  block%d", half)
	for r := range k.rows {
		f.op("VMOVUPS %s, %d(R13)", reg(2*r), r*128)
		f.op("VMOVUPS %s, %d(R13)", reg(2*r+1), r*128+k.v.bytes)
	}
	f.op("MOVQ CX, R12")
	f.op("SHLQ $11, R12")
	f.op("SUBQ R12, R10")
}
