//go:build !amd64 || purego

package kernels

// assembly is the backends besides generic.
func assembly() []*backend { return nil }
