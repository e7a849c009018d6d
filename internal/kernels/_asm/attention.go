package main

// attention writes what only attention needs of layouts.
func attention(f *file) { variants(f, dots) }

// dots multiplies the rows of two strips, four rows at a time: their sums are independent.
func dots(f *file, v isa, n number) {
	k := f.kern(v, n, "dots*(dst, a, b *float32, blocks int)")
	k.args("dst", "DI", "a", "SI", "b", "DX", "blocks", "CX")
	k.op("MOVQ $8, R8")
	k.line("rows:")
	for r := range 4 {
		k.zero(f, r)
	}
	k.op("MOVQ SI, R9")
	k.op("MOVQ DX, R10")
	k.op("MOVQ CX, R11")
	k.line("block:")
	for at := 0; at < 256; at += v.bytes {
		r := at / 64
		k.op("VMOVUPS %d(R9), %s", at, v.r(4+r))
		if n == bf16 {
			k.op("VMOVUPS %d(R10), %s", at, v.r(8+r))
			k.evex("VDPBF16PS", 2, 0x52, r, 4+r, 8+r)
			continue
		}
		k.op("VFMADD231PS %d(R10), %s, %s", at, v.r(4+r), v.r(r))
	}
	k.advance(2048, "R9", "R10")
	k.again("R11", "block")
	for r := range 4 {
		if v == avx512 {
			k.op("VEXTRACTF64X4 $1, Z%d, Y%d", r, 4+r)
			k.op("VADDPS Y%d, Y%d, Y%d", 4+r, r, r)
		}
	}
	// Pairs of rows share a register from here on, in the end all four.
	k.op("VHADDPS Y1, Y0, Y0")
	k.op("VHADDPS Y3, Y2, Y2")
	k.op("VHADDPS Y2, Y0, Y0")
	k.op("VEXTRACTF128 $1, Y0, X1")
	k.op("VADDPS X1, X0, X0")
	k.op("VMOVUPS X0, (DI)")
	k.advance(16, "DI")
	k.advance(256, "SI", "DX")
	k.again("R8", "rows")
	k.ret()
}
