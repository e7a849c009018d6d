package kernels

import (
	"fmt"
	"strings"
	"sync/atomic"

	"ft/internal/quant"
)

// backend is one implementation of the arithmetic for a class of CPUs.
type backend struct {
	name string
	f32  stripFunc
	bf16 stripFunc // nil where products in bfloat16 are not faster than in float32
	lay  layout
	// dequantize is quant.Dequantize, bit for bit.
	dequantize func(dst []float32, t quant.Type, src []byte)
	// prefetch brings src towards the first-level cache, or does nothing.
	prefetch func(src []byte)
	vec      vectors
	ops      blockOps
}

// generic is plain Go: the specification of the other backends, and what runs where there is no assembly.
var generic = backend{
	name: "generic", f32: stripGeneric, lay: layoutGeneric,
	dequantize: quant.Dequantize,
	prefetch:   func([]byte) {},
	vec:        vectorsGeneric,
	ops:        blockOpsGeneric,
}

// active is the backend in use.
var active atomic.Pointer[backend]

// backends are those that this machine can run and that passed the self-test, best first.
var backends = usable(append(assembly(), &generic))

func init() { active.Store(backends[0]) }

// Backends names what this machine can run, best first: "avx512", "avx2", "generic".
func Backends() []string {
	names := make([]string, len(backends))
	for i, b := range backends {
		names[i] = b.name
	}
	return names
}

// Use selects a backend by name. It is not meant to be called while work is under way. The error for an
// unknown or unavailable name lists Backends.
func Use(name string) error {
	for _, b := range backends {
		if b.name == name {
			active.Store(b)
			return nil
		}
	}
	return fmt.Errorf("kernels: no backend %q on this machine (have %s)", name, strings.Join(Backends(), ", "))
}

// Backend is the name of the backend in use.
func Backend() string { return active.Load().name }

// HasBF16 reports whether the backend in use multiplies faster in bfloat16 than in float32.
func HasBF16() bool { return active.Load().bf16 != nil }
