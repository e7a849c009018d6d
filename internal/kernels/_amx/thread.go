//go:build linux && amd64

package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// thread is a traced thread and its tiles.
type thread struct {
	tid   int
	fresh bool // its first SIGSTOP, the tracer's, is still to come
	regs  unix.PtraceRegs
	r     [16]*uint64 // regs by their number in instructions
	tiles tiles
	code  code
}

func newThread(tid int, fresh bool) *thread {
	t := &thread{tid: tid, fresh: fresh}
	g := &t.regs
	t.r = [16]*uint64{&g.Rax, &g.Rcx, &g.Rdx, &g.Rbx, &g.Rsp, &g.Rbp, &g.Rsi, &g.Rdi, &g.R8, &g.R9, &g.R10, &g.R11, &g.R12, &g.R13, &g.R14, &g.R15}
	t.code.tid = tid
	return t
}

// fault is what the CPU would do instead of an instruction: send signal. why is "" for what is none of ours.
type fault struct {
	signal syscall.Signal
	why    string
}

const (
	maxPlain = 64      // plain instructions in a row: the tiles seem to be done with
	maxAll   = 1 << 16 // instructions a stop: signals are waiting
)

// emulate runs instructions from regs.Rip on, the first a tile instruction, and advances regs. It stops before what it
// does not know, and returns a fault if that is the first or if a tile instruction faults.
func (t *thread) emulate(single bool, n *counts) *fault {
	plain := 0
	for all := range maxAll {
		bytes := t.code.at(t.regs.Rip)
		if in, ok := decodeTile(bytes); ok {
			f := t.tile(in)
			if f != nil {
				return f
			}
			n.tile++
			plain = 0
			t.regs.Rip += uint64(in.size)
			if single || in.op == tileRelease {
				return nil
			}
			continue
		}
		if all == 0 {
			return &fault{signal: unix.SIGILL}
		}
		if plain++; plain > maxPlain || !t.plain(bytes) {
			return nil
		}
		n.plain++
	}
	return nil
}

// tile does one tile instruction, all but advancing regs.Rip.
func (t *thread) tile(in tileInstruction) *fault {
	var err error
	switch in.op {
	case loadConfig:
		var config [64]byte
		if !read(t.tid, t.address(in.memory, in.size), config[:]) {
			return &fault{unix.SIGSEGV, "the tile configuration's memory is not there"}
		}
		if err = t.tiles.configure(config); err != nil {
			return &fault{unix.SIGSEGV, err.Error()}
		}
	case tileRelease:
		t.tiles.release()
	case tileZero:
		err = t.tiles.zero(in.reg)
	case tileLoad:
		err = t.tiles.load(in.reg, t.rows(in))
	case tileStore:
		err = t.tiles.store(in.reg, t.rows(in))
	case tileMultiply:
		err = t.tiles.multiply(in.reg, in.rm, in.v)
	}
	if f, ok := err.(noMemory); ok {
		return &fault{unix.SIGSEGV, f.Error()}
	}
	if err != nil {
		return &fault{unix.SIGILL, err.Error()}
	}
	return nil
}

// rows is the memory operand of a load or store: the index register holds the distance of rows.
func (t *thread) rows(in tileInstruction) rows {
	m := rows{tid: t.tid}
	operand := in.memory
	if operand.index >= 0 {
		m.stride = *t.r[operand.index] << operand.scale
		operand.index = -1
	}
	m.base = t.address(operand, in.size)
	return m
}

// address is that of an operand of an instruction of the given size at regs.Rip.
func (t *thread) address(m memory, size int) uint64 {
	a := uint64(int64(m.disp))
	if m.base == ripBase {
		a += t.regs.Rip + uint64(size)
	} else if m.base >= 0 {
		a += *t.r[m.base]
	}
	if m.index >= 0 {
		a += *t.r[m.index] << m.scale
	}
	return a
}
