package kernels

// Rounded writes the float32 rows src [T,F] to dst.
func Rounded(dst Act, src []float32) {
	eachStrip(dst, func(be *backend, i, rows int) {
		be.ops.toTiles(dst.Strip(i), src[i*StripRows*dst.F:], dst.F, rows, dst.F, 1, dst.Prec)
	})
}

// eachStrip runs f for every strip of a on the pool, with its number and rows.
func eachStrip(a Act, f func(be *backend, i, rows int)) {
	be := active.Load()
	Parallel(a.Strips(), func(i int) { f(be, i, min(StripRows, a.T-i*StripRows)) })
}

// SetRow rounds src [F] to row t.
func (a Act) SetRow(t int, src []float32) {
	be := active.Load()
	strip := a.Strip(t / StripRows)[t%StripRows*rowWords:]
	whole := len(src) / PanelCols
	if a.Prec == BF16 && whole > 0 {
		be.lay.round(strip, src, whole, blockWords)
	} else {
		for b := range 2 * whole {
			copy(strip[b*blockWords:b*blockWords+rowWords], src[b*rowWords:])
		}
	}
	if rest := src[whole*PanelCols:]; len(rest) > 0 {
		var pad [PanelCols]float32
		copy(pad[:], rest)
		at := whole * PanelCols / a.Prec.Width() * blockWords
		if a.Prec == BF16 {
			be.lay.round(strip[at:], pad[:], 1, blockWords)
			return
		}
		copy(strip[at:at+rowWords], pad[:])
		copy(strip[at+blockWords:at+blockWords+rowWords], pad[rowWords:])
	}
}

// ClearPadding sets what lies beyond the rows and columns to zero.
func (a Act) ClearPadding() {
	if last := a.T % StripRows; last != 0 {
		clearRows(a.Strip(a.Strips()-1), last)
	}
	width := a.Prec.Width()
	unit := 2 * rowWords / width // halves of a word in a value
	for b := a.F / width; b < a.Blocks(); b++ {
		from := max(a.F-b*width, 0) * unit
		for s := range a.Strips() {
			block := halves(a.Strip(s)[b*blockWords : (b+1)*blockWords])
			for r := range StripRows {
				clear(block[r*2*rowWords+from : (r+1)*2*rowWords])
			}
		}
	}
}

// Norm computes h = x·inv·gain and xhat = x·inv, row by row, with inv [T] = 1/rms of x's rows [T,F], rms = sqrt(mean of
// squares + eps) (Zhang and Sennrich 2019, arXiv:1910.07467). xhat may be nil.
func Norm(h, xhat Act, inv, x, gain []float32, eps float32) {
	d := h.F
	eachStrip(h, func(be *backend, i, rows int) {
		lo := i * StripRows
		var hat []float32
		if !xhat.Nil() {
			hat = xhat.Strip(i)
		}
		be.ops.norm(h.Strip(i), hat, inv[lo:lo+rows], x[lo*d:(lo+rows)*d], gain, rows, d, eps, h.Prec)
	})
}

// NormGrad adds the gradient of Norm's input to dx [T,F], from dh [T,F] and what Norm left.
func NormGrad(dx, dh []float32, xhat Act, inv, gain []float32) {
	d := xhat.F
	eachStrip(xhat, func(be *backend, i, rows int) {
		lo := i * StripRows
		be.ops.normBack(dx[lo*d:(lo+rows)*d], dh[lo*d:(lo+rows)*d], xhat.Strip(i), inv[lo:lo+rows], gain, rows, d, true, xhat.Prec)
	})
}
