package main

// evex writes an instruction that Go's assembler lacks: 512 bits, opcode map 0F38, registers 0-31 as d, a, b in
// Intel's order; pp is the prefix (2 = F3, 3 = F2). a is -1 where the instruction has no second operand.
func (f *file) evex(name string, pp, opcode, d, a, b int) {
	if a < 0 {
		a = 0
	}
	not := func(r, bit int) int { return ^r >> bit & 1 }
	p1 := not(d, 3)<<7 | not(b, 4)<<6 | not(b, 3)<<5 | not(d, 4)<<4 | 2
	p2 := (^a&15)<<3 | 4 | pp
	p3 := 0x40 | not(a, 4)<<3
	f.op("BYTE $0x62; BYTE $0x%02x; BYTE $0x%02x; BYTE $0x%02x; BYTE $0x%02x; BYTE $0x%02x // %s Z%d, Z%d, Z%d",
		p1, p2, p3, opcode, 0xc0|d&7<<3|b&7, name, b, a, d)
}
