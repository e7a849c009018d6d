//go:build !purego

package kernels

import (
	"math"

	"ft/internal/stash"
)

// assemblyVectors is one instruction set's elementwise assembly. n is a positive multiple of 16.
type assemblyVectors struct {
	expSum  func(dst, x *float32, n int, sub float32) (sum float32)
	swiglu  func(dst, gate, up *float32, n int)
	dot     func(a, b *float32, n int) (sum float32)
	axpy    func(dst, x *float32, n int, a float32)
	scale   func(x *float32, n int, a float32)
	maximum func(tops, x *float32, n int)
}

// lanes is what lengths are padded to: the tail of a slice goes through the same instructions as the rest,
// in copies, so that a value does not depend on its index.
const lanes = 16

type pad [3][lanes]float32

var pads stash.Stash[pad]

// vectors wraps the assembly in functions for any length.
func (v assemblyVectors) vectors() vectors {
	return vectors{
		expSum:  v.expSumAny,
		swiglu:  v.swigluAny,
		dot:     v.dotAny,
		axpy:    v.axpyAny,
		scale:   v.scaleAny,
		maximum: v.maximumAny,
	}
}

func (v assemblyVectors) expSumAny(dst, x []float32, sub float32) float32 {
	const piece = 4096 // float32 sums of this many, in lanes, and a float64 sum of those
	total := 0.0
	for len(x) >= lanes {
		n := min(piece, len(x)&^(lanes-1))
		total += float64(v.expSum(&dst[0], &x[0], n, sub))
		dst, x = dst[n:], x[n:]
	}
	if len(x) > 0 {
		p := pads.Get()
		for i := copy(p[0][:], x); i < lanes; i++ {
			p[0][i] = float32(math.Inf(-1)) // adds exp(-Inf) = 0
		}
		total += float64(v.expSum(&p[1][0], &p[0][0], lanes, sub))
		copy(dst, p[1][:len(x)])
		pads.Put(p)
	}
	return float32(total)
}

func (v assemblyVectors) swigluAny(dst, gate, up []float32) {
	n := len(dst) &^ (lanes - 1)
	if n > 0 {
		v.swiglu(&dst[0], &gate[0], &up[0], n)
	}
	if n < len(dst) {
		p := pads.Get()
		copy(p[0][:], gate[n:])
		copy(p[1][:], up[n:])
		v.swiglu(&p[2][0], &p[0][0], &p[1][0], lanes)
		copy(dst[n:], p[2][:])
		pads.Put(p)
	}
}

func (v assemblyVectors) dotAny(a, b []float32) float32 {
	var s float32
	n := len(a) &^ (lanes - 1)
	if n > 0 {
		s = v.dot(&a[0], &b[0], n)
	}
	if n < len(a) {
		p := pads.Get()
		clear(p[0][copy(p[0][:], a[n:]):])
		clear(p[1][copy(p[1][:], b[n:]):])
		s += v.dot(&p[0][0], &p[1][0], lanes)
		pads.Put(p)
	}
	return s
}

func (v assemblyVectors) axpyAny(dst []float32, a float32, x []float32) {
	n := len(dst) &^ (lanes - 1)
	if n > 0 {
		v.axpy(&dst[0], &x[0], n, a)
	}
	if n < len(dst) {
		p := pads.Get()
		copy(p[0][:], dst[n:])
		copy(p[1][:], x[n:])
		v.axpy(&p[0][0], &p[1][0], lanes, a)
		copy(dst[n:], p[0][:])
		pads.Put(p)
	}
}

func (v assemblyVectors) scaleAny(x []float32, a float32) {
	n := len(x) &^ (lanes - 1)
	if n > 0 {
		v.scale(&x[0], n, a)
	}
	scaleGeneric(x[n:], a) // one exact rounding either way
}

func (v assemblyVectors) maximumAny(x []float32) float32 {
	n := len(x) &^ (lanes - 1)
	if n == 0 {
		return maximumGeneric(x)
	}
	p := pads.Get()
	v.maximum(&p[0][0], &x[0], n)
	top := maximumGeneric(p[0][:])
	pads.Put(p)
	if n < len(x) {
		top = max(top, maximumGeneric(x[n:]))
	}
	return top
}
