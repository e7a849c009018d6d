//go:build !purego

package kernels

// Columns beyond whole groups go through the same assembly, in copies filled up with zeros.

func (a blockAssembly) norm(dst, xhat, inv, x, gain []float32, rows, d int, eps float32, prec Precision) {
	t := a.tiles[prec]
	if t == nil || rows <= 0 {
		normGeneric(dst, xhat, inv, x, gain, rows, d, eps, prec)
		return
	}
	n, whole := groups(d), d/PanelCols
	dst, x, gain, inv = dst[:words(n, prec)], x[:rows*d], gain[:d], inv[:rows]
	if xhat != nil {
		xhat = xhat[:words(n, prec)]
	}
	s := blockScratches.Get()
	if whole < n {
		clear(s.gain[copy(s.gain[:], gain[whole*PanelCols:]):])
	}
	for r := range rows {
		row := x[r*d : (r+1)*d]
		var sum float32
		if whole > 0 {
			sum = a.squares(&row[0], whole)
		}
		if whole < n {
			clear(s.in[copy(s.in[:], row[whole*PanelCols:]):])
			sum += a.squares(&s.in[0], 1)
		}
		inv[r] = inverseRMS(sum, d, eps)
		if whole > 0 {
			t.normRow(&dst[r*16], optional(from(xhat, r*16)), &row[0], &gain[0], whole, inv[r])
		}
		if whole < n {
			at := words(whole, prec) + r*16
			t.normRow(&dst[at], optional(from(xhat, at)), &s.in[0], &s.gain[0], 1, inv[r])
		}
	}
	blockScratches.Put(s)
	clearRows(dst, rows)
	if xhat != nil {
		clearRows(xhat, rows)
	}
}

// from is tiles from word at on, nil if there are none.
func from(tiles []float32, at int) []float32 {
	if tiles == nil {
		return nil
	}
	return tiles[at:]
}

func (a blockAssembly) normBack(dx, dh, xhat, inv, gain []float32, rows, d int, add bool, prec Precision) {
	t := a.tiles[prec]
	if t == nil || rows <= 0 {
		normBackGeneric(dx, dh, xhat, inv, gain, rows, d, add, prec)
		return
	}
	n, whole := groups(d), d/PanelCols
	dx, dh, xhat, inv, gain = dx[:rows*d], dh[:rows*d], xhat[:words(n, prec)], inv[:rows], gain[:d]
	s := blockScratches.Get()
	if whole < n {
		clear(s.gain[copy(s.gain[:], gain[whole*PanelCols:]):])
	}
	for r := range rows {
		out, in := dx[r*d:(r+1)*d], dh[r*d:(r+1)*d]
		edge := words(whole, prec) + r*16
		var sum float32
		if whole > 0 {
			sum = t.normBackSum(&in[0], &gain[0], &xhat[r*16], whole)
		}
		if whole < n {
			clear(s.in[copy(s.in[:], in[whole*PanelCols:]):])
			sum += t.normBackSum(&s.in[0], &s.gain[0], &xhat[edge], 1)
		}
		mean := sum / float32(d)
		if whole > 0 {
			t.normBackRow(&out[0], &in[0], &gain[0], &xhat[r*16], whole, inv[r], mean, add)
		}
		if whole < n {
			copy(s.out[:], out[whole*PanelCols:])
			t.normBackRow(&s.out[0], &s.in[0], &s.gain[0], &xhat[edge], 1, inv[r], mean, add)
			copy(out[whole*PanelCols:], s.out[:])
		}
	}
	blockScratches.Put(s)
}

func (a blockAssembly) toTiles(dst, src []float32, ld, rows, cols int, alpha float32, prec Precision) {
	t := a.tiles[prec]
	if t == nil || rows <= 0 || cols <= 0 {
		toTilesGeneric(dst, src, ld, rows, cols, alpha, prec)
		return
	}
	n, whole := groups(cols), cols/PanelCols
	dst, src = dst[:words(n, prec)], src[:(rows-1)*ld+cols]
	if whole > 0 {
		t.pack(&dst[0], &src[0], ld, rows, whole, alpha)
	}
	if whole < n {
		s := blockScratches.Get()
		for r := range rows {
			clear(s.in[copy(s.in[:], src[r*ld+whole*PanelCols:r*ld+cols]):])
			t.pack(&dst[words(whole, prec)+r*16], &s.in[0], 0, 1, 1, alpha)
		}
		blockScratches.Put(s)
	}
	clearRows(dst, rows)
}

func (a blockAssembly) ropeAny(x []float32, heads, half int, cos, sin []float32, inverse bool) {
	if heads <= 0 || half == 0 || half%lanes != 0 {
		ropeGeneric(x, heads, half, cos, sin, inverse)
		return
	}
	x, cos, sin = x[:2*heads*half], cos[:half], sin[:half]
	var sign uint32
	if inverse {
		sign = 1 << 31
	}
	a.rope(&x[0], heads, half, &cos[0], &sin[0], sign)
}

func (a blockAssembly) dropTiles(dst, src []float32, keys []uint64, cols int, prob float32, prec Precision) {
	t := a.tiles[prec]
	limit := dropLimit(prob)
	// A limit of 65,536, which drops everything, is no 16-bit number.
	if t == nil || t.drop == nil || len(keys) == 0 || cols <= 0 || limit > 0xffff {
		dropTilesGeneric(dst, src, keys, cols, prob, prec)
		return
	}
	n := groups(cols)
	dst, src = dst[:words(n, prec)], src[:words(n, prec)]
	t.drop(&dst[0], &src[0], &keys[0], len(keys), n, limit, 1/(1-prob))
	clearRows(dst, len(keys))
}

func (a blockAssembly) dropAddAny(dst []float32, ld int, src []float32, rowStep, groupStep int, keys []uint64, cols int, prob float32) {
	limit, whole := dropLimit(prob), cols/PanelCols
	if a.dropAdd == nil || len(keys) == 0 || whole == 0 || limit > 0xffff {
		dropAddGeneric(dst, ld, src, rowStep, groupStep, keys, cols, prob)
		return
	}
	last := len(keys) - 1
	dst = dst[:last*ld+cols]
	src = src[:last*rowStep+(groups(cols)-1)*groupStep+cols-(groups(cols)-1)*PanelCols]
	a.dropAdd(&dst[0], ld, &src[0], rowStep, groupStep, &keys[0], len(keys), whole, limit, 1/(1-prob))
	if whole*PanelCols == cols {
		return
	}
	for r, key := range keys {
		dropAddRow(dst[r*ld+whole*PanelCols:r*ld+cols], src[r*rowStep+whole*groupStep:], groupStep, key, whole, prob)
	}
}
