package quant

import (
	"encoding/binary"
	"math"
)

// The formats of 32 values a block. A block opens with its scale d as a half (and its minimum m in the _1
// formats); nibbles hold value i low and value i+16 high; the 5-bit formats keep the fifth bits in one word.

func half(b *[2]byte) float32 { return f16Value(uint16(b[0]) | uint16(b[1])<<8) }

func putHalf(b []byte, v float32) { binary.LittleEndian.PutUint16(b, f16Bits(v)) }

func dequantQ4_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[18:] {
		y, b := (*[32]float32)(dst), (*[18]byte)(src)
		d := half((*[2]byte)(b[:]))
		for i, q := range b[2:] {
			y[i] = d * float32(int32(q&15)-8)
			y[i+16] = d * float32(int32(q>>4)-8)
		}
	}
}

func dequantQ4_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[20:] {
		y, b := (*[32]float32)(dst), (*[20]byte)(src)
		d, m := half((*[2]byte)(b[:])), half((*[2]byte)(b[2:]))
		for i, q := range b[4:] {
			y[i] = float32(d*float32(int32(q&15))) + m
			y[i+16] = float32(d*float32(int32(q>>4))) + m
		}
	}
}

func dequantQ5_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[22:] {
		y, b := (*[32]float32)(dst), (*[22]byte)(src)
		d, h := half((*[2]byte)(b[:])), binary.LittleEndian.Uint32(b[2:])
		for i, q := range b[6:] {
			y[i] = d * float32(int32(uint32(q&15)|h<<4&16)-16)
			y[i+16] = d * float32(int32(uint32(q>>4)|h>>12&16)-16)
			h >>= 1
		}
	}
}

func dequantQ5_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[24:] {
		y, b := (*[32]float32)(dst), (*[24]byte)(src)
		d, m := half((*[2]byte)(b[:])), half((*[2]byte)(b[2:]))
		h := binary.LittleEndian.Uint32(b[4:])
		for i, q := range b[8:] {
			y[i] = float32(d*float32(int32(uint32(q&15)|h<<4&16))) + m
			y[i+16] = float32(d*float32(int32(uint32(q>>4)|h>>12&16))) + m
			h >>= 1
		}
	}
}

func dequantQ8_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[34:] {
		y, b := (*[32]float32)(dst), (*[34]byte)(src)
		d := half((*[2]byte)(b[:]))
		for i, q := range b[2:] {
			y[i] = d * float32(int8(q))
		}
	}
}

func quantQ4_0(dst []byte, src []float32) {
	var q [32]byte
	for ; len(src) > 0; dst, src = dst[18:], src[32:] {
		d := signedScale(&q, (*[32]float32)(src), 8)
		b := dst[:18]
		putHalf(b, d)
		putNibbles(b[2:], &q)
	}
}

func quantQ5_0(dst []byte, src []float32) {
	var q [32]byte
	for ; len(src) > 0; dst, src = dst[22:], src[32:] {
		d := signedScale(&q, (*[32]float32)(src), 16)
		b := dst[:22]
		putHalf(b, d)
		binary.LittleEndian.PutUint32(b[2:], fifthBits(&q))
		putNibbles(b[6:], &q)
	}
}

func quantQ4_1(dst []byte, src []float32) {
	var q [32]byte
	for ; len(src) > 0; dst, src = dst[20:], src[32:] {
		d, m := spanScale(&q, (*[32]float32)(src), 15)
		b := dst[:20]
		putHalf(b, d)
		putHalf(b[2:], m)
		putNibbles(b[4:], &q)
	}
}

func quantQ5_1(dst []byte, src []float32) {
	var q [32]byte
	for ; len(src) > 0; dst, src = dst[24:], src[32:] {
		d, m := spanScale(&q, (*[32]float32)(src), 31)
		b := dst[:24]
		putHalf(b, d)
		putHalf(b[2:], m)
		binary.LittleEndian.PutUint32(b[4:], fifthBits(&q))
		putNibbles(b[8:], &q)
	}
}

func quantQ8_0(dst []byte, src []float32) {
	for ; len(src) > 0; dst, src = dst[34:], src[32:] {
		x, b := (*[32]float32)(src), (*[34]byte)(dst)
		var top float32
		for _, v := range x {
			top = max(top, float32(math.Abs(float64(v))))
		}
		d := top / 127
		id := inverse(d)
		putHalf(b[:], d)
		for i, v := range x {
			b[2+i] = byte(int8(math.Round(float64(v * id))))
		}
	}
}

// signedScale quantises a block to 0 … 2*mid-1 around mid: the value of the largest magnitude, the first of
// equals, lands on 0. It gives the scale.
func signedScale(q *[32]byte, x *[32]float32, mid float32) float32 {
	top, magnitude := x[0], float32(math.Abs(float64(x[0])))
	for _, v := range x[1:] {
		if a := float32(math.Abs(float64(v))); a > magnitude {
			top, magnitude = v, a
		}
	}
	d := top / -mid
	id := inverse(d)
	for i, v := range x {
		s := float32(v*id) + (mid + 0.5)
		q[i] = byte(min(int32(s), int32(2*mid)-1))
	}
	return d
}

// spanScale quantises a block to 0 … top between its least and its greatest value. It gives the scale
// and the least value.
func spanScale(q *[32]byte, x *[32]float32, top float32) (d, least float32) {
	least, most := x[0], x[0]
	for _, v := range x[1:] {
		// Not min and max, which tell zeros apart: of equals the first stays.
		if v < least {
			least = v
		}
		if v > most {
			most = v
		}
	}
	d = (most - least) / top
	id := inverse(d)
	for i, v := range x {
		s := float32((v-least)*id) + 0.5
		q[i] = byte(min(int32(s), int32(top)))
	}
	return d, least
}

func inverse(d float32) float32 {
	if d == 0 {
		return 0
	}
	return 1 / d
}

func putNibbles(b []byte, q *[32]byte) {
	for i := range 16 {
		b[i] = q[i]&15 | q[i+16]<<4
	}
}

func fifthBits(q *[32]byte) (h uint32) {
	for i, v := range q {
		h |= uint32(v>>4&1) << i
	}
	return h
}
