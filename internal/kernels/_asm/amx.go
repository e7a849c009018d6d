package main

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// amx writes the strip kernel of CPUs with tiles: 8 registers of 16 rows × 64 bytes. Four hold a result of 32×32
// float32, two a block of A [32 rows][32 k], two a block of B [2 halves of the columns][16 pairs of k][16][2], bfloat16.
//
// The tiles belong to the system's thread and a goroutine may move between calls, so the kernel loads the tile
// configuration at entry and releases it at exit; in between assembly is not preempted.
func amx(f *file) {
	tileConfig(f)
	stripAMX(f)
	peakAMX(f)
	xcr0(f)
}

// tileConfig writes the configuration, all tiles in full size.
func tileConfig(f *file) {
	// Palette 1, then at 16 the bytes in a row of each tile (uint16), at 48 the rows (uint8). Intel, Software
	// Developer's Manual, vol. 1, §18.2.
	config := [64]byte{0: 1}
	for tile := range 8 {
		config[16+2*tile], config[48+tile] = 64, 16
	}
	for at := 0; at < 64; at += 8 {
		f.line("DATA tileConfig<>+%d(SB)/8, $0x%016x", at, binary.LittleEndian.Uint64(config[at:]))
	}
	f.line("GLOBL tileConfig<>(SB), RODATA|NOPTR, $64")
}

// stripAMX writes the kernel. Registers: DI C of the panel, R13 A, SI its block, BX the block of B, R8 blocks, R12 blocks
// left, R9 panels left, R10 bytes between panels, R14 what to prefetch and R15 how far to go on, DX where that ends.
func stripAMX(f *file) {
	f.text("stripAMX", 49, "func stripAMX(c, a, b *float32, blocks, panels, bStride int, add bool)")
	f.op("MOVQ c+0(FP), DI")
	f.op("MOVQ a+8(FP), R13")
	f.op("MOVQ b+16(FP), BX")
	f.op("MOVQ blocks+24(FP), R8")
	f.op("MOVQ panels+32(FP), R9")
	f.op("MOVQ bStride+40(FP), R10")
	f.op("MOVBLZX add+48(FP), R11")
	f.op("MOVL $64, AX")  // from row to row of A and B
	f.op("MOVL $128, CX") // of C
	f.op("MOVQ R8, DX")
	f.op("SHLQ $11, DX") // bytes of the strip
	f.op("SHLQ $2, R10")
	f.op("SUBQ DX, R10") // from the end of a panel of B to the next
	// What follows in A is the next call's strip, or its part of this one: the first eight panels bring it to the
	// second-level cache, 256 bytes a block. Later ones stay where that ended.
	f.op("LEAQ (R13)(DX*1), R14")
	f.op("ADDQ R14, DX")
	f.op("MOVL $256, R15")
	f.op("LEAQ tileConfig<>(SB), SI")
	f.vex("LDTILECFG (SI)", 0, 0x49, 0, 0, memory{base: "SI"})
	f.line("panel:")
	f.op("MOVQ R13, SI")
	f.op("MOVQ R8, R12")
	f.op("TESTL R11, R11")
	f.op("JZ   zero")
	for tile := range 4 {
		f.tileMove("TILELOADD", tile, resultTile(tile))
	}
	f.op("JMP  block")
	f.line("zero:")
	for tile := range 4 {
		f.vex(fmt.Sprintf("TILEZERO TMM%d", tile), 3, 0x49, tile, 0, nil)
	}
	f.line("block:")
	amxBlock(f)
	f.op("ADDQ $2048, SI")
	f.op("ADDQ $2048, BX")
	f.op("ADDQ R15, R14")
	f.op("DECQ R12")
	f.op("JNZ  block")
	for tile := range 4 {
		f.tileMove("TILESTORED", tile, resultTile(tile))
	}
	f.op("ADDQ R10, BX")
	f.op("ADDQ $4096, DI")
	f.op("CMPQ R14, DX")
	f.op("JCS  more")
	f.op("XORL R15, R15")
	f.line("more:")
	f.op("DECQ R9")
	f.op("JNZ  panel")
	f.vex("TILERELEASE", 0, 0x49, 0, 0, nil)
	f.op("RET")
}

// peakAMX writes n rounds of four products of tiles that are loaded once, from 4,096 bytes.
func peakAMX(f *file) {
	f.text("peakAMX", 16, "func peakAMX(x *float32, n int)")
	f.op("MOVQ x+0(FP), SI")
	f.op("MOVQ n+8(FP), CX")
	f.op("MOVL $64, AX")
	f.op("LEAQ tileConfig<>(SB), BX")
	f.vex("LDTILECFG (BX)", 0, 0x49, 0, 0, memory{base: "BX"})
	for i := range 4 {
		f.vex(fmt.Sprintf("TILEZERO TMM%d", i), 3, 0x49, i, 0, nil)
		f.tileMove("TILELOADD", 4+i, memory{base: "SI", index: "AX", disp: 1024 * i})
	}
	f.line("round:")
	for d := range 4 {
		a, b := 4+d/2, 6+d%2
		f.vex(fmt.Sprintf("TDPBF16PS TMM%d, TMM%d, TMM%d", b, a, d), 2, 0x5c, d, b, register(a))
	}
	f.op("DECQ CX")
	f.op("JNZ  round")
	f.vex("TILERELEASE", 0, 0x49, 0, 0, nil)
	f.op("RET")
}

