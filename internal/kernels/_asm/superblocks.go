package main

// The K formats (internal/quant/superblocks.go tells their layout). Registers 0 and 1 hold the 16 scales of a block, with AVX-512
// all in register 0; or 8 scales and 8 minima.

// bytesAt loads vector i of consecutive bytes, widened to integers.
func (c coder) bytesAt(at func(int) string, off, i, dst int) {
	c.op("VPMOVZXBD %s, %s", at(off+i*c.lanes()), c.T(dst))
}

// lowBits keeps register src's bits from shift on that mask, a constant's name, has.
func (c coder) lowBits(src, shift int, mask string, dst int) {
	if shift > 0 {
		c.op("VPSRLD $%d, %s, %s", shift, c.T(src), c.T(dst))
		src = dst
	}
	c.bits("VPAND", mask+"<>(SB)", c.T(src), c.T(dst))
}

func blockQ2_K(c coder, at func(int) string, sink func(i, reg int)) {
	c.op("VMOVUPS %s, %s", at(0), c.X(0))
	c.op("VPSRLW $4, %s, %s", c.X(0), c.X(2))
	c.bits("VPAND", "fifteenBytes<>(SB)", c.X(0), c.X(0))
	c.bits("VPAND", "fifteenBytes<>(SB)", c.X(2), c.X(2))
	c.widen(0, false)
	c.widen(2, false)
	c.pair(at(80), 4, 5)
	c.both(0, 4, 4)
	c.both(2, 5, 5)
	per := 16 / c.lanes()
	for g := range 16 {
		c.splat(0, g, 4)
		c.splat(2, g, 5)
		for i := range per {
			c.bytesAt(at, 16+32*(g>>3)+16*(g&1), i, 6)
			c.lowBits(6, g&6, "three", 6)
			c.op("VCVTDQ2PS %s, %s", c.T(6), c.T(6))
			c.op("VMULPS %s, %s, %s", c.T(4), c.T(6), c.T(6))
			c.op("VSUBPS %s, %s, %s", c.T(5), c.T(6), c.T(6))
			sink(g*per+i, c.t(6))
		}
	}
}

func blockQ3_K(c coder, at func(int) string, sink func(i, reg int)) {
	// Low four bits of the scales: nibbles of bytes 0 to 7, low ones first. Two high bits: bytes 8 to 11, plane after plane.
	c.op("VMOVQ %s, %s", at(96), c.X(0))
	c.op("VPSRLW $4, %s, %s", c.X(0), c.X(1))
	c.op("VPUNPCKLQDQ %s, %s, %s", c.X(1), c.X(0), c.X(0))
	c.bits("VPAND", "fifteenBytes<>(SB)", c.X(0), c.X(0))
	c.op("VPBROADCASTD %s, %s", at(104), c.X(1))
	c.op("VPSRLVD evens<>(SB), %s, %s", c.X(1), c.X(1))
	c.op("VPSLLD $4, %s, %s", c.X(1), c.X(1))
	c.bits("VPAND", "topBytes<>(SB)", c.X(1), c.X(1))
	c.bits("VPOR", c.X(1), c.X(0), c.X(0))
	c.op("VPSUBB halfBytes<>(SB), %s, %s", c.X(0), c.X(0))
	c.widen(0, true)
	c.one(at(108), 2)
	c.both(0, 2, 2)
	per := 16 / c.lanes()
	for g := range 16 {
		c.splat(0, g, 4)
		for i := range per {
			c.bytesAt(at, 32+32*(g>>3)+16*(g&1), i, 6)
			c.lowBits(6, g&6, "three", 6)
			c.bytesAt(at, 16*(g&1), i, 7)
			c.place(7, g>>1, 2, "four")
			c.bits("VPOR", c.T(7), c.T(6), c.T(6))
			c.op("VPSUBD four<>(SB), %s, %s", c.T(6), c.T(6))
			c.scaled(6, 4, -1)
			sink(g*per+i, c.t(6))
		}
	}
}

// place moves the bits of register r that begin at bit from to bit to and clears the others; mask names their constant.
func (c coder) place(r, from, to int, mask string) {
	switch {
	case from > to:
		c.op("VPSRLD $%d, %s, %s", from-to, c.T(r), c.T(r))
	case from < to:
		c.op("VPSLLD $%d, %s, %s", to-from, c.T(r), c.T(r))
	}
	c.bits("VPAND", mask+"<>(SB)", c.T(r), c.T(r))
}

