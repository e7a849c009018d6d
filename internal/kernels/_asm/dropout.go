package main

// Constants of SplitMix64 (internal/keyed).
const (
	increment = 0x9e3779b97f4a7c15
	mixer1    = 0xbf58476d1ce4e5b9
	mixer2    = 0x94d049bb133111eb
)

// dropout writes the masks of dropout: a word of SplitMix64 for every four columns, 16 bits a column, so eight words
// make the 32 of a group.
func dropout(f *file) {
	f.quads("words", func(i uint64) uint64 { return increment * (i + 1) })
	f.quads("eight", func(uint64) uint64 { return increment << 3 & (1<<64 - 1) })
	f.quads("mixer1", func(uint64) uint64 { return mixer1 })
	f.quads("mixer2", func(uint64) uint64 { return mixer2 })
	dropTiles(f, f32)
	dropTiles(f, bf16)
	dropAdd(f)
}

// quads writes a vector of 64-bit integers into the file's data.
func (f *file) quads(name string, value func(i uint64) uint64) {
	for i := range uint64(8) {
		f.line("DATA %s<>+%d(SB)/8, $0x%016x", name, 8*i, value(i))
	}
	f.line("GLOBL %s<>(SB), RODATA|NOPTR, $64", name)
}

// maskArgs loads the scale into Z31, the limit into Z30 and the mixers.
func (k *kern) maskArgs() {
	k.broadcast("scale", 31)
	k.broadcast("limit", 30)
	k.op("VPBROADCASTW X30, Z30")
	for i, name := range []string{"mixer1", "mixer2", "eight", "words"} {
		k.op("VMOVDQU64 %s<>(SB), Z%d", name, 29-i)
	}
}

// maskRow prepares Z8, the states of the next eight words, from the key at R8.
func (k *kern) maskRow() {
	k.op("VPBROADCASTQ (R8), Z8")
	k.op("VPADDQ Z26, Z8, Z8")
	k.advance(8, "R8")
}

// mask sets K1 and K2: which columns of the two vectors of the next group stay.
func (k *kern) mask() {
	k.op("VMOVDQA64 Z8, Z9")
	k.op("VPADDQ Z27, Z8, Z8")
	for i, shift := range []int{30, 27, 31} {
		k.op("VPSRLQ $%d, Z9, Z10", shift)
		k.op("VPXORQ Z10, Z9, Z9")
		if i < 2 {
			k.op("VPMULLQ Z%d, Z9, Z9", 29-i)
		}
	}
	k.op("VPCMPUW $5, Z30, Z9, K1") // at least the limit
	k.op("KSHIFTRD $16, K1, K2")
}

func dropTiles(f *file, n number) {
	k := f.kern(avx512, n, "drop*(dst, src *float32, keys *uint64, rows, groups int, limit uint32, scale float32)")
	k.args("dst", "DI", "src", "SI", "keys", "R8", "rows", "BX", "groups", "R9")
	k.maskArgs()
	k.line("row:")
	k.maskRow()
	k.op("MOVQ R9, CX")
	k.op("MOVQ DI, R10")
	k.op("MOVQ SI, R11")
	k.line("group:")
	k.mask()
	k.row(func(j int) {
		k.loadTile("R11", j, 0)
		k.op("VMULPS.Z Z31, Z0, K%d, Z0", j+1)
		k.storeTile("R10", j, 0, 1)
	})
	k.advance(k.group(), "R10", "R11")
	k.again("CX", "group")
	k.advance(64, "DI", "SI")
	k.again("BX", "row")
	k.ret()
}

// dropAdd adds to rows. It rounds the product and the sum, as Go code without fused operations does.
func dropAdd(f *file) {
	k := f.kern(avx512, plain, "dropAdd*(dst *float32, ld int, src *float32, rowStep, groupStep int, keys *uint64, rows, groups int, limit uint32, scale float32)")
	k.args("dst", "DI", "ld", "DX", "src", "SI", "rowStep", "R12", "groupStep", "R13", "keys", "R8", "rows", "BX", "groups", "R9")
	k.bytes4("DX", "R12", "R13")
	k.maskArgs()
	k.line("row:")
	k.maskRow()
	k.op("MOVQ R9, CX")
	k.op("MOVQ DI, R10")
	k.op("MOVQ SI, R11")
	k.line("group:")
	k.mask()
	k.row(func(j int) {
		k.op("VMULPS.Z %d(R11), Z31, K%d, Z0", k.col(j), j+1)
		k.op("VADDPS %d(R10), Z0, Z0", k.col(j))
		k.store("R10", j, 0)
	})
	k.advance(128, "R10")
	k.op("ADDQ R13, R11")
	k.again("CX", "group")
	k.op("ADDQ DX, DI")
	k.op("ADDQ R12, SI")
	k.again("BX", "row")
	k.ret()
}
