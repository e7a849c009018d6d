package kernels

import "ft/internal/quant"

// generic is plain Go: the specification of the other backends, and what runs where there is no assembly.
var generic = backend{
	name: "generic", mr: 4, nr: 4, group: 4,
	tile:       tileGeneric,
	transpose:  transposeGeneric,
	dequantize: quant.Dequantize,
	prefetch:   func([]byte) {},
	vec:        vectorsGeneric,
	ops:        blockOpsGeneric,
}

// tileGeneric does two rows at a time and then the odd one. The conversions keep the compiler from fusing
// a multiplication and an addition in one place and not in the other.
func tileGeneric(t *tile) {
	r := 0
	for ; r+2 <= t.rows; r += 2 {
		twoRows(t, r)
	}
	if r < t.rows {
		oneRow(t, r)
	}
}

func twoRows(t *tile, r int) {
	var c0, c1, c2, c3, d0, d1, d2, d3 float32
	a, b := t.a[r*t.rowStep:], t.b
	for i := 0; len(b) >= 4; i += t.kStep {
		x, y := a[i], a[i+t.rowStep]
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		c0 += float32(x * b0)
		c1 += float32(x * b1)
		c2 += float32(x * b2)
		c3 += float32(x * b3)
		d0 += float32(y * b0)
		d1 += float32(y * b1)
		d2 += float32(y * b2)
		d3 += float32(y * b3)
		b = b[4:]
	}
	storeRow(t, r, c0, c1, c2, c3)
	storeRow(t, r+1, d0, d1, d2, d3)
}

func oneRow(t *tile, r int) {
	var c0, c1, c2, c3 float32
	a, b := t.a[r*t.rowStep:], t.b
	for i := 0; len(b) >= 4; i += t.kStep {
		x := a[i]
		c0 += float32(x * b[0])
		c1 += float32(x * b[1])
		c2 += float32(x * b[2])
		c3 += float32(x * b[3])
		b = b[4:]
	}
	storeRow(t, r, c0, c1, c2, c3)
}

func storeRow(t *tile, r int, c0, c1, c2, c3 float32) {
	c := t.c[r*t.ldc : r*t.ldc+4]
	c0, c1, c2, c3 = float32(t.alpha*c0), float32(t.alpha*c1), float32(t.alpha*c2), float32(t.alpha*c3)
	if t.add {
		c0, c1, c2, c3 = c[0]+c0, c[1]+c1, c[2]+c2, c[3]+c3
	}
	c[0], c[1], c[2], c[3] = c0, c1, c2, c3
}

// transposeGeneric serves panels of width generic.nr.
func transposeGeneric(dst, src []float32, ld, k int) {
	r0, r1, r2, r3 := src[:k], src[ld:ld+k], src[2*ld:2*ld+k], src[3*ld:3*ld+k]
	for i, v := range r0 {
		d := dst[4*i : 4*i+4]
		d[0], d[1], d[2], d[3] = v, r1[i], r2[i], r3[i]
	}
}
