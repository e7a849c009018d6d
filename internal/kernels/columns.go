package kernels

// ScaleColumns computes dst = src with column f multiplied by by[f]. Both are [T,F] of one precision; dst may be src.
func ScaleColumns(dst, src Act, by []float32) {
	same("ScaleColumns", src.F, dst.F, len(by))
	same("ScaleColumns", src.T, dst.T)
	Parallel(src.Strips(), func(s int) {
		var v group
		from, to := src.Strip(s), dst.Strip(s)
		for n := range groups(src.F) {
			scale := by[n*PanelCols : min(src.F, (n+1)*PanelCols)]
			for r := range StripRows {
				v.read(from, n, r, src.Prec)
				for i, f := range scale {
					v[i] *= f
				}
				v.write(to, n, r, dst.Prec)
			}
		}
	})
}

// ColumnSums adds the sum of each of a's columns to dst [F].
func ColumnSums(dst []float32, a Act) {
	same("ColumnSums", a.F, len(dst))
	sumColumns(dst, nil, a.T, func(v *group, t, n int) {
		v.read(a.Strip(t/StripRows), n, t%StripRows, a.Prec)
	})
}

// ColumnSumsRows is ColumnSums for float32 rows x [T,F].
func ColumnSumsRows(dst, x []float32) {
	d := len(dst)
	sumColumns(dst, nil, len(x)/d, func(v *group, t, n int) {
		*v = group{}
		copy(v[:], x[t*d+n*PanelCols:t*d+min(d, (n+1)*PanelCols)])
	})
}

// ColumnDots adds the inner product of each of a's and b's columns [T,F], times factors [F] unless they are nil, to dst [F].
func ColumnDots(dst, factors []float32, a, b Act) {
	same("ColumnDots", a.F, len(dst), b.F)
	same("ColumnDots", a.T, b.T)
	sumColumns(dst, factors, a.T, func(v *group, t, n int) {
		var w group
		strip, r := t/StripRows, t%StripRows
		v.read(a.Strip(strip), n, r, a.Prec)
		w.read(b.Strip(strip), n, r, b.Prec)
		v.mul(&w)
	})
}

// ColumnDotsRows is ColumnDots for float32 rows x [T,F].
func ColumnDotsRows(dst, x []float32, a Act) {
	same("ColumnDotsRows", a.F, len(dst))
	same("ColumnDotsRows", a.T*a.F, len(x))
	sumColumns(dst, nil, a.T, func(v *group, t, n int) {
		var w group
		v.read(a.Strip(t/StripRows), n, t%StripRows, a.Prec)
		copy(w[:], x[t*a.F+n*PanelCols:t*a.F+min(a.F, (n+1)*PanelCols)])
		v.mul(&w)
	})
}

// mul is v *= w.
func (v *group) mul(w *group) {
	for i, x := range w {
		v[i] *= x
	}
}

// sumColumns adds factors times the sum over the rows 0 to t-1 of what row gives for them to dst, 32 columns to a task. Rows are
// added strip by strip, so that the error does not grow with their number as it would in one chain.
func sumColumns(dst, factors []float32, t int, row func(v *group, t, n int)) {
	Parallel(groups(len(dst)), func(n int) {
		var total group
		for lo := 0; lo < t; lo += StripRows {
			var sum, v group
			for r := lo; r < min(t, lo+StripRows); r++ {
				row(&v, r, n)
				for i, x := range v {
					sum[i] += x
				}
			}
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
