package main

// layouts writes what brings values into blocks.
func layouts(f *file) {
	transpose16AVX512(f)
	transpose16AVX2(f)
	roundBF16(f)
	pairsBF16(f)
	interleaveBF16(f)
}

// transposeArgs loads the arguments of a transpose. Strides and steps become bytes.
func transposeArgs(f *file, name string) {
	f.text(name, 56, "func "+name+"(dst, src *float32, dstStride, srcStride, count, dstStep, srcStep int)")
	for i, r := range []string{"DI", "SI", "R8", "R9", "CX", "R10", "R11"} {
		f.op("MOVQ %s+%d(FP), %s", []string{"dst", "src", "dstStride", "srcStride", "count", "dstStep", "srcStep"}[i], 8*i, r)
	}
	for _, r := range []string{"R8", "R9", "R10", "R11"} {
		f.op("SHLQ $2, %s", r)
	}
}

// transpose16AVX512: rows are paired word by word and pair by pair, which transposes the 4×4 squares of every
// 128-bit lane, and then lanes change places twice.
func transpose16AVX512(f *file) {
	transposeArgs(f, "transpose16AVX512")
	f.line("next:")
	f.op("MOVQ SI, AX")
	for r := range 16 {
		f.op("VMOVUPS (AX), Z%d", r)
		f.op("ADDQ R9, AX")
	}
	for r := 0; r < 16; r += 2 {
		f.op("VUNPCKLPS Z%d, Z%d, Z%d", r+1, r, 16+r)
		f.op("VUNPCKHPS Z%d, Z%d, Z%d", r+1, r, 17+r)
	}
	for r := 0; r < 16; r += 4 { // columns 0 to 3 of each lane's square
		f.op("VUNPCKLPD Z%d, Z%d, Z%d", 18+r, 16+r, r)
		f.op("VUNPCKHPD Z%d, Z%d, Z%d", 18+r, 16+r, r+1)
		f.op("VUNPCKLPD Z%d, Z%d, Z%d", 19+r, 17+r, r+2)
		f.op("VUNPCKHPD Z%d, Z%d, Z%d", 19+r, 17+r, r+3)
	}
	for c := range 4 { // register 4g+c: column c of every lane, rows 4g to 4g+3
		f.op("VSHUFF32X4 $0x88, Z%d, Z%d, Z%d", 4+c, c, 16+c)
		f.op("VSHUFF32X4 $0xdd, Z%d, Z%d, Z%d", 4+c, c, 20+c)
		f.op("VSHUFF32X4 $0x88, Z%d, Z%d, Z%d", 12+c, 8+c, 24+c)
		f.op("VSHUFF32X4 $0xdd, Z%d, Z%d, Z%d", 12+c, 8+c, 28+c)
	}
	f.op("MOVQ DI, AX")
	for c := range 16 {
		lane, col := c/4, c%4
		from := 16 + lane%2*4 + col
		f.op("VSHUFF32X4 $0x%02x, Z%d, Z%d, Z0", []int{0x88, 0xdd}[lane/2], from+8, from)
		f.op("VMOVUPS Z0, (AX)")
		f.op("ADDQ R8, AX")
	}
	f.op("ADDQ R10, DI")
	f.op("ADDQ R11, SI")
	f.op("DECQ CX")
	f.op("JNZ  next")
	f.ret()
}

// transpose16AVX2 does four squares of 8×8.
func transpose16AVX2(f *file) {
	transposeArgs(f, "transpose16AVX2")
	f.line("next:")
	for _, square := range [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}} { // row group, column group
		f.op("LEAQ %d(SI), AX", 32*square[1])
		if square[0] == 1 {
			f.op("LEAQ (AX)(R9*8), AX")
		}
		for r := range 4 { // rows r and r+4 share a register
			f.op("VMOVUPS (AX), X%d", r)
			f.op("VMOVUPS 16(AX), X%d", 4+r)
			f.op("ADDQ R9, AX")
		}
		for r := range 4 {
			f.op("VINSERTF128 $1, (AX), Y%d, Y%d", r, r)
			f.op("VINSERTF128 $1, 16(AX), Y%d, Y%d", 4+r, 4+r)
			f.op("ADDQ R9, AX")
		}
		f.op("LEAQ %d(DI), AX", 32*square[0])
		if square[1] == 1 {
			f.op("LEAQ (AX)(R8*8), AX")
		}
		for half := range 2 {
			r := 4 * half
			f.op("VUNPCKLPS Y%d, Y%d, Y8", r+1, r)
			f.op("VUNPCKHPS Y%d, Y%d, Y9", r+1, r)
			f.op("VUNPCKLPS Y%d, Y%d, Y10", r+3, r+2)
			f.op("VUNPCKHPS Y%d, Y%d, Y11", r+3, r+2)
			f.op("VUNPCKLPD Y10, Y8, Y12")
			f.op("VUNPCKHPD Y10, Y8, Y13")
			f.op("VUNPCKLPD Y11, Y9, Y14")
			f.op("VUNPCKHPD Y11, Y9, Y15")
			for c := range 4 {
				f.op("VMOVUPS Y%d, (AX)", 12+c)
				f.op("ADDQ R8, AX")
			}
		}
	}
	f.op("ADDQ R10, DI")
	f.op("ADDQ R11, SI")
	f.op("DECQ CX")
	f.op("JNZ  next")
	f.ret()
}