// scalesAndMinima leaves d times the 8 scales of a Q4_K or Q5_K block in lanes 0 to 7, and dmin times its minima in 8 to 15.
// Of the twelve bytes u0 u1 u2, four each, scales are u0 and (u2, u0>>6), minima are u1 and (u2>>4, u1>>6).
func (c coder) scalesAndMinima(at func(int) string) {
	c.op("VMOVUPS %s, %s", at(4), c.X(0))
	c.op("VPSHUFD $0x50, %s, %s", c.X(0), c.X(1)) // u0 u0 u1 u1
	c.op("VPSHUFD $0x98, %s, %s", c.X(0), c.X(0)) // u0 u2 u1 u2
	c.op("VPSRLVD lastFour<>(SB), %s, %s", c.X(0), c.X(0))
	c.bits("VPAND", "scaleLow<>(SB)", c.X(0), c.X(0))
	c.op("VPSRLD $2, %s, %s", c.X(1), c.X(1))
	c.bits("VPAND", "scaleHigh<>(SB)", c.X(1), c.X(1))
	c.bits("VPOR", c.X(1), c.X(0), c.X(0))
	c.widen(0, false)
	c.pair(at(0), 2, 3)
	c.both(0, 2, 3)
}

func blockQ4_K(c coder, at func(int) string, sink func(i, reg int)) {
	c.scalesAndMinima(at)
	per := 32 / c.lanes()
	for g := range 8 {
		c.splat(0, g, 2)
		c.splat(0, 8+g, 3)
		if c.isa == avx512 {
			c.table(2, 3, "VSUBPS")
		}
		for i := range per {
			c.bytesAt(at, 16+32*(g/2), i, 4)
			if c.isa == avx512 {
				if g&1 == 1 {
					c.op("VPSRLD $4, %s, %s", c.T(4), c.T(4))
				}
				c.op("VPERMPS %s, %s, %s", c.T(2), c.T(4), c.T(4))
			} else {
				c.lowBits(4, g&1*4, "fifteen", 4)
				c.scaled(4, 2, -1)
				c.op("VSUBPS %s, %s, %s", c.T(3), c.T(4), c.T(4))
			}
			sink(g*per+i, c.t(4))
		}
	}
}

func blockQ5_K(c coder, at func(int) string, sink func(i, reg int)) {
	c.scalesAndMinima(at)
	per := 32 / c.lanes()
	for g := range 8 {
		c.splat(0, g, 2)
		c.splat(0, 8+g, 3)
		for i := range per {
			c.bytesAt(at, 48+32*(g/2), i, 4)
			c.lowBits(4, g&1*4, "fifteen", 4)
			c.bytesAt(at, 16, i, 5)
			c.place(5, g, 4, "sixteen")
			c.bits("VPOR", c.T(5), c.T(4), c.T(4))
			c.scaled(4, 2, -1)
			c.op("VSUBPS %s, %s, %s", c.T(3), c.T(4), c.T(4))
			sink(g*per+i, c.t(4))
		}
	}
}

func blockQ6_K(c coder, at func(int) string, sink func(i, reg int)) {
	c.op("VMOVUPS %s, %s", at(192), c.X(0))
	c.widen(0, true)
	c.one(at(208), 2)
	c.both(0, 2, 2)
	per := 16 / c.lanes()
	for g := range 16 {
		half, j, part := g>>3, g>>1&3, g&1 // of 128 values: which 32, which 16 of those
		c.splat(0, g, 4)
		for i := range per {
			c.bytesAt(at, 64*half+32*(j&1)+16*part, i, 5)
			c.lowBits(5, j>>1*4, "fifteen", 5)
			c.bytesAt(at, 128+32*half+16*part, i, 6)
			c.place(6, 2*j, 4, "fortyEight")
			c.bits("VPOR", c.T(6), c.T(5), c.T(5))
			c.op("VPSUBD thirtyTwo<>(SB), %s, %s", c.T(5), c.T(5))
			c.scaled(5, 4, -1)
			sink(g*per+i, c.t(5))
		}
	}
}
