//go:build linux && amd64

package main

import "encoding/binary"

type tileOp int

const (
	loadConfig tileOp = iota
	tileRelease
	tileZero
	tileLoad
	tileStore
	tileMultiply
)

// tileInstruction is a decoded instruction for tiles.
type tileInstruction struct {
	op         tileOp
	size       int // bytes
	reg, rm, v int // tiles: of the ModRM byte and of VEX.vvvv
	memory     memory
}

// memory is the address base + index<<scale + disp; base and index are numbers of registers, -1 for none.
type memory struct {
	base, index int
	scale       uint8
	disp        int32
}

// ripBase as a base is the address of the next instruction.
const ripBase = 16

// decodeTile reads the instruction that code begins with. ok is false if it is none for tiles.
func decodeTile(code []byte) (in tileInstruction, ok bool) {
	const escape, map0F38, map0F38Mask = 0xc4, 2, 0x1f
	if len(code) < 5 || code[0] != escape || code[1]&map0F38Mask != map0F38 || code[2]&0x84 != 0 { // VEX.W and VEX.L are 0
		return in, false
	}
	flip := ^code[1] // R, X, B are stored inverted
	o, n, ok := decodeOperand(code[4:], int(flip>>7&1), int(flip>>6&1), int(flip>>5&1))
	if !ok {
		return in, false
	}
	in = tileInstruction{size: 4 + n, reg: o.reg, rm: o.rm, v: int(^code[2] >> 3 & 0xf), memory: o.memory}
	in.op, ok = tileOperation(int(code[3]), int(code[2]&3), o)
	return in, ok && (in.op == tileMultiply || in.v == 0)
}

// tileOperation is the instruction with an opcode and an implied prefix (0 none, 1 66, 2 F3, 3 F2).
func tileOperation(opcode, prefix int, o operand) (tileOp, bool) {
	inMemory := o.rm < 0
	switch {
	case opcode == 0x49 && prefix == 0 && inMemory && o.reg == 0:
		return loadConfig, true
	case opcode == 0x49 && prefix == 0 && o.rm == 0 && o.reg == 0:
		return tileRelease, true
	case opcode == 0x49 && prefix == 3 && o.rm == 0:
		return tileZero, true
	case opcode == 0x4b && (prefix == 1 || prefix == 3) && o.hasSIB:
		return tileLoad, true
	case opcode == 0x4b && prefix == 2 && o.hasSIB:
		return tileStore, true
	case opcode == 0x5c && prefix == 2 && !inMemory:
		return tileMultiply, true
	}
	return 0, false
}

// operand is a ModRM byte and what belongs to it.
type operand struct {
	reg    int
	rm     int // -1: memory
	hasSIB bool
	memory memory
}

// decodeOperand reads an operand of n bytes. r, x and b are the fourth bits of the registers' numbers.
func decodeOperand(code []byte, r, x, b int) (o operand, n int, ok bool) {
	if len(code) == 0 {
		return o, 0, false
	}
	mod, rm := code[0]>>6, int(code[0]&7)
	o = operand{reg: r<<3 | int(code[0]>>3&7), rm: -1, memory: memory{base: b<<3 | rm, index: -1}}
	n = 1
	if mod == 3 {
		o.rm = b<<3 | rm
		return o, n, true
	}
	if rm == 4 {
		if len(code) < 2 {
			return o, 0, false
		}
		sib := code[1]
		n++
		o.hasSIB = true
		o.memory.scale, o.memory.base = sib>>6, b<<3|int(sib&7)
		if index := x<<3 | int(sib>>3&7); index != 4 {
			o.memory.index = index
		}
	}
	size := [3]int{0, 1, 4}[mod]
	if mod == 0 && o.memory.base&7 == 5 {
		size, o.memory.base = 4, ripBase
		if o.hasSIB {
			o.memory.base = -1
		}
	}
	if len(code) < n+size {
		return o, 0, false
	}
	switch size {
	case 1:
		o.memory.disp = int32(int8(code[n]))
	case 4:
		o.memory.disp = int32(binary.LittleEndian.Uint32(code[n:]))
	}
	return o, n + size, true
}