// roundBF16: 32 values to 64 bytes.
func roundBF16(f *file) {
	f.text("roundBF16", 32, "func roundBF16(dst, src *float32, blocks, step int)")
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ src+8(FP), SI")
	f.op("MOVQ blocks+16(FP), CX")
	f.op("MOVQ step+24(FP), R8")
	f.op("SHLQ $2, R8")
	f.line("next:")
	f.op("VMOVUPS (SI), Z0")
	f.op("VMOVUPS 64(SI), Z1")
	f.evex("VCVTNE2PS2BF16", 3, 0x72, 2, 1, 0)
	f.op("VMOVUPS Z2, (DI)")
	f.op("ADDQ $128, SI")
	f.op("ADDQ R8, DI")
	f.op("DECQ CX")
	f.op("JNZ  next")
	f.ret()
}

// pairsBF16: the two rows' values side by side, then word i of the one beside word i of the other.
func pairsBF16(f *file) {
	zipData(f)
	f.text("pairsBF16", 40, "func pairsBF16(dst, even, odd *float32, blocks, step int)")
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ even+8(FP), SI")
	f.op("MOVQ odd+16(FP), DX")
	f.op("MOVQ blocks+24(FP), CX")
	f.op("MOVQ step+32(FP), R8")
	f.op("SHLQ $2, R8")
	f.op("VMOVUPS zip<>(SB), Z31")
	f.line("next:")
	for half := range 2 {
		f.op("VMOVUPS %d(SI), Z0", 64*half)
		f.op("VMOVUPS %d(DX), Z1", 64*half)
		f.evex("VCVTNE2PS2BF16", 3, 0x72, 2, 1, 0)
		f.op("VPERMW Z2, Z31, Z2")
		f.op("VMOVUPS Z2, %d(DI)", 1024*half)
	}
	f.op("ADDQ $128, SI")
	f.op("ADDQ $128, DX")
	f.op("ADDQ R8, DI")
	f.op("DECQ CX")
	f.op("JNZ  next")
	f.ret()
}

// zipData is the order of 32 words that puts the second half's between the first half's.
func zipData(f *file) {
	for i := range 16 {
		f.line("DATA zip<>+%d(SB)/4, $0x%08x", 4*i, (16+i)<<16|i)
	}
	f.line("GLOBL zip<>(SB), RODATA|NOPTR, $64")
}

// interleaveBF16 takes rows two by two: their lower halves make a row of the first half of columns, their upper ones
// of the second.
func interleaveBF16(f *file) {
	f.text("interleaveBF16", 40, "func interleaveBF16(dst, src *float32, count, dstStep, srcStep int)")
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ src+8(FP), SI")
	f.op("MOVQ count+16(FP), CX")
	f.op("MOVQ dstStep+24(FP), R8")
	f.op("MOVQ srcStep+32(FP), R9")
	f.op("SHLQ $2, R8")
	f.op("SHLQ $2, R9")
	f.op("VMOVUPS zip<>(SB), Z31")
	f.line("next:")
	for k := range 16 {
		f.op("VMOVUPS %d(SI), Z0", 128*k)
		f.op("VMOVUPS %d(SI), Z1", 128*k+64)
		f.op("VSHUFI64X2 $0x44, Z1, Z0, Z2")
		f.op("VSHUFI64X2 $0xee, Z1, Z0, Z3")
		f.op("VPERMW Z2, Z31, Z2")
		f.op("VPERMW Z3, Z31, Z3")
		f.op("VMOVUPS Z2, %d(DI)", 64*k)
		f.op("VMOVUPS Z3, %d(DI)", 1024+64*k)
	}
	f.op("ADDQ R9, SI")
	f.op("ADDQ R8, DI")
	f.op("DECQ CX")
	f.op("JNZ  next")
	f.ret()
}
