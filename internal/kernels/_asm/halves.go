package main

// Formats of four bits as bfloat16. A block of them has sixteen values: a table of those, rounded, is made in one multiply-add and one
// conversion, and one permutation by the nibbles, as words, hands out 32. Products of a scale and a nibble are exact in
// float32, so that the multiply-add gives what a product and a sum do. The table lies in a register twice: the
// permutation heeds five bits of a word, of which the fifth is a neighbour's.

const (
	spread = 12 // temporary registers of constants: bytes to words, twice
	upper  = 13 // and shifts that bring the upper nibbles down in the second half
	count  = 15
)

func startTables(c coder) {
	c.op("VMOVUPS spread<>(SB), %s", c.T(spread))
	c.op("VMOVUPS upper<>(SB), %s", c.T(upper))
	c.op("VMOVUPS count<>(SB), %s", c.T(count))
}

// roundTable rounds the sixteen values in register r.
func (c coder) roundTable(r int) {
	c.evex("VCVTNE2PS2BF16", 3, 0x72, c.t(r), c.t(r), c.t(r))
}

// spreadNibbles puts into register r the values of the table in register table for the 16 bytes at the operand: low nibbles', then
// high ones'.
func (c coder) spreadNibbles(at string, table, r int) {
	c.op("VBROADCASTI32X4 %s, %s", at, c.T(r))
	c.op("VPSHUFB %s, %s, %s", c.T(spread), c.T(r), c.T(r))
	c.op("VPSRLVW %s, %s, %s", c.T(upper), c.T(r), c.T(r))
	c.op("VPERMW %s, %s, %s", c.T(table), c.T(r), c.T(r))
}

func halvesQ4_0(c coder, at func(int) string, sink func(i, reg int)) {
	c.one(at(0), 0)
	c.op("VMULPS minus8<>(SB), %s, %s", c.T(0), c.T(0))
	c.roundTable(0)
	c.spreadNibbles(at(2), 0, 1)
	sink(0, c.t(1))
}

func halvesQ4_1(c coder, at func(int) string, sink func(i, reg int)) {
	c.pair(at(0), 0, 1)
	c.op("VFMADD132PS %s, %s, %s", c.T(count), c.T(1), c.T(0))
	c.roundTable(0)
	c.spreadNibbles(at(4), 0, 2)
	sink(0, c.t(2))
}

func halvesQ4_K(c coder, at func(int) string, sink func(i, reg int)) {
	c.scalesAndMinima(at)
	for g := range 8 {
		c.splat(0, g, 2)
		c.splat(0, 8+g, 3)
		c.op("VFMSUB132PS %s, %s, %s", c.T(count), c.T(3), c.T(2))
		c.roundTable(2)
		if g&1 == 0 {
			c.op("VPMOVZXBW %s, %s", at(16+32*(g/2)), c.T(4))
		} else {
			c.op("VPSRLW $4, %s, %s", c.T(4), c.T(4))
		}
		c.op("VPERMW %s, %s, %s", c.T(2), c.T(4), c.T(5))
		sink(g, c.t(5))
	}
}
