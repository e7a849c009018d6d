package kernels

import (
	"fmt"
	"slices"
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
	// mix computes dst_i = sum over r of p[i·pStep+r]·v_r for n rows dst_i of length d, dstStep apart, and m rows v_r, vStep apart.
	mix func(dst []float32, dstStep int, p []float32, pStep, n int, v []float32, vStep, m, d int)
	// gain computes dst = (x·r)·gain, equal lengths. dst may be x.
	gain func(dst, x, gain []float32, r float32)
	// prefetch brings src towards the first-level cache, or does nothing.
	prefetch func(src []byte)
	vec      vectors
	ops      blockOps
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

// usable keeps the candidates that agree with the generic twin on a small product: a CPU or hypervisor
// that claims an instruction set it gets wrong must not train a model.
func usable(candidates []*backend) []*backend {
	var ok []*backend
	for _, b := range candidates {
		if b == &generic || selfTest(b) {
			ok = append(ok, b)
		}
	}
	return ok
}

// selfTest compares with the generic twin: products, and the exponential to 5e-7.
func selfTest(b *backend) bool { return testProducts(b) && testRows(b) && testExp(b) }

// testProducts compares products with edges in every direction, of small whole numbers so that all sums
// are exact, in bfloat16 too.
func testProducts(b *backend) bool {
	const m, n, k = 17, 35, 21
	x, w := make([]float32, m*k), make([]float32, n*k)
	for i := range x {
		x[i] = float32(i%11 - 5)
	}
	for i := range w {
		w[i] = float32(i%13 - 6)
	}
	want, got := make([]float32, m*n), make([]float32, m*n)
	for _, prec := range []Precision{F32, BF16} {
		if prec == BF16 && b.bf16 == nil {
			continue
		}
		for _, trans := range []bool{true, false} {
			ld := n
			if trans {
				ld = k
			}
			for be, c := range map[*backend][]float32{&generic: want, b: got} {
				p := Product{M: m, N: n, Prec: prec, Sink: Sink{Kind: ToRows, Rows: c, LD: n, Alpha: 2}}
				p.Add(Left{f: x, ld: k}, Values(w, ld, k, n, trans), false)
				p.runOn(be)
			}
			if !slices.Equal(want, got) {
				return false
			}
		}
	}
	return true
}

// testExp compares exponentials over their range.
func testExp(b *backend) bool {
	var x, want, got [37]float32
	for i := range x {
		x[i] = float32(i-18) * 4.7
	}
	generic.vec.expSum(want[:], x[:], 0)
	b.vec.expSum(got[:], x[:], 0)
	for i, w := range want {
		if diff := got[i] - w; !(max(diff, -diff) <= 5e-7*w) {
			return false
		}
	}
	return true
}

// testRows compares decoding's products in every number format, within what the order of a float32 sum can do.
func testRows(b *backend) bool {
	const rows, cols, t = 7, 256, 3
	x := make([]float32, t*cols)
	for i := range x {
		x[i] = float32(i%11 - 5)
	}
	var tmp []float32
	got, v := make([]float32, t*rows), make([]float32, cols)
	for typ := range quant.BF16 + 1 {
		if !typ.Known() {
			continue
		}
		w := &Matrix{Rows: rows, Cols: cols, Type: typ, Data: make([]byte, rows*typ.RowBytes(cols))}
		for i := range w.Data {
			w.Data[i] = byte(i*i%59) & 0x3d // no half float beyond 1.3
		}
		for _, n := range []int{1, t} {
			b.rows(b, got[:n*rows], x[:n*cols], n, w, 0, rows, &tmp)
			for i, sum := range got[:n*rows] {
				quant.Dequantize(v, typ, w.stored(i%rows, 0, cols))
				want, size := 0.0, 0.0
				for j, a := range v {
					p := float64(a) * float64(x[i/rows*cols+j])
					want, size = want+p, size+max(p, -p)
				}
				if diff := float64(sum) - want; !(max(diff, -diff) <= 1e-5*size) {
					return false
				}
			}
		}
	}
	return true
}
