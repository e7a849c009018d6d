//go:build linux && amd64

package main

import (
	"encoding/binary"
	"math/bits"
)

// Bits of regs.Eflags.
const (
	flagC = 1 << 0
	flagP = 1 << 2
	flagA = 1 << 4
	flagZ = 1 << 6
	flagS = 1 << 7
	flagO = 1 << 11
	flags = flagC | flagP | flagA | flagZ | flagS | flagO
)

// plain does the instruction at regs.Rip that code begins with, if it is one of those that stand between tile
// instructions in a loop: arithmetic of whole registers, jumps, prefetches.
func (t *thread) plain(code []byte) bool {
	if len(code) < longest {
		return false
	}
	var rex, n int
	if code[0]&0xf0 == 0x40 {
		rex, n = int(code[0]), 1
	}
	op := int(code[n])
	n++
	if op == 0x0f {
		op = op<<8 | int(code[n])
		n++
	}
	if size, ok := jumpSize(op); ok && rex == 0 {
		return t.jump(op, code[n:n+size], n+size)
	}
	o, size, ok := decodeOperand(code[n:], rex>>2&1, rex>>1&1, rex&1)
	if !ok {
		return false
	}
	n += size
	wide := rex&8 != 0
	switch op {
	case 0x0f18, 0x0f1f: // prefetch, nop
	case 0x8d: // LEA
		if o.rm >= 0 {
			return false
		}
		t.set(o.reg, t.address(o.memory, n), wide)
	default:
		var ok bool
		if size, ok = t.arithmetic(op, o, code[n:], wide); !ok {
			return false
		}
		n += size
	}
	t.regs.Rip += uint64(n)
	return true
}

// jumpSize is the length of a jump's distance.
func jumpSize(op int) (int, bool) {
	switch {
	case op>>4 == 0x7, op == 0xeb:
		return 1, true
	case op>>4 == 0x0f8, op == 0xe9:
		return 4, true
	}
	return 0, false
}

// jump does a jump whose instruction has size bytes.
func (t *thread) jump(op int, distance []byte, size int) bool {
	d := int64(int8(distance[0]))
	if len(distance) == 4 {
		d = int64(int32(binary.LittleEndian.Uint32(distance)))
	}
	t.regs.Rip += uint64(size)
	if op == 0xeb || op == 0xe9 || t.condition(op&0xf) {
		t.regs.Rip += uint64(d)
	}
	return true
}

// condition is the condition of a jump: overflow, carry, zero, carry or zero, sign, parity, less, less or equal, and each of
// them negated.
func (t *thread) condition(code int) bool {
	f := t.regs.Eflags
	less := f&flagS != 0 != (f&flagO != 0)
	c := [8]bool{f&flagO != 0, f&flagC != 0, f&flagZ != 0, f&(flagC|flagZ) != 0, f&flagS != 0, f&flagP != 0, less, less || f&flagZ != 0}[code>>1]
	return c != (code&1 == 1)
}

// set writes a register; 32 bits clear the rest.
func (t *thread) set(r int, v uint64, wide bool) {
	if !wide {
		v = uint64(uint32(v))
	}
	*t.r[r] = v
}

// The operations of arithmetic, by their number in opcodes.
const (
	opAdd = 0
	opOr  = 1
	opAnd = 4
	opSub = 5
	opXor = 6
	opCmp = 7
)

// arithmetic does a move or an operation between registers or with a constant, which begins rest and has size bytes.
func (t *thread) arithmetic(op int, o operand, rest []byte, wide bool) (size int, ok bool) {
	if o.rm < 0 {
		return 0, false
	}
	dst, src := o.rm, *t.r[o.reg]
	do := op >> 3 & 7
	switch op {
	case 0x89:
		t.set(dst, src, wide)
		return 0, true
	case 0x8b:
		t.set(o.reg, *t.r[o.rm], wide)
		return 0, true
	case 0x85: // TEST: AND without result
		t.operate(opAnd, *t.r[dst], src, wide)
		return 0, true
	case 0xff: // INC, DEC: the carry stays
		if o.reg&7 > 1 {
			return 0, false
		}
		carry := t.regs.Eflags & flagC
		v, _ := t.operate([2]int{opAdd, opSub}[o.reg&7], *t.r[dst], 1, wide)
		t.regs.Eflags = t.regs.Eflags&^flagC | carry
		t.set(dst, v, wide)
		return 0, true
	case 0x83:
		do, src, size = o.reg&7, uint64(int8(rest[0])), 1
	case 0x81:
		do, src, size = o.reg&7, uint64(int32(binary.LittleEndian.Uint32(rest))), 4
	case 0x01, 0x09, 0x21, 0x29, 0x31, 0x39:
	case 0x03, 0x0b, 0x23, 0x2b, 0x33, 0x3b:
		dst, src = o.reg, *t.r[o.rm]
	default:
		return 0, false
	}
	v, ok := t.operate(do, *t.r[dst], src, wide)
	if ok && do != opCmp {
		t.set(dst, v, wide)
	}
	return size, ok
}

// operate is a op b, and sets the flags.
func (t *thread) operate(op int, a, b uint64, wide bool) (v uint64, ok bool) {
	shift := 32
	if wide {
		shift = 0
	}
	a, b = a<<shift, b<<shift // the carry and the sign are then those of 64 bits
	var f uint64
	switch op {
	case opAdd:
		v = a + b
		f = b2i(v < a)*flagC | (a^v)&(b^v)>>63*flagO
	case opSub, opCmp:
		v = a - b
		f = b2i(a < b)*flagC | (a^b)&(a^v)>>63*flagO
	case opAnd:
		v = a & b
	case opOr:
		v = a | b
	case opXor:
		v = a ^ b
	default:
		return 0, false
	}
	low := v >> shift
	f |= b2i(v == 0)*flagZ | v>>63*flagS | uint64(1-bits.OnesCount8(uint8(low))%2)*flagP
	if op != opAnd && op != opOr && op != opXor {
		f |= (a ^ b ^ v) >> shift & 0x10 / 0x10 * flagA
	}
	t.regs.Eflags = t.regs.Eflags&^flags | f
	return low, true
}

func b2i(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
