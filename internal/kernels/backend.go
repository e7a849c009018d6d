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
	// rows is MulRows for rows lo to hi of w: dst[i·w.Rows+r], i to t. tmp is memory for it.
	rows func(be *backend, dst, x []float32, t int, w *Matrix, lo, hi int, tmp *[]float32)
	// rowsBF16 is rows for inputs x [t,Cols/2] in bfloat16, two in a word, and whole blocks of 32 columns; nil where that is not faster.
	rowsBF16 func(dst, x []float32, t int, w *Matrix, lo, hi int, tmp *[]float32)
	// roundRow rounds src, whole blocks of 32 values, for rowsBF16.
	roundRow func(dst, src []float32)
	// dots computes dst[i·dstStep+r] = x_i·w_r for n rows x_i and m rows w_r of length k, xStep and wStep apart.
	dots func(dst []float32, dstStep int, x []float32, xStep, n int, w []float32, wStep, m, k int)
	// mix computes dst_i += sum over r of p[i·pStep+r]·v_r for n rows dst_i of length d, dstStep apart, and m rows v_r, vStep apart:
	// one chain over r in ascending order, so that rows may come in several calls.
	mix func(dst []float32, dstStep int, p []float32, pStep, n int, v []float32, vStep, m, d int)
	// dotsBF16 and mixBF16 are the same for weights and values in bfloat16, and dotsBF16 for such x too, two values in a word, which xStep,
	// wStep and vStep count; k and d are multiples of 32. Both are nil where they are not faster.
	dotsBF16 func(dst []float32, dstStep int, x []float32, xStep, n int, w []float32, wStep, m, k int)
	mixBF16  func(dst []float32, dstStep int, p []float32, pStep, n int, v []float32, vStep, m, d int)
	// gain computes dst = (x·r)·gain, equal lengths. dst may be x.
	gain func(dst, x, gain []float32, r float32)
	// prefetch brings src towards the first-level cache, or does nothing.
	prefetch func(src []byte)
	// prefetchRows does that for rows of d words, step apart.
	prefetchRows func(v []float32, step, rows, d int)
	vec          vectors
	ops          blockOps
	peaks        [2]peak // by Precision
}

// generic is plain Go: the specification of the other backends, and what runs where there is no assembly.
var generic = backend{
	name: "generic", f32: stripGeneric, lay: layoutGeneric,
	dequantize: quant.Dequantize,
	rows:       rowsGeneric,
	dots:       dotsGeneric,
	mix:        mixGeneric,
	gain:       gainGeneric,
	prefetch:   func([]byte) {},

	prefetchRows: func([]float32, int, int, int) {},
	vec:          vectorsGeneric,
	ops:          blockOpsGeneric,
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
