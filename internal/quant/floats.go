package quant

import (
	"encoding/binary"
	"math"
)

func dequantF32(dst []float32, src []byte) {
	for ; len(dst) >= 2; dst, src = dst[2:], src[8:] {
		y, w := (*[2]float32)(dst), binary.LittleEndian.Uint64(src)
		y[0] = math.Float32frombits(uint32(w))
		y[1] = math.Float32frombits(uint32(w >> 32))
	}
	if len(dst) == 1 {
		dst[0] = math.Float32frombits(binary.LittleEndian.Uint32(src))
	}
}

func quantF32(dst []byte, src []float32) {
	dst = dst[:4*len(src)]
	for i, v := range src {
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
	}
}

func dequantF16(dst []float32, src []byte) {
	// Adding 1 to each exponent reaches a half's top bit only from the exponent of infinity and NaN.
	const exponents, ones, tops = 0x7c007c007c007c00, 0x0400040004000400, 0x8000800080008000
	for ; len(dst) >= 4; dst, src = dst[4:], src[8:] {
		y, w := (*[4]float32)(dst), binary.LittleEndian.Uint64(src)
		if (w&exponents+ones)&tops != 0 {
			y[0], y[1] = f16Value(uint16(w)), f16Value(uint16(w>>16))
			y[2], y[3] = f16Value(uint16(w>>32)), f16Value(uint16(w>>48))
			continue
		}
		y[0], y[1] = f16Finite(uint16(w)), f16Finite(uint16(w>>16))
		y[2], y[3] = f16Finite(uint16(w>>32)), f16Finite(uint16(w>>48))
	}
	for i := range dst {
		dst[i] = f16Value(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func quantF16(dst []byte, src []float32) {
	dst = dst[:2*len(src)]
	for i, v := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], f16Bits(v))
	}
}

func dequantBF16(dst []float32, src []byte) {
	const high = 0xffff0000
	for ; len(dst) >= 4; dst, src = dst[4:], src[8:] {
		y, w := (*[4]float32)(dst), binary.LittleEndian.Uint64(src)
		y[0] = math.Float32frombits(uint32(w << 16))
		y[1] = math.Float32frombits(uint32(w) & high)
		y[2] = math.Float32frombits(uint32(w>>16) & high)
		y[3] = math.Float32frombits(uint32(w>>32) & high)
	}
	for i := range dst {
		dst[i] = BF16Value(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func quantBF16(dst []byte, src []float32) {
	dst = dst[:2*len(src)]
	for i, v := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], BF16Bits(v))
	}
}

// BF16Bits rounds v to bfloat16, to nearest even; NaN stays a quiet NaN.
func BF16Bits(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + (b >> 16 & 1)) >> 16)
}

// BF16Value is the float32 that a bfloat16 stands for, exactly.
func BF16Value(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// f16Value is the float32 that the IEEE 754 half h stands for, exactly.
func f16Value(h uint16) float32 {
	if rest := uint32(h & 0x7fff); rest >= 0x7c00 { // infinity, NaN
		return math.Float32frombits(uint32(h&0x8000)<<16 | 0x7f800000 | rest<<13)
	}
	return f16Finite(h)
}

// f16Finite is f16Value for all but infinity and NaN. The bits go to their places in a float32, the sign by
// way of sign extension; the product moves the exponent from a half's bias to a float32's, for subnormals too.
func f16Finite(h uint16) float32 {
	return math.Float32frombits(uint32(int32(int16(h))<<13)&0x8fffe000) * 0x1p112
}

// f16Bits rounds v to an IEEE 754 half, to nearest even: beyond 65520 it is infinity, NaN stays a quiet NaN.
func f16Bits(v float32) uint16 {
	b := math.Float32bits(v)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00 | uint16(b>>13&0x3ff)
	case b >= 143<<23: // from 2^16
		return sign | 0x7c00
	case b >= 113<<23: // normal halves; the carry may reach infinity, which is right
		return sign | uint16((b-112<<23+0xfff+b>>13&1)>>13)
	}
	// Beside 0.5 a float32 has steps of 2^-24, those of subnormal halves: the addition does the rounding.
	return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-math.Float32bits(0.5))
}
