package kernels

import (
	"math"
	"unsafe"
)

// Sizes of the blocks that products are made of.
const (
	blockWords = 512     // float32 words in a block of A or B
	resultSize = 32 * 32 // float32 words in a block of C
)

// halves is words as bfloat16 values, two a word, in memory order.
func halves(words []float32) []uint16 {
	if len(words) == 0 {
		return nil
	}
	return unsafe.Slice((*uint16)(unsafe.Pointer(&words[0])), 2*len(words))
}

// fromBF16 is the value of a bfloat16.
func fromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// stripBF16Generic is the strip kernel for bfloat16, the specification of the assembly.
func stripBF16Generic(c, a, b []float32, blocks, panels, stride int, add bool) {
	for p := range panels {
		cp := c[p*resultSize : (p+1)*resultSize]
		if !add {
			clear(cp)
		}
		for i := range blocks {
			ab, bb := halves(a[i*blockWords:(i+1)*blockWords]), halves(b[p*stride+i*blockWords:p*stride+(i+1)*blockWords])
			for r := range 32 {
				for n := range 32 {
					col := bb[n/16*512+n%16*2:]
					sum := cp[r*32+n]
					for k := 0; k < 32; k += 2 {
						sum += float32(fromBF16(ab[r*32+k]) * fromBF16(col[k*16]))
						sum += float32(fromBF16(ab[r*32+k+1]) * fromBF16(col[k*16+1]))
					}
					cp[r*32+n] = sum
				}
			}
		}
	}
}
