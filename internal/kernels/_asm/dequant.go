package main

import "fmt"

// dequantisers writes, for each number format and instruction set, a function from blocks to float32, and for AVX512_BF16 one to
// bfloat16.
func dequantisers(f *file) {
	prefetch(f)
	prefetchRows(f)
	formatConstants(f)
	for _, fm := range formats {
		for _, v := range []isa{avx512, avx2} {
			if fm.name != "F32" { // copied
				dequantiser(coder{f, v}, fm, "dequant"+fm.name+v.name, false)
			}
		}
		if fm.name != "BF16" {
			dequantiser(coder{f, avx512}, fm, "round"+fm.name, true)
		}
	}
}

func dequantiser(c coder, fm format, name string, half bool) {
	c.text(name, 24, "func "+name+"(dst *float32, src *byte, blocks int)")
	c.op("MOVQ dst+0(FP), DI")
	c.op("MOVQ src+8(FP), SI")
	c.op("MOVQ blocks+16(FP), CX")
	fm.begin(c, half)
	c.line("loop:")
	for at := 0; at < fm.bytes; at += 64 {
		c.op("PREFETCHT0 %d(SI)", ahead+at)
	}
	size := 4 * fm.values
	if half {
		size = 2 * fm.values
	}
	fm.vectors(c, half, func(at int) string { return fmt.Sprintf("%d(SI)", at) },
		func(i, reg int) { c.op("VMOVUPS %s, %d(DI)", c.r(reg), i*c.bytes) })
	c.op("ADDQ $%d, SI", fm.bytes)
	c.op("ADDQ $%d, DI", size)
	c.op("DECQ CX")
	c.op("JNZ  loop")
	c.ret()
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

// prefetchRows asks for 64-byte lines of rows that lie apart.
func prefetchRows(f *file) {
	f.text("prefetchRows", 32, "func prefetchRows(src *float32, step, rows, lines int)")
	f.op("MOVQ src+0(FP), SI")
	f.op("MOVQ step+8(FP), R8")
	f.op("SHLQ $2, R8")
	f.op("MOVQ rows+16(FP), DX")
	f.line("row:")
	f.op("MOVQ SI, DI")
	f.op("MOVQ lines+24(FP), CX")
	f.line("line:")
	f.op("PREFETCHT0 (DI)")
	f.op("ADDQ $64, DI")
	f.op("DECQ CX")
	f.op("JNZ  line")
	f.op("ADDQ R8, SI")
	f.op("DECQ DX")
	f.op("JNZ  row")
	f.op("RET")
}

// format is a number format: values and bytes of one block, and how a block becomes vectors of float32. start loads
// constants. block reads the block whose byte i is the operand at(i) and hands each vector to sink, in the order of
// the values, in a register that sink may not change. direct says that products read the format as it is, not by way of
// dequantised rows. The arithmetic is internal/quant's, bit for bit: products and
// sums are rounded one by one. halves is block for vectors of bfloat16, where there is a shorter way than to round block's.
type format struct {
	name          string
	values, bytes int
	direct        bool
	start         func(c coder)
	block         func(c coder, at func(int) string, sink func(i, reg int))
	halves        func(c coder, at func(int) string, sink func(i, reg int))
}

// begin loads constants for vectors.
func (fm format) begin(c coder, half bool) {
	if half && fm.halves != nil {
		startTables(c)
		return
	}
	fm.start(c)
}

// vectors is block, or with half the same for vectors of bfloat16.
func (fm format) vectors(c coder, half bool, at func(int) string, sink func(i, reg int)) {
	switch {
	case !half:
		fm.block(c, at, sink)
	case fm.halves != nil:
		fm.halves(c, at, sink)
	default:
		fm.block(c, at, c.rounded(sink))
	}
}

// formatBF16 is what products in bfloat16 read as it is.
var formatBF16 = format{"BF16", 32, 64, true, nothing, blockBF16, nil}

var formats = []format{
	{"F32", 32, 128, true, nothing, blockF32, nil},
	{"F16", 32, 64, true, nothing, blockF16, nil},
	formatBF16,
	{"Q8_0", 32, 34, true, nothing, blockQ8, nil},
	{"Q4_0", 32, 18, true, startNibbles, blockQ4_0, halvesQ4_0},
	{"Q4_1", 32, 20, true, startNibbles, blockQ4_1, halvesQ4_1},
	{"Q5_0", 32, 22, true, startNibbles, blockQ5_0, nil},
	{"Q5_1", 32, 24, true, startNibbles, blockQ5_1, nil},
	{"Q2_K", 256, 84, false, nothing, blockQ2_K, nil},
	{"Q3_K", 256, 110, false, nothing, blockQ3_K, nil},
	{"Q4_K", 256, 144, true, startNibbles, blockQ4_K, halvesQ4_K},
	{"Q5_K", 256, 176, true, startNibbles, blockQ5_K, nil},
	{"Q6_K", 256, 210, true, nothing, blockQ6_K, nil},
}

// coder writes the code of a format for an instruction set. Its registers are t0, t0+1 and so on; those below belong
// to the function around it.
type coder struct {
	*file
	isa
}

// t is the number of temporary register i: 16 of them with AVX-512, 12 with AVX2.
func (c coder) t(i int) int {
	if c.isa == avx512 {
		return 16 + i
	}
	return 4 + i
}

func (c coder) T(i int) string { return c.r(c.t(i)) }            // whole
func (c coder) H(i int) string { return c.half() + c.n(c.t(i)) } // half as wide
func (c coder) X(i int) string { return "X" + c.n(c.t(i)) }
func (c coder) n(i int) string { return fmt.Sprint(i) }

func (c coder) half() string {
	if c.isa == avx512 {
		return "Y"
	}
	return "X"
}

// lanes is the number of float32 in a register.
func (c coder) lanes() int { return c.bytes / 4 }

// bits writes a bitwise instruction, whose AVX-512 names end in D.
func (c coder) bits(name, a, b, dst string) {
	if c.isa == avx512 {
		name += "D"
	}
	c.op("%s %s, %s, %s", name, a, b, dst)
}

// pair puts the two half floats at the operand into all lanes of registers d and m.
func (c coder) pair(at string, d, m int) {
	c.op("VPBROADCASTD %s, %s", at, c.H(m))
	c.op("VCVTPH2PS %s, %s", c.H(m), c.T(m))
	c.op("VMOVSLDUP %s, %s", c.T(m), c.T(d))
	c.op("VMOVSHDUP %s, %s", c.T(m), c.T(m))
}

// one puts the half float at the operand into all lanes of register d.
func (c coder) one(at string, d int) {
	c.op("VPBROADCASTW %s, %s", at, c.H(d))
	c.op("VCVTPH2PS %s, %s", c.H(d), c.T(d))
}

// splat puts lane g of register src into all lanes of dst. With AVX2 src holds lanes 0 to 7 and src+1 lanes 8 to 15.
func (c coder) splat(src, g, dst int) {
	if c.isa == avx2 {
		src, g = src+g/8, g%8
	}
	c.op("VPBROADCASTD lane<>+%d(SB), %s", 4*g, c.T(dst))
	c.op("VPERMPS %s, %s, %s", c.T(src), c.T(dst), c.T(dst))
}

// widen makes float32 of the 16 bytes in register X(src), signed or not, in register src, with AVX2 in src and src+1.
func (c coder) widen(src int, signed bool) {
	move := "VPMOVZXBD"
	if signed {
		move = "VPMOVSXBD"
	}
	if c.isa == avx2 {
		c.op("VPSHUFD $0x4e, %s, %s", c.X(src), c.X(src+1))
		c.op("%s %s, %s", move, c.X(src+1), c.T(src+1))
		c.op("VCVTDQ2PS %s, %s", c.T(src+1), c.T(src+1))
	}
	c.op("%s %s, %s", move, c.X(src), c.T(src))
	c.op("VCVTDQ2PS %s, %s", c.T(src), c.T(src))
}

// both is widen's result times register by (and by2 for lanes 8 to 15).
func (c coder) both(src, by, by2 int) {
	if c.isa == avx2 {
		c.op("VMULPS %s, %s, %s", c.T(src), c.T(by), c.T(src))
		c.op("VMULPS %s, %s, %s", c.T(src+1), c.T(by2), c.T(src+1))
		return
	}
	if by != by2 { // lanes 8 to 15 of by2
		c.op("VSHUFF64X2 $0x44, %s, %s, %s", c.T(by2), c.T(by), c.T(by))
	}
	c.op("VMULPS %s, %s, %s", c.T(src), c.T(by), c.T(src))
}

func nothing(coder) {}

// startNibbles loads 0 to 15, as floats, into the last register; AVX-512 then looks nibbles up in tables.
func startNibbles(c coder) {
	if c.isa == avx512 {
		c.op("VMOVUPS count<>(SB), Z31")
	}
}

func blockF32(c coder, at func(int) string, sink func(i, reg int)) {
	for i := range 32 / c.lanes() {
		c.op("VMOVUPS %s, %s", at(i*c.bytes), c.T(i))
		sink(i, c.t(i))
	}
}

func blockF16(c coder, at func(int) string, sink func(i, reg int)) {
	for i := range 32 / c.lanes() {
		c.op("VCVTPH2PS %s, %s", at(i*c.bytes/2), c.T(i))
		sink(i, c.t(i))
	}
}

func blockBF16(c coder, at func(int) string, sink func(i, reg int)) {
	for i := range 32 / c.lanes() {
		c.op("VPMOVZXWD %s, %s", at(i*c.bytes/2), c.T(i))
		c.op("VPSLLD $16, %s, %s", c.T(i), c.T(i))
		sink(i, c.t(i))
	}
}

// blockQ8: a half-float scale and 32 signed bytes.
func blockQ8(c coder, at func(int) string, sink func(i, reg int)) {
	c.one(at(0), 0)
	for i := range 32 / c.lanes() {
		r := 1 + i
		c.op("VPMOVSXBD %s, %s", at(2+i*c.lanes()), c.T(r))
		c.op("VCVTDQ2PS %s, %s", c.T(r), c.T(r))
		c.op("VMULPS %s, %s, %s", c.T(0), c.T(r), c.T(r))
		sink(i, c.t(r))
	}
}

// nibbles hands out 32 values from the 16 bytes at off: the low nibbles, then the high ones. Vector i comes as integers in
// register r, with AVX-512 with other bits above the low four.
func (c coder) nibbles(at func(int) string, off int, vector func(i, r int)) {
	half := 16 / c.lanes()
	for i := range half {
		c.op("VPMOVZXBD %s, %s", at(off+i*c.lanes()), c.T(4+i))
	}
	for i := range half {
		r := 4 + i
		if c.isa == avx2 {
			r = 6 + i
			c.bits("VPAND", "fifteen<>(SB)", c.T(4+i), c.T(r))
		}
		vector(i, r)
	}
	for i := range half {
		c.op("VPSRLD $4, %s, %s", c.T(4+i), c.T(4+i))
		vector(half+i, 4+i)
	}
}

// lookup writes a 4-bit block's values for AVX-512: from the table in register 0, 16 values.
func (c coder) lookup(at func(int) string, off int, sink func(i, reg int)) {
	c.nibbles(at, off, func(i, r int) {
		c.op("VPERMPS %s, %s, %s", c.T(0), c.T(r), c.T(6+i))
		sink(i, c.t(6+i))
	})
}

// blockQ4_0: a half-float scale; values 0 to 15 less 8.
func blockQ4_0(c coder, at func(int) string, sink func(i, reg int)) {
	c.one(at(0), 0)
	if c.isa == avx512 {
		c.op("VMULPS minus8<>(SB), %s, %s", c.T(0), c.T(0))
		c.lookup(at, 2, sink)
		return
	}
	c.nibbles(at, 2, func(i, r int) {
		c.op("VPSUBD eight<>(SB), %s, %s", c.T(r), c.T(r))
		c.scaled(r, 0, -1)
		sink(i, c.t(r))
	})
}

// blockQ4_1: a half-float scale and minimum.
func blockQ4_1(c coder, at func(int) string, sink func(i, reg int)) {
	c.pair(at(0), 0, 1)
	if c.isa == avx512 {
		c.table(0, 1, "VADDPS")
		c.lookup(at, 4, sink)
		return
	}
	c.nibbles(at, 4, func(i, r int) {
		c.scaled(r, 0, 1)
		sink(i, c.t(r))
	})
}

// table turns the scale in register d into the 16 values of a nibble, 0 to 15 times d plus or less register m.
func (c coder) table(d, m int, sum string) {
	c.op("VMULPS Z31, %s, %s", c.T(d), c.T(d))
	c.op("%s %s, %s, %s", sum, c.T(m), c.T(d), c.T(d))
}

// scaled turns integers in register r into floats times register d, plus register m unless that is negative.
func (c coder) scaled(r, d, m int) {
	c.op("VCVTDQ2PS %s, %s", c.T(r), c.T(r))
	c.op("VMULPS %s, %s, %s", c.T(d), c.T(r), c.T(r))
	if m >= 0 {
		c.op("VADDPS %s, %s, %s", c.T(m), c.T(r), c.T(r))
	}
}

// blockQ5_0: a half-float scale, 32 fifth bits, nibbles; values 0 to 31 less 16.
func blockQ5_0(c coder, at func(int) string, sink func(i, reg int)) {
	c.one(at(0), 0)
	if c.isa == avx512 {
		c.op("VMULPS Z31, %s, %s", c.T(0), c.T(1))
		c.op("VMULPS minus16<>(SB), %s, %s", c.T(0), c.T(0))
		c.lookup5(at, 2, sink)
		return
	}
	c.op("VPBROADCASTD %s, %s", at(2), c.T(2))
	c.nibbles(at, 6, func(i, r int) {
		c.fifth(i, r)
		c.op("VPSUBD sixteen<>(SB), %s, %s", c.T(3), c.T(3))
		c.scaled(3, 0, -1)
		sink(i, c.t(3))
	})
}

// blockQ5_1: a half-float scale and minimum, 32 fifth bits, nibbles.
func blockQ5_1(c coder, at func(int) string, sink func(i, reg int)) {
	c.pair(at(0), 0, 1)
	if c.isa == avx512 {
		c.op("VMULPS above<>(SB), %s, %s", c.T(0), c.T(2))
		c.op("VADDPS %s, %s, %s", c.T(1), c.T(2), c.T(2))
		c.table(0, 1, "VADDPS")
		c.op("VMOVAPS %s, %s", c.T(2), c.T(1))
		c.lookup5(at, 4, sink)
		return
	}
	c.op("VPBROADCASTD %s, %s", at(4), c.T(2))
	c.nibbles(at, 8, func(i, r int) {
		c.fifth(i, r)
		c.scaled(3, 0, 1)
		sink(i, c.t(3))
	})
}

// lookup5 writes a 5-bit block's values for AVX-512: from register 0, where the fifth bit is set from register 1. The fifth
// bits are at off, the nibbles behind them.
func (c coder) lookup5(at func(int) string, off int, sink func(i, reg int)) {
	c.op("KMOVW %s, K1", at(off))
	c.op("KMOVW %s, K2", at(off+2))
	c.nibbles(at, off+4, func(i, r int) {
		c.op("VPERMPS %s, %s, %s", c.T(0), c.T(r), c.T(6+i))
		c.op("VPERMPS %s, %s, K%d, %s", c.T(1), c.T(r), 1+i, c.T(6+i))
		sink(i, c.t(6+i))
	})
}

// fifth sets register 3 to the nibbles in register r with their fifth bits, which register 2 holds in every lane.
func (c coder) fifth(i, r int) {
	c.op("VPSRLVD lane<>+%d(SB), %s, %s", 32*i, c.T(2), c.T(3))
	c.op("VPSLLD $4, %s, %s", c.T(3), c.T(3))
	c.bits("VPAND", "sixteen<>(SB)", c.T(3), c.T(3))
	c.bits("VPOR", c.T(r), c.T(3), c.T(3))
}
