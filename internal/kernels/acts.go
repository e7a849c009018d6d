package kernels

import "math"

// Rounded writes the float32 rows src [T,F] to dst.
func Rounded(dst Act, src []float32) {
	parallelRange(dst.Strips(), 1, func(lo, hi int) {
		s := scratches.Get().(*scratch)
		defer scratches.Put(s)
		for i := lo; i < hi; i++ {
			rows := min(StripRows, dst.T-i*StripRows)
			packLeft(active.Load(), dst.Prec, dst.Strip(i), src[i*StripRows*dst.F:], dst.F, rows, dst.F, s)
		}
	})
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

// ClearPadding sets the rows after the last token to zero.
func (a Act) ClearPadding() {
	if a.T%StripRows == 0 {
		return
	}
	strip := a.Strip(a.Strips() - 1)
	for b := range a.Blocks() {
		clear(strip[b*blockWords+a.T%StripRows*rowWords : (b+1)*blockWords])
	}
}

// Norm computes h = x·inv·gain and xhat = x·inv, row by row, with inv [T] = 1/rms of x's rows [T,F], rms = sqrt(mean of
// squares + eps) (Zhang and Sennrich 2019, arXiv:1910.07467). xhat may be nil.
func Norm(h, xhat Act, inv, x, gain []float32, eps float32) {
	d := h.F
	be := active.Load()
	parallelRange(h.Strips(), 1, func(lo, hi int) {
		s := scratches.Get().(*scratch)
		defer scratches.Put(s)
		tmp := make([]float32, StripRows*d)
		for i := lo; i < hi; i++ {
			rows := min(StripRows, h.T-i*StripRows)
			for r := range rows {
				t := i*StripRows + r
				row := x[t*d : (t+1)*d]
				inv[t] = float32(1 / math.Sqrt(float64(be.vec.dot(row, row))/float64(d)+float64(eps)))
				for j, v := range row {
					tmp[r*d+j] = v * inv[t]
				}
			}
			if !xhat.Nil() {
				packLeft(be, h.Prec, xhat.Strip(i), tmp, d, rows, d, s)
			}
			for r := range rows {
				for j, g := range gain {
					tmp[r*d+j] *= g
				}
			}
			packLeft(be, h.Prec, h.Strip(i), tmp, d, rows, d, s)
		}
	})
}

// NormGrad adds the gradient of Norm's input to dx [T,F], from dh [T,F] and what Norm left.
func NormGrad(dx, dh []float32, xhat Act, inv, gain []float32) {
	d := xhat.F
	parallelRange(xhat.Strips(), 1, func(lo, hi int) {
		row := make([]float32, d)
		for t := lo * StripRows; t < min(xhat.T, hi*StripRows); t++ {
			mean := 0.0
			for j := range row {
				row[j] = tileAt(xhat.Strip(t/StripRows), xhat.Prec, t%StripRows, j)
				mean += float64(dh[t*d+j] * gain[j] * row[j])
			}
			mean /= float64(d)
			for j, v := range row {
				dx[t*d+j] += inv[t] * (dh[t*d+j]*gain[j] - v*float32(mean))
			}
		}
	})
}
