package kernels

import "math"

// inside calls f for each panel that has columns of row r between first and seen, with those, and clears the others.
func inside(c []float32, panels, r, first, seen int, f func(v []float32)) {
	for n := range panels {
		row := c[n*resultSize+r*PanelCols:][:PanelCols]
		lo := min(max(first-n*PanelCols, 0), PanelCols)
		hi := max(min(seen-n*PanelCols, PanelCols), lo)
		clear(row[:lo])
		clear(row[hi:])
		if lo < hi {
			f(row[lo:hi])
		}
	}
}

// rowBounds are row r's columns, none for rows beyond the last.
func rowBounds(first, seen []int32, r int) (lo, hi int) {
	if r >= len(first) {
		return 0, 0
	}
	return int(first[r]), int(seen[r])
}

func softmaxStripGeneric(c []float32, panels int, first, seen []int32, scale float32, lse []float32) {
	for r := range StripRows {
		lo, hi := rowBounds(first, seen, r)
		top := float32(math.Inf(-1))
		inside(c, panels, r, lo, hi, func(v []float32) { top = max(top, maximumGeneric(v)) })
		top *= scale
		sum := 0.0
		inside(c, panels, r, lo, hi, func(v []float32) {
			for i, x := range v {
				v[i] = exp32(x*scale - top)
				sum += float64(v[i])
			}
		})
		inside(c, panels, r, lo, hi, func(v []float32) { scaleGeneric(v, 1/float32(sum)) })
		if r < len(first) {
			lse[r] = logSum(top, float32(sum))
		}
	}
}

// logSum is the logarithm of a sum of exponentials from the greatest exponent and the sum relative to it; -Inf for an
// empty sum.
func logSum(top, sum float32) float32 { return float32(float64(top) + math.Log(float64(sum))) }

func probStripGeneric(c []float32, panels int, first, seen []int32, scale float32, lse []float32) {
	for r := range StripRows {
		lo, hi := rowBounds(first, seen, r)
		inside(c, panels, r, lo, hi, func(v []float32) {
			for i, x := range v {
				v[i] = exp32(x*scale - lse[r])
			}
		})
	}
}

func scoreGradGeneric(dp, p []float32, panels int, delta []float32, scale float32) {
	for n := range panels {
		for r := range StripRows {
			d := dp[n*resultSize+r*PanelCols:][:PanelCols]
			if r >= len(delta) {
				clear(d)
				continue
			}
			for i, q := range p[n*resultSize+r*PanelCols:][:PanelCols] {
				d[i] = q * scale * (d[i] - delta[r])
			}
		}
	}
}

// capScoresGeneric uses tanh(x) = (1-e)/(1+e) with e = exp(-2x).
func capScoresGeneric(c []float32, panels int, scale, cap float32) {
	inner := 2 * scale / cap
	for i, x := range c[:panels*resultSize] {
		e := exp32(-min(max(x*inner, gateBottom), decayEnd))
		c[i] = cap * ((1 - e) / (1 + e))
	}
}

func capGradGeneric(ds, y []float32, panels int, scale, cap float32) {
	inv := 1 / cap
	y = y[:panels*resultSize]
	for i := range ds[:panels*resultSize] {
		t := y[i] * inv
		ds[i] *= scale - scale*t*t
	}
}