// xcr0 writes what tells the state that the system saves.
func xcr0(f *file) {
	f.text("xcr0", 8, "func xcr0() uint64")
	f.op("XORL CX, CX")
	f.op("XGETBV")
	f.op("SHLQ $32, DX")
	f.op("ORQ  DX, AX")
	f.op("MOVQ AX, ret+0(FP)")
	f.op("RET")
}

// amxBlock writes one block of k. A stays in the first-level cache for all panels; B comes from the second, by the load
// that does not push A out. The four products take the tile unit 64 cycles, so unrolling would hide nothing more.
func amxBlock(f *file) {
	product := func(r, c int) {
		d, a, b := 2*r+c, 4+r, 6+c
		f.vex(fmt.Sprintf("TDPBF16PS TMM%d, TMM%d, TMM%d", b, a, d), 2, 0x5c, d, b, register(a))
		f.op("PREFETCHT1 %d(R14)", 64*d)
	}
	f.tileMove("TILELOADDT1", 6, memory{base: "BX", index: "AX"})
	f.tileMove("TILELOADD", 4, memory{base: "SI", index: "AX"})
	product(0, 0)
	f.tileMove("TILELOADDT1", 7, memory{base: "BX", index: "AX", disp: 1024})
	product(0, 1)
	f.tileMove("TILELOADD", 5, memory{base: "SI", index: "AX", disp: 1024})
	product(1, 0)
	product(1, 1)
}

// resultTile is where quarter `tile` of C [32][32] lies: rows 0-15 or 16-31, columns 0-15 or 16-31.
func resultTile(tile int) memory {
	return memory{base: "DI", index: "CX", disp: tile/2*16*128 + tile%2*64}
}

// tileMove writes a load or a store of a tile, whose rows lie the index register's bytes apart.
func (f *file) tileMove(name string, tile int, at memory) {
	f.vex(fmt.Sprintf("%s TMM%d, %v", name, tile, at), map[string]int{"TILELOADDT1": 1, "TILESTORED": 2, "TILELOADD": 3}[name], 0x4b, tile, 0, at)
}

// An operand writes the ModRM byte, which holds the register reg beside it, and what follows that.
type operand interface{ encode(reg int) []byte }

type register int

func (r register) encode(reg int) []byte { return []byte{byte(0xc0 | reg<<3 | int(r))} }

// memory is base + index + disp; the registers are among the eight old ones and not SP or BP.
type memory struct {
	base, index string
	disp        int
}

var lowRegisters = map[string]byte{"AX": 0, "CX": 1, "DX": 2, "BX": 3, "SI": 6, "DI": 7}

func (m memory) encode(reg int) []byte {
	modrm := byte(reg<<3) | lowRegisters[m.base]
	var sib []byte
	if m.index != "" {
		modrm = byte(reg<<3) | 4
		sib = []byte{lowRegisters[m.index]<<3 | lowRegisters[m.base]}
	}
	switch {
	case m.disp == 0:
		return append([]byte{modrm}, sib...)
	case m.disp == int(int8(m.disp)):
		return append(append([]byte{modrm | 0x40}, sib...), byte(m.disp))
	default:
		return binary.LittleEndian.AppendUint32(append([]byte{modrm | 0x80}, sib...), uint32(m.disp))
	}
}

func (m memory) String() string {
	s := fmt.Sprintf("(%s)", m.base)
	if m.disp != 0 {
		s = fmt.Sprint(m.disp) + s
	}
	if m.index != "" {
		s += fmt.Sprintf("(%s*1)", m.index)
	}
	return s
}

// vex writes an instruction of the 0F38 map that the assembler lacks: pp is its implied prefix (0 none, 1 66, 2 F3,
// 3 F2), v the register in VEX.vvvv. Without an operand the ModRM byte names register 0.
func (f *file) vex(text string, pp, opcode, reg, v int, rm operand) {
	if rm == nil {
		rm = register(0)
	}
	code := append([]byte{0xc4, 0xe2, byte((15-v)<<3 | pp), byte(opcode)}, rm.encode(reg)...)
	parts := make([]string, len(code))
	for i, b := range code {
		parts[i] = fmt.Sprintf("BYTE $0x%02x", b)
	}
	f.op("%s // %s", strings.Join(parts, "; "), text)
}
