//go:build !unix

package kernels

// allocate takes n floats from Go's heap.
func allocate(n int) ([]float32, func() error) { return onHeap(n) }
