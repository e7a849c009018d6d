package kernels

import (
	"fmt"
	"unsafe"
)

// Arena hands out float32 buffers aligned to 64 bytes, in stack order, from chunks it keeps: once it has
// grown to what a step needs, a step allocates nothing. On Unix the chunks lie outside Go's heap, so they
// neither trigger nor slow the collector. An Arena is not safe for concurrent use.
type Arena struct {
	chunks []chunkOf
	at     Mark
}

// chunkOf is one region of memory and what returns it.
type chunkOf struct {
	floats []float32
	free   func() error
}

// Mark is a state of an Arena to return to.
type Mark struct{ chunk, used int }

const (
	alignFloats = 16
	firstChunk  = 1 << 20 // floats
	maxGrowth   = 1 << 26 // floats: chunks double up to 256 MB
)

// NewArena is an arena without memory yet.
func NewArena() *Arena { return new(Arena) }

// Floats returns n values that stay valid until Release of an earlier Mark, Reset or Close. They are NOT
// zeroed: they hold whatever an earlier user left.
func (a *Arena) Floats(n int) []float32 {
	if n < 0 {
		panic(fmt.Sprintf("kernels: Arena.Floats(%d)", n))
	}
	need := (n + alignFloats - 1) / alignFloats * alignFloats
	for a.at.chunk < len(a.chunks) {
		c := a.chunks[a.at.chunk].floats
		if u := a.at.used; need <= len(c)-u {
			a.at.used += need
			return c[u : u+n : u+n]
		}
		a.at = Mark{chunk: a.at.chunk + 1}
	}
	size := firstChunk
	if len(a.chunks) > 0 {
		size = min(maxGrowth, 2*len(a.chunks[len(a.chunks)-1].floats))
	}
	f, free := allocate(max(size, need))
	a.chunks = append(a.chunks, chunkOf{f, free})
	a.at = Mark{chunk: len(a.chunks) - 1, used: need}
	return f[:n:n]
}

// FloatsZero is Floats with all values zero.
func (a *Arena) FloatsZero(n int) []float32 {
	f := a.Floats(n)
	clear(f)
	return f
}

// Ints is Floats for int32 values.
func (a *Arena) Ints(n int) []int32 {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&a.Floats(n)[0])), n)
}

// Words is Floats for 64-bit values.
func (a *Arena) Words(n int) []uint64 {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(&a.Floats(2 * n)[0])), n)
}

// Doubles is Floats for float64 values.
func (a *Arena) Doubles(n int) []float64 {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*float64)(unsafe.Pointer(&a.Floats(2 * n)[0])), n)
}

// Mark is the present state, for Release.
func (a *Arena) Mark() Mark { return a.at }

// Release gives back everything handed out since m was taken. Marks are released in reverse order.
func (a *Arena) Release(m Mark) {
	if m.chunk > a.at.chunk || m.chunk == a.at.chunk && m.used > a.at.used {
		panic("kernels: Arena.Release: a mark that was released before")
	}
	a.at = m
}

// Used is the number of bytes handed out and not given back, what is left free at the ends of chunks included.
func (a *Arena) Used() int64 {
	n := a.at.used
	for i := range a.at.chunk {
		n += len(a.chunks[i].floats)
	}
	return 4 * int64(n)
}

// Reset gives back everything and keeps the memory for the next step.
func (a *Arena) Reset() { a.at = Mark{} }

// Close returns the memory to the system. Buffers handed out must not be touched any more; the arena itself
// may be used again.
func (a *Arena) Close() error {
	var first error
	for _, c := range a.chunks {
		if err := c.free(); err != nil && first == nil {
			first = fmt.Errorf("kernels: arena: %w", err)
		}
	}
	a.chunks, a.at = nil, Mark{}
	return first
}

// onHeap allocates n floats, aligned, from Go's heap.
func onHeap(n int) ([]float32, func() error) {
	v := make([]float32, n+alignFloats-1)
	skip := int(-uintptr(unsafe.Pointer(&v[0]))%64) / 4
	return v[skip : skip+n : skip+n], func() error { return nil }
}
