//go:build unix

package kernels

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// allocate maps n floats of anonymous memory; where the system refuses, the heap serves.
func allocate(n int) ([]float32, func() error) {
	b, err := unix.Mmap(-1, 0, 4*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return onHeap(n)
	}
	adviseHuge(b)
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), n), func() error { return unix.Munmap(b) }
}
