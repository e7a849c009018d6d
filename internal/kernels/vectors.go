package kernels

import "fmt"

// vectors is a backend's elementwise part. Slices have equal, checked lengths and may be empty.
type vectors struct {
	// expSum sets dst = exp(x-sub) and returns the sum of dst. dst may be x.
	expSum  func(dst, x []float32, sub float32) float32
	swiglu  func(dst, gate, up []float32)
	dot     func(a, b []float32) float32
	axpy    func(dst []float32, a float32, x []float32)
	scale   func(x []float32, a float32)
	maximum func(x []float32) float32 // x is not empty; a NaN in it may be overlooked
}

var vectorsGeneric = vectors{
	expSum:  expSumGeneric,
	swiglu:  swigluGeneric,
	dot:     dotGeneric,
	axpy:    axpyGeneric,
	scale:   scaleGeneric,
	maximum: maximumGeneric,
}

// grain is the number of elements per task where a long elementwise step is split.
const grain = 1 << 14

// same panics unless all lengths are n.
func same(fn string, n int, lengths ...int) {
	for _, l := range lengths {
		if l != n {
			panic(fmt.Sprintf("kernels: %s: lengths %d and %d differ", fn, n, l))
		}
	}
}

// Add computes dst += x, equal lengths.
func Add(dst, x []float32) { Axpy(dst, 1, x) }

// Axpy computes dst += a·x, equal lengths.
func Axpy(dst []float32, a float32, x []float32) {
	same("Axpy", len(dst), len(x))
	axpy := active.Load().vec.axpy
	if len(dst) <= grain {
		axpy(dst, a, x)
		return
	}
	parallelRange(len(dst), grain, func(lo, hi int) { axpy(dst[lo:hi], a, x[lo:hi]) })
}

// Scale computes x *= a.
func Scale(x []float32, a float32) { active.Load().vec.scale(x, a) }

func scaleGeneric(x []float32, a float32) {
	for i := range x {
		x[i] *= a
	}
}

func maximumGeneric(x []float32) float32 {
	top := x[0]
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	return top
}

func axpyGeneric(dst []float32, a float32, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] += float32(a * v)
	}
}

func dotGeneric(a, b []float32) float32 {
	var s [4]float32
	b = b[:len(a)]
	for len(a) >= 4 && len(b) >= 4 {
		s[0] += a[0] * b[0]
		s[1] += a[1] * b[1]
		s[2] += a[2] * b[2]
		s[3] += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s[0] += v * b[i]
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}
