package quant

// The K formats: 256 values a block in 8 or 16 groups. A group's scale (and minimum) are small integers,
// multiples of the block's d (and dmin). Bits of a value lie in planes: low bits in qs or ql, high bits in
// qh or hmask, one byte of a plane serving values that are 32 apart.

func dequantQ2_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[84:] {
		y, b := (*[256]float32)(dst), (*[84]byte)(src)
		d, dmin := half((*[2]byte)(b[80:])), half((*[2]byte)(b[82:]))
		for g := range 16 { // group g: values 16g … 16g+15
			scale := d * float32(int32(b[g]&15))
			least := dmin * float32(int32(b[g]>>4))
			q := (*[16]byte)(b[16+32*(g>>3)+16*(g&1):])
			shift := uint(g & 6)
			v := (*[16]float32)(y[16*g:])
			for i, p := range q {
				v[i] = float32(scale*float32(int32(p)>>shift&3)) - least
			}
		}
	}
}

func dequantQ3_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[110:] {
		y, b := (*[256]float32)(dst), (*[110]byte)(src)
		d, scales := half((*[2]byte)(b[108:])), (*[12]byte)(b[96:])
		for p := range 4 { // 16 bytes of qs: groups g, g+2, g+4, g+6, planes g>>1 … of hmask
			g := p&1 + p>>1*8
			s0, s1 := d*float32(scaleQ3(scales, g)), d*float32(scaleQ3(scales, g+2))
			s2, s3 := d*float32(scaleQ3(scales, g+4)), d*float32(scaleQ3(scales, g+6))
			high, plane := (*[16]byte)(b[16*(p&1):]), uint(g>>1)
			v := (*[112]float32)(y[16*g:])
			for i, q := range (*[16]byte)(b[32+16*p:]) {
				h := int32(high[i]) >> plane << 2
				v[i] = s0 * float32(int32(q&3)+h&4-4)
				v[i+32] = s1 * float32(int32(q>>2&3)+h>>1&4-4)
				v[i+64] = s2 * float32(int32(q>>4&3)+h>>2&4-4)
				v[i+96] = s3 * float32(int32(q>>6)+h>>3&4-4)
			}
		}
	}
}

// scaleQ3 is the 6-bit scale of group g, -32 … 31: four low bits in bytes 0 … 7, two high bits in 8 … 11.
func scaleQ3(s *[12]byte, g int) int32 {
	low := s[g&7] >> (g >> 3 * 4) & 15
	high := s[8+g&3] >> (g >> 2 * 2) & 3
	return int32(low|high<<4) - 32
}

func dequantQ4_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[144:] {
		y, b := (*[256]float32)(dst), (*[144]byte)(src)
		d, dmin := half((*[2]byte)(b[:])), half((*[2]byte)(b[2:]))
		for g := 0; g < 8; g += 2 { // groups g and g+1: 64 values from 32 bytes
			s0, m0 := scaleMin((*[12]byte)(b[4:]), g)
			s1, m1 := scaleMin((*[12]byte)(b[4:]), g+1)
			d0, d1, l0, l1 := d*s0, d*s1, dmin*m0, dmin*m1
			q := (*[32]byte)(b[16+16*g:])
			v := (*[64]float32)(y[32*g:])
			for i, p := range q {
				v[i] = float32(d0*float32(int32(p&15))) - l0
				v[i+32] = float32(d1*float32(int32(p>>4))) - l1
			}
		}
	}
}

func dequantQ5_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[176:] {
		y, b := (*[256]float32)(dst), (*[176]byte)(src)
		d, dmin := half((*[2]byte)(b[:])), half((*[2]byte)(b[2:]))
		high := (*[32]byte)(b[16:])
		for g := 0; g < 8; g += 2 {
			s0, m0 := scaleMin((*[12]byte)(b[4:]), g)
			s1, m1 := scaleMin((*[12]byte)(b[4:]), g+1)
			d0, d1, l0, l1 := d*s0, d*s1, dmin*m0, dmin*m1
			q := (*[32]byte)(b[48+16*g:])
			v := (*[64]float32)(y[32*g:])
			for i, p := range q {
				h := high[i] >> g
				v[i] = float32(d0*float32(int32(p&15|h&1<<4))) - l0
				v[i+32] = float32(d1*float32(int32(p>>4|h&2<<3))) - l1
			}
		}
	}
}

// scaleMin is the 6-bit scale and minimum of group g in Q4_K and Q5_K. Groups 0 … 3 have them plain in bytes
// g and g+4; groups 4 … 7 have four bits of each in byte g+4 and two in the tops of bytes g-4 and g.
func scaleMin(s *[12]byte, g int) (scale, least float32) {
	if g < 4 {
		return float32(int32(s[g] & 63)), float32(int32(s[g+4] & 63))
	}
	return float32(int32(s[g+4]&15 | s[g-4]>>6<<4)), float32(int32(s[g+4]>>4 | s[g]>>6<<4))
}

func dequantQ6_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[210:] {
		y, b := (*[256]float32)(dst), (*[210]byte)(src)
		d, scales := half((*[2]byte)(b[208:])), (*[16]byte)(b[192:])
		for p := range 4 { // 16 bytes of qh, twice 16 of ql: groups g, g+2, g+4, g+6
			g := p&1 + p>>1*8
			s0, s1 := d*float32(int8(scales[g])), d*float32(int8(scales[g+2]))
			s2, s3 := d*float32(int8(scales[g+4])), d*float32(int8(scales[g+6]))
			low := (*[48]byte)(b[64*(p>>1)+16*(p&1):])
			v := (*[112]float32)(y[16*g:])
			for i, h := range (*[16]byte)(b[128+16*p:]) {
				q, r := low[i], low[i+32]
				v[i] = s0 * float32(int32(q&15|h&3<<4)-32)
				v[i+32] = s1 * float32(int32(r&15|h&12<<2)-32)
				v[i+64] = s2 * float32(int32(q>>4|h&48)-32)
				v[i+96] = s3 * float32(int32(r>>4|h>>6<<4)-32)
			}
		}
	}
}
