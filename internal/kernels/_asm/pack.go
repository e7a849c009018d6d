package main

// packing writes what fills panels: a transpose and the dequantisers. They are bound by memory, so AVX2
// serves both instruction sets.
func packing(f *file) {
	transpose(f)
	prefetch(f)
	halves(f)
	q8(f)
	q4(f, "Q4_0")
	q4(f, "Q4_1")
}

// transpose writes the transpose of 8 rows, 8 columns at a time: rows r and r+4 share a register, so that
// transposing 4×4 in both lanes gives whole columns.
func transpose(f *file) {
	f.text("transpose8", 40, "func transpose8(dst, src *float32, ld, dstStep, blocks int)")
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ src+8(FP), SI")
	f.op("MOVQ ld+16(FP), DX")
	f.op("MOVQ dstStep+24(FP), R8")
	f.op("MOVQ blocks+32(FP), CX")
	f.op("SHLQ $2, DX")
	f.op("SHLQ $2, R8")
	f.op("LEAQ (DX)(DX*2), R10")
	f.op("LEAQ (R8)(R8*2), R12")
	f.op("LEAQ (SI)(DX*4), R11")
	f.line("block:")
	rows := []string{"", "(DX*1)", "(DX*2)", "(R10*1)"}
	for half := range 2 {
		for r, at := range rows {
			f.op("VMOVUPS %d(SI)%s, X%d", 16*half, at, 4*half+r)
			f.op("VINSERTF128 $1, %d(R11)%s, Y%d, Y%d", 16*half, at, 4*half+r, 4*half+r)
		}
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
		for c, at := range []string{"", "(R8*1)", "(R8*2)", "(R12*1)"} {
			f.op("VMOVUPS Y%d, (DI)%s", 12+c, at)
		}
		f.op("LEAQ (DI)(R8*4), DI")
	}
	f.op("ADDQ $32, SI")
	f.op("ADDQ $32, R11")
	f.op("DECQ CX")
	f.op("JNZ  block")
	f.ret()
}

func prefetch(f *file) {
	f.text("prefetchLines", 16, "func prefetchLines(src *byte, lines int)")
	f.op("MOVQ src+0(FP), SI")
	f.op("MOVQ lines+8(FP), CX")
	f.line("loop:")
	f.op("PREFETCHT0 (SI)")
	f.op("ADDQ $64, SI")
	f.op("DECQ CX")
	f.op("JNZ  loop")
	f.op("RET")
}

// begin loads the arguments of a dequantiser.
func begin(f *file, name, count string) {
	f.text(name, 24, "func "+name+"(dst *float32, src *byte, "+count+" int)")
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ src+8(FP), SI")
	f.op("MOVQ %s+16(FP), CX", count)
}

// halves writes the two 16-bit floats, 16 values a turn.
func halves(f *file) {
	for _, name := range []string{"dequantBF16", "dequantF16"} {
		begin(f, name, "sixteens")
		f.line("loop:")
		for i := range 2 {
			if name == "dequantBF16" {
				f.op("VPMOVZXWD %d(SI), Y%d", 16*i, i)
				f.op("VPSLLD $16, Y%d, Y%d", i, i)
			} else {
				f.op("VCVTPH2PS %d(SI), Y%d", 16*i, i)
			}
			f.op("VMOVUPS Y%d, %d(DI)", i, 32*i)
		}
		f.op("ADDQ $32, SI")
		f.op("ADDQ $64, DI")
		f.op("DECQ CX")
		f.op("JNZ  loop")
		f.ret()
	}
}

// scale puts the block's half float at src+at into all lanes of Y register r.
func scale(f *file, at, r int) {
	f.op("VPBROADCASTW %d(SI), X%d", at, r)
	f.op("VCVTPH2PS X%d, Y%d", r, r)
}

// q8 writes Q8_0: a half-float scale and 32 signed bytes.
func q8(f *file) {
	begin(f, "dequantQ8_0", "blocks")
	f.line("loop:")
	scale(f, 0, 8)
	for i := range 4 {
		f.op("VPMOVSXBD %d(SI), Y%d", 2+8*i, i)
		f.op("VCVTDQ2PS Y%d, Y%d", i, i)
		f.op("VMULPS Y8, Y%d, Y%d", i, i)
		f.op("VMOVUPS Y%d, %d(DI)", i, 32*i)
	}
	f.op("ADDQ $34, SI")
	f.op("ADDQ $128, DI")
	f.op("DECQ CX")
	f.op("JNZ  loop")
	f.ret()
}

// q4 writes the two simple 4-bit formats: a half-float scale, in Q4_1 a half-float minimum, and 16 bytes
// whose low nibbles are values 0 to 15 and whose high ones 16 to 31.
func q4(f *file, format string) {
	begin(f, "dequant"+format, "blocks")
	header := 2
	f.op("VPCMPEQD Y15, Y15, Y15")
	f.op("VPSRLD $28, Y15, Y15") // 15 in every lane
	if format == "Q4_0" {
		f.op("VPSRLD $3, Y15, Y14")
		f.op("VPSLLD $3, Y14, Y14") // 8
	} else {
		header = 4
	}
	f.line("loop:")
	scale(f, 0, 8)
	if format == "Q4_1" {
		scale(f, 2, 9)
	}
	for i := range 2 {
		f.op("VPMOVZXBD %d(SI), Y%d", header+8*i, i)
		f.op("VPSRLD $4, Y%d, Y%d", i, i+2)
		f.op("VPAND Y15, Y%d, Y%d", i, i)
	}
	for i := range 4 {
		if format == "Q4_0" {
			f.op("VPSUBD Y14, Y%d, Y%d", i, i)
		}
		f.op("VCVTDQ2PS Y%d, Y%d", i, i)
		f.op("VMULPS Y8, Y%d, Y%d", i, i)
		if format == "Q4_1" {
			f.op("VADDPS Y9, Y%d, Y%d", i, i)
		}
		f.op("VMOVUPS Y%d, %d(DI)", i, 32*i)
	}
	f.op("ADDQ $%d, SI", header+16)
	f.op("ADDQ $128, DI")
	f.op("DECQ CX")
	f.op("JNZ  loop")
	f.ret()
}
