//go:build !amd64 || purego

package kernels

// assembly is the backends besides generic.
func assembly() []*backend { return nil }

// relax tells the CPU that the caller spins; here it has no way to.
func relax() {}
