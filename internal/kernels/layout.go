package kernels

import "ft/internal/quant"

// layout is what brings values into the blocks of A and B. All functions work on whole blocks; callers pad.
type layout struct {
	// transpose16 writes `count` transposes of 16×16 words: transpose i reads rows srcStride words apart from
	// src[i·srcStep] on and writes rows dstStride apart from dst[i·dstStep] on.
	transpose16 func(dst, src []float32, dstStride, srcStride, count, dstStep, srcStep int)
	// round writes src, 32·blocks values, as bfloat16: 32 values to each of dst[i·step], 16 words.
	round func(dst, src []float32, blocks, step int)
	// pairs rounds two rows of 32·blocks values and writes them interleaved, element by element: columns 0-15 of group i
	// to the 16 words from dst[i·step] on, 16-31 to those from dst[i·step+256] on.
	pairs func(dst, even, odd []float32, blocks, step int)
	// interleave turns `count` A blocks of bfloat16 [32 k][32 n] into B blocks [2][16 k pairs][16 n][2].
	interleave func(dst, src []float32, count, dstStep, srcStep int)
	// dots writes the inner product of each row of two strips, dst [32].
	dots func(dst, a, b []float32, blocks int, prec Precision)
}

var layoutGeneric = layout{
	transpose16: transpose16Generic,
	round:       roundGeneric,
	pairs:       pairsGeneric,
	interleave:  interleaveGeneric,
	dots:        rowDotsGeneric,
}

func transpose16Generic(dst, src []float32, dstStride, srcStride, count, dstStep, srcStep int) {
	for i := range count {
		d, s := dst[i*dstStep:], src[i*srcStep:]
		for r := range 16 {
			for c, v := range s[r*srcStride : r*srcStride+16] {
				d[c*dstStride+r] = v
			}
		}
	}
}

func roundGeneric(dst, src []float32, blocks, step int) {
	for i := range blocks {
		d := halves(dst[i*step : i*step+16])
		for j, v := range src[i*32 : i*32+32] {
			d[j] = quant.BF16Bits(v)
		}
	}
}

func pairsGeneric(dst, even, odd []float32, blocks, step int) {
	for i := range blocks {
		for half := range 2 {
			at := i*step + half*256
			d := halves(dst[at : at+16])
			for j := range 16 {
				d[2*j], d[2*j+1] = quant.BF16Bits(even[i*32+half*16+j]), quant.BF16Bits(odd[i*32+half*16+j])
			}
		}
	}
}

func interleaveGeneric(dst, src []float32, count, dstStep, srcStep int) {
	for i := range count {
		d, s := halves(dst[i*dstStep:i*dstStep+blockWords]), halves(src[i*srcStep:i*srcStep+blockWords])
		for k := range 32 {
			for n, v := range s[k*32 : k*32+32] {
				d[n/16*512+k/2*32+n%16*2+k%2] = v
			}
		}
	}
}

func rowDotsGeneric(dst, a, b []float32, blocks int, prec Precision) {
	for r := range dst[:StripRows] {
		var sum float32
		for i := range blocks {
			at := i*blockWords + r*rowWords
			x, y := a[at:at+rowWords], b[at:at+rowWords]
			if prec == BF16 {
				for j, h := range halves(x) {
					sum += float32(quant.BF16Value(h) * quant.BF16Value(halves(y)[j]))
				}
				continue
			}
			for j, v := range x {
				sum += float32(v * y[j])
			}
		}
		dst[r] = sum
	}
}
