package kernels

import "ft/internal/quant"

// stripFunc is the micro-kernel of every product: C[panels][32][32] = A·B, or C + A·B if add. a is a strip of
// `blocks` blocks; panel p of B starts at b[p·stride] and has as many. Each element is the sum over k in ascending
// order (with BF16, of pairs), so it depends on its own row and column alone.
//
// Only the first `rows` rows of C are wanted; what is in the others afterwards is unspecified. Columns of the last panel from
// `cols` on are zero in B, and a kernel may take that for granted: they become zero, or stay if add.
type stripFunc func(c, a, b []float32, blocks, panels, stride, rows, cols int, add bool)

// stripGeneric is stripFunc for F32, two rows and four columns at a time. The conversions keep the compiler from fusing
// a multiplication and an addition in one place and not in another.
func stripGeneric(c, a, b []float32, blocks, panels, stride, rows, _ int, add bool) {
	for p := range panels {
		cp, bp := c[p*resultSize:(p+1)*resultSize], b[p*stride:p*stride+blocks*blockWords]
		if !add {
			clear(cp)
		}
		for i := range blocks {
			blockGeneric(cp, a[i*blockWords:(i+1)*blockWords], bp[i*blockWords:(i+1)*blockWords], rows)
		}
	}
}

// blockGeneric adds the product of one block of A [32][16] and one of B [16][32] to C [32][32], the first rows of it.
func blockGeneric(c, a, b []float32, rows int) {
	for r := 0; r < rows; r += 2 {
		x, y := a[r*16:r*16+16], a[r*16+16:r*16+32]
		for j := 0; j < PanelCols; j += 4 {
			u, v := c[r*32+j:r*32+j+4], c[r*32+32+j:r*32+32+j+4]
			u0, u1, u2, u3 := u[0], u[1], u[2], u[3]
			v0, v1, v2, v3 := v[0], v[1], v[2], v[3]
			for k, xk := range x {
				w, yk := b[k*32+j:k*32+j+4], y[k]
				u0 += float32(xk * w[0])
				u1 += float32(xk * w[1])
				u2 += float32(xk * w[2])
				u3 += float32(xk * w[3])
				v0 += float32(yk * w[0])
				v1 += float32(yk * w[1])
				v2 += float32(yk * w[2])
				v3 += float32(yk * w[3])
			}
			u[0], u[1], u[2], u[3] = u0, u1, u2, u3
			v[0], v[1], v[2], v[3] = v0, v1, v2, v3
		}
	}
}

// stripBF16Generic is stripFunc for BF16, the specification of the assembly: what stripGeneric makes of the values.
func stripBF16Generic(c, a, b []float32, blocks, panels, stride, rows, _ int, add bool) {
	var left, right [2 * blockWords]float32 // a block's values as two blocks of float32
	for p := range panels {
		cp := c[p*resultSize : (p+1)*resultSize]
		if !add {
			clear(cp)
		}
		for i := range blocks {
			for at, h := range halves(a[i*blockWords : (i+1)*blockWords]) {
				row, k := at/32, at%32
				left[k/16*blockWords+row*16+k%16] = quant.BF16Value(h)
			}
			for at, h := range halves(b[p*stride+i*blockWords : p*stride+(i+1)*blockWords]) {
				n, k := at/512*16+at/2%16, at/32%16*2+at%2
				right[k*PanelCols+n] = quant.BF16Value(h)
			}
			blockGeneric(cp, left[:blockWords], right[:blockWords], rows)
			blockGeneric(cp, left[blockWords:], right[blockWords:], rows)
		}
	}
}
