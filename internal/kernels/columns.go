package kernels

import "math"

// ScaleColumns computes dst = src with column f multiplied by by[f]. Both are [T,F] of one precision; dst may be src.
func ScaleColumns(dst, src Act, by []float32) {
	same("ScaleColumns", src.F, dst.F, len(by))
	same("ScaleColumns", src.T, dst.T)
	if rest := src.F % PanelCols; rest != 0 { // padding stays zero
		by = append(append(make([]float32, 0, src.F+PanelCols-rest), by...), make([]float32, PanelCols-rest)...)
	}
	be := active.Load()
	Parallel(src.Strips(), func(i int) {
		if src.Prec == F32 {
			scaleStrip(dst.Strip(i), src.Strip(i), by)
		} else {
			scaleHalves(be, dst.Strip(i), src.Strip(i), by)
		}
	})
}

// scaleStrip is ScaleColumns for a strip of float32.
func scaleStrip(dst, src, by []float32) {
	for at := 0; at < len(src); at += blockWords {
		v := by[at/StripRows:][:rowWords]
		for r := at; r < at+blockWords; r += rowWords {
			out := dst[r : r+rowWords]
			for i, x := range src[r : r+rowWords] {
				out[i] = x * v[i]
			}
		}
	}
}

// scaleHalves is ScaleColumns for a strip of bfloat16.
func scaleHalves(be *backend, dst, src, by []float32) {
	s := scratches.Get()
	defer scratches.Put(s)
	s.rows = Grow(s.rows, len(by))
	for r := 0; r < blockWords; r += rowWords {
		for n := range len(by) / PanelCols {
			out, v := s.rows[n*PanelCols:][:PanelCols], by[n*PanelCols:][:PanelCols]
			for i, w := range src[n*blockWords+r:][:rowWords] {
				even, odd := twoHalves(w)
				out[2*i], out[2*i+1] = even*v[2*i], odd*v[2*i+1]
			}
		}
		be.lay.round(dst[r:], s.rows, len(by)/PanelCols, blockWords)
	}
}

// twoHalves are the two values of bfloat16 in a word.
func twoHalves(w float32) (even, odd float32) {
	b := math.Float32bits(w)
	return math.Float32frombits(b << 16), math.Float32frombits(b &^ 0xffff)
}

// ColumnSums adds the sum of each of a's columns to dst [F].
func ColumnSums(dst []float32, a Act) {
	same("ColumnSums", a.F, len(dst))
	per := PanelCols / a.Prec.Width() * blockWords
	sumColumns(dst, nil, a.T, func(sum *group, n, strip, rows int) {
		dotTiles(sum, a.Strip(strip)[n*per:(n+1)*per], ones[a.Prec][:], rows, a.Prec)
	})
}

// ColumnSumsRows is ColumnSums for float32 rows x [T,F].
func ColumnSumsRows(dst, x []float32) {
	d := len(dst)
	sumColumns(dst, nil, len(x)/d, func(sum *group, n, strip, rows int) {
		for r := range rows {
			at := (strip*StripRows + r) * d
			for i, y := range x[at+n*PanelCols : at+min(d, (n+1)*PanelCols)] {
				sum[i] += y
			}
		}
	})
}

// ColumnDots adds the inner product of each of a's and b's columns [T,F], times factors [F] unless they are nil, to dst [F].
func ColumnDots(dst, factors []float32, a, b Act) {
	same("ColumnDots", a.F, len(dst), b.F)
	same("ColumnDots", a.T, b.T)
	per := PanelCols / a.Prec.Width() * blockWords
	sumColumns(dst, factors, a.T, func(sum *group, n, strip, rows int) {
		dotTiles(sum, a.Strip(strip)[n*per:(n+1)*per], b.Strip(strip)[n*per:(n+1)*per], rows, a.Prec)
	})
}

// ones are 32 columns of tiles full of ones, by Precision.
var ones = func() (tiles [2][2 * blockWords]float32) {
	for i := range tiles[F32] {
		tiles[F32][i] = 1
		tiles[BF16][i] = math.Float32frombits(0x3f803f80)
	}
	return tiles
}()

// dotTiles adds the products of the first rows of 32 columns of tiles to sum.
func dotTiles(sum *group, a, b []float32, rows int, prec Precision) {
	if prec == BF16 {
		dotHalves(sum, a, b, rows)
		return
	}
	dotBlock(sum[:rowWords], a, b, rows)
	dotBlock(sum[rowWords:], a[blockWords:], b[blockWords:], rows)
}

// dotBlock adds the products of the first rows of two blocks of float32 to sum [16].
func dotBlock(sum, a, b []float32, rows int) {
	sum = sum[:rowWords]
	for r := 0; r < rows*rowWords; r += rowWords {
		y := b[r : r+rowWords]
		for i, x := range a[r : r+rowWords] {
			sum[i] += float32(x * y[i])
		}
	}
}

// dotHalves is dotBlock for blocks of bfloat16.
func dotHalves(sum *group, a, b []float32, rows int) {
	for r := 0; r < rows*rowWords; r += rowWords {
		y := b[r : r+rowWords]
		for i, w := range a[r : r+rowWords] {
			e, o := twoHalves(w)
			f, p := twoHalves(y[i])
			sum[2*i] += float32(e * f)
			sum[2*i+1] += float32(o * p)
		}
	}
}

// ColumnDotsRows is ColumnDots for float32 rows x [T,F].
func ColumnDotsRows(dst, x []float32, a Act) {
	same("ColumnDotsRows", a.F, len(dst))
	same("ColumnDotsRows", a.T*a.F, len(x))
	sumColumns(dst, nil, a.T, func(sum *group, n, strip, rows int) {
		var v group
		for r := range rows {
			v.read(a.Strip(strip), n, r, a.Prec)
			at := (strip*StripRows + r) * a.F
			for i, y := range x[at+n*PanelCols : at+min(a.F, (n+1)*PanelCols)] {
				sum[i] += float32(v[i] * y)
			}
		}
	})
}

// sumColumns adds factors times the sum over rows 0 to t-1 of what add gives for them to dst: 32 columns, n, to a task, and the
// first rows of one strip to a call. Strips' sums are added up, so that the error does not grow with t as it would in one chain.
func sumColumns(dst, factors []float32, t int, add func(sum *group, n, strip, rows int)) {
	Parallel(groups(len(dst)), func(n int) {
		var total group
		for strip := 0; strip*StripRows < t; strip++ {
			var sum group
			add(&sum, n, strip, min(StripRows, t-strip*StripRows))
			for i, x := range sum {
				total[i] += x
			}
		}
		for i, x := range total[:min(PanelCols, len(dst)-n*PanelCols)] {
			if factors != nil {
				x *= factors[n*PanelCols+i]
			}
			dst[n*PanelCols+i] += x
		}
	})
}
