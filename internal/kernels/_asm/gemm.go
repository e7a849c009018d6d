package main

import "fmt"

// tiles writes the micro-kernels. Two vectors of columns; as many rows as leave registers for the panel's
// two vectors and two broadcast values of A.
func tiles(f *file) {
	tile(f, avx512, 14)
	tile(f, avx2, 6)
}

// tile writes one function with a loop for each number of rows from most down to 1. Every element of C is
// one chain of fused multiply-adds over k in ascending order, whatever the number of rows.
func tile(f *file, v isa, most int) {
	f.text("tile"+v.name, 69, "func tile"+v.name+"(rows, k int, a *float32, rowStep, kStep int, b, c *float32, ldc int, alpha float32, add bool)")
	f.op("MOVQ rows+0(FP), BX")
	f.op("MOVQ k+8(FP), CX")
	f.op("MOVQ a+16(FP), SI")
	f.op("MOVQ rowStep+24(FP), DX")
	f.op("MOVQ kStep+32(FP), R9")
	f.op("MOVQ b+40(FP), DI")
	f.op("MOVQ c+48(FP), AX")
	f.op("MOVQ ldc+56(FP), R8")
	f.op("MOVBLZX add+68(FP), R14")
	for _, steps := range []string{"DX", "R9", "R8"} {
		f.op("SHLQ $2, %s", steps)
	}
	f.op("LEAQ (DX)(DX*2), R10") // three rows of A
	f.op("LEAQ (SI)(DX*4), R11") // row 4
	f.op("LEAQ (SI)(DX*8), R12") // row 8
	f.op("LEAQ (R11)(DX*8), R13")
	for rows := most; rows > 1; rows-- {
		f.op("CMPQ BX, $%d", rows)
		f.op("JEQ  rows%d", rows)
	}
	for rows := 1; rows <= most; rows++ {
		tileRows(f, v, rows, most)
	}
}

// tileRows writes the loop for one number of rows.
func tileRows(f *file, v isa, rows, most int) {
	bases := []string{"SI", "R11", "R12", "R13"}[:(rows+3)/4]
	acc := func(r, half int) string { return fmt.Sprintf("%s%d", v.reg, 2*r+half) }
	panel, x := 2*most, 2*most+2

	f.line("rows%d:", rows)
	f.op("MOVQ AX, BX")
	for r := range rows {
		f.op("PREFETCHT0 (BX)")
		if v.bytes == 64 {
			f.op("PREFETCHT0 64(BX)")
		}
		f.op("ADDQ R8, BX")
		v.zero(f, 2*r)
		v.zero(f, 2*r+1)
	}
	f.line("k%d:", rows)
	f.op("VMOVUPS (DI), %s%d", v.reg, panel)
	f.op("VMOVUPS %d(DI), %s%d", v.bytes, v.reg, panel+1)
	for r := range rows {
		a := fmt.Sprintf("%s%d", v.reg, x+r%2)
		f.op("VBROADCASTSS (%s)%s, %s", bases[r/4], []string{"", "(DX*1)", "(DX*2)", "(R10*1)"}[r%4], a)
		f.op("VFMADD231PS %s%d, %s, %s", v.reg, panel, a, acc(r, 0))
		f.op("VFMADD231PS %s%d, %s, %s", v.reg, panel+1, a, acc(r, 1))
	}
	for _, b := range bases {
		f.op("ADDQ R9, %s", b)
	}
	f.op("ADDQ $%d, DI", 2*v.bytes)
	f.op("DECQ CX")
	f.op("JNZ  k%d", rows)

	f.op("VBROADCASTSS alpha+64(FP), %s%d", v.reg, x)
	f.op("TESTL R14, R14")
	f.op("JZ   set%d", rows)
	f.op("MOVQ AX, BX")
	for r := range rows {
		for half := range 2 {
			f.op("VMULPS %s%d, %s, %s", v.reg, x, acc(r, half), acc(r, half))
			f.op("VADDPS %d(BX), %s, %s", half*v.bytes, acc(r, half), acc(r, half))
			f.op("VMOVUPS %s, %d(BX)", acc(r, half), half*v.bytes)
		}
		f.op("ADDQ R8, BX")
	}
	f.ret()
	f.line("set%d:", rows)
	for r := range rows {
		for half := range 2 {
			f.op("VMULPS %s%d, %s, %s", v.reg, x, acc(r, half), acc(r, half))
			f.op("VMOVUPS %s, %d(AX)", acc(r, half), half*v.bytes)
		}
		f.op("ADDQ R8, AX")
	}
	f.ret()
}
