//go:build !purego

package kernels

func (a blockAssembly) fencePanel(c []float32, base int, first, seen *[StripRows]int32) {
	c = c[:resultSize]
	a.fence(&c[0], base, &first[0], &seen[0])
}

func (a blockAssembly) softmaxEndRows(s *SoftmaxRows, lse []float32) {
	_ = lse[StripRows-1]
	a.softmaxEnd(s, &lse[0])
}

func (a blockAssembly) scaleRowsAny(c []float32, panels int, by *[StripRows]float32) {
	if c = c[:panels*resultSize]; panels > 0 {
		a.scaleRows(&c[0], panels, &by[0])
	}
}

func (a blockAssembly) softmaxStep(tiles, c []float32, panels int, rows *SoftmaxRows, scale float32, prec Precision) {
	t := a.tiles[prec]
	if t == nil || panels <= 0 {
		softmaxStepGeneric(tiles, c, panels, rows, scale, prec)
		return
	}
	tiles, c = tiles[:words(panels, prec)], c[:panels*resultSize]
	t.softmax(&tiles[0], &c[0], panels, rows, scale)
}

func (a blockAssembly) probStrip(right, c []float32, panels int, lse []float32, scale float32, prec Precision) {
	t := a.tiles[prec]
	if t == nil || panels <= 0 {
		probsGeneric(right, c, panels, lse, scale, prec)
		return
	}
	c, lse = c[:panels*resultSize], lse[:StripRows]
	if prec == BF16 {
		right = right[:panels*blockWords]
	} else {
		right = c
	}
	t.probs(&right[0], &c[0], panels, &lse[0], scale)
}

func (a blockAssembly) scoreGradStrip(tiles, right, dp, p []float32, panels int, delta []float32, scale float32, prec Precision) {
	t := a.tiles[prec]
	if t == nil || panels <= 0 {
		scoreGradGeneric(tiles, right, dp, p, panels, delta, scale, prec)
		return
	}
	tiles, dp, p, delta = tiles[:words(panels, prec)], dp[:panels*resultSize], p[:panels*resultSize], delta[:StripRows]
	if prec == BF16 {
		right = right[:panels*blockWords]
	} else {
		right = dp
	}
	t.scoreGrad(&tiles[0], &right[0], &dp[0], &p[0], panels, &delta[0], scale)
}

func (a blockAssembly) capScores(c []float32, panels int, scale, cap float32) {
	if c = c[:panels*resultSize]; panels > 0 {
		a.capped(&c[0], panels*StripRows, 2*scale/cap, cap)
	}
}

func (a blockAssembly) capGradStrip(ds, y []float32, panels int, scale, cap float32) {
	if ds, y = ds[:panels*resultSize], y[:panels*resultSize]; panels > 0 {
		a.capGrad(&ds[0], &y[0], panels*StripRows, scale, 1/cap)
	}
}

// adamWAny leaves the rest to Go, which gives the same bits.
func (a blockAssembly) adamWAny(w, g, m, v []float32, c *AdamW) {
	n := len(w) / PanelCols
	if n > 0 {
		a.adamW(&w[0], &g[0], &m[0], &v[0], n, c)
	}
	n *= PanelCols
	adamWGeneric(w[n:], g[n:], m[n:], v[n:], c)
}

func (a blockAssembly) sumSquaresAny(x []float32) float64 {
	var sum float64
	n := len(x) / PanelCols
	if n > 0 {
		sum = a.sumSquares(&x[0], n)
	}
	return sum + sumSquaresGeneric(x[n*PanelCols:])
}
