package main

// packing writes what fills panels: the dequantisers. They are bound by memory, so AVX2
// serves both instruction sets.
func packing(f *file) {
	prefetch(f)
	halves(f)
	q8(f)
	q4(f, "Q4_0")
	q4(f, "Q4_1")
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
