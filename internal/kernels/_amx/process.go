//go:build linux && amd64

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// read fills p from the memory of a traced process.
func read(tid int, from uint64, p []byte) bool {
	local := []unix.Iovec{{Base: &p[0], Len: uint64(len(p))}}
	n, err := unix.ProcessVMReadv(tid, local, []unix.RemoteIovec{{Base: uintptr(from), Len: len(p)}}, 0)
	return err == nil && n == len(p)
}

// rows are equally long pieces of a traced process's memory, stride bytes apart.
type rows struct {
	tid          int
	base, stride uint64
}

// noMemory is an address that cannot be read or written.
type noMemory struct {
	rows
	what string
}

func (e noMemory) Error() string {
	return fmt.Sprintf("cannot %s the rows at %#x, %d bytes apart", e.what, e.base, int64(e.stride))
}

// remote lists n rows of size bytes.
func (m rows) remote(n, size int) []unix.RemoteIovec {
	if m.stride == uint64(size) {
		return []unix.RemoteIovec{{Base: uintptr(m.base), Len: n * size}}
	}
	var list [16]unix.RemoteIovec
	for i := range n {
		list[i] = unix.RemoteIovec{Base: uintptr(m.base + uint64(i)*m.stride), Len: size}
	}
	return list[:n]
}

// read fills p, n rows of size bytes one after the other.
func (m rows) read(p []byte, n, size int) error {
	local := []unix.Iovec{{Base: &p[0], Len: uint64(n * size)}}
	if got, err := unix.ProcessVMReadv(m.tid, local, m.remote(n, size), 0); err != nil || got != n*size {
		return noMemory{m, "read"}
	}
	return nil
}

// write stores p, n rows of size bytes one after the other.
func (m rows) write(p []byte, n, size int) error {
	local := []unix.Iovec{{Base: &p[0], Len: uint64(n * size)}}
	if got, err := unix.ProcessVMWritev(m.tid, local, m.remote(n, size), 0); err != nil || got != n*size {
		return noMemory{m, "write"}
	}
	return nil
}

// code is a window on a traced process's instructions, which do not change until exec.
type code struct {
	tid   int
	pages [2]*page // the last two, most recent first
	join  [32]byte
}

type page struct {
	base  uint64
	bytes [4096]byte
}

// longest is the length of the longest instruction.
const longest = 15

// at is some bytes of code from an address on, a whole instruction and more unless the memory ends there.
func (c *code) at(address uint64) []byte {
	in := int(address % 4096)
	p := c.page(address - uint64(in))
	if p == nil {
		return nil
	}
	if in+longest <= len(p.bytes) {
		return p.bytes[in:]
	}
	n := copy(c.join[:], p.bytes[in:])
	if next := c.page(address - uint64(in) + 4096); next != nil {
		n += copy(c.join[n:], next.bytes[:longest])
	}
	return c.join[:n]
}

// page is the page at base, or nil.
func (c *code) page(base uint64) *page {
	for i, p := range c.pages {
		if p != nil && p.base == base {
			c.pages[0], c.pages[i] = c.pages[i], c.pages[0]
			return p
		}
	}
	p := &page{base: base}
	if !read(c.tid, base, p.bytes[:]) {
		return nil
	}
	c.pages[0], c.pages[1] = p, c.pages[0]
	return p
}
