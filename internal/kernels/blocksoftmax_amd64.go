//go:build !purego

package kernels

import (
	"math"
	"math/bits"
)

// stripRow describes one row of result blocks to the assembly.
type stripRow struct {
	at          int    // bytes from the strip's beginning to the row's first panel
	panels      int    // how many, at least one
	first, last uint32 // the columns of the first and of the last panel that belong to the row
	top, sum    float32
}

// stripRows fills s.rows with the rows that have columns and returns how many, with their numbers. It clears the
// panels outside of rows, and the rows without columns; without masks it sets the columns outside, in panels that
// belong to a row in part, to -Inf, whose exponential is zero.
func (a blockAssembly) stripRows(s *blockScratch, c []float32, panels int, first, seen []int32) (n int, numbers [StripRows]uint8) {
	for r := range StripRows {
		lo, hi := rowBounds(first, seen, r)
		lo, hi = max(lo, 0), min(hi, panels*PanelCols)
		begin, end := lo/PanelCols, (hi+PanelCols-1)/PanelCols
		if lo >= hi {
			begin, end = 0, 0
		}
		for p := range begin {
			clear(c[p*resultSize+r*PanelCols:][:PanelCols])
		}
		for p := end; p < panels; p++ {
			clear(c[p*resultSize+r*PanelCols:][:PanelCols])
		}
		if begin == end {
			continue
		}
		row := stripRow{at: 4 * (begin*resultSize + r*PanelCols), panels: end - begin}
		row.first = ^uint32(0) << (lo - begin*PanelCols)
		row.last = ^uint32(0) >> (end*PanelCols - hi)
		if end-begin == 1 {
			row.first &= row.last
			row.last = row.first
		}
		if !a.masks {
			exclude(c[begin*resultSize+r*PanelCols:][:PanelCols], row.first)
			exclude(c[(end-1)*resultSize+r*PanelCols:][:PanelCols], row.last)
		}
		s.rows[n] = row
		numbers[n] = uint8(r)
		n++
	}
	return n, numbers
}

// exclude sets values to -Inf whose bits in keep are zero.
func exclude(v []float32, keep uint32) {
	for drop := ^keep; drop != 0; drop &= drop - 1 {
		v[bits.TrailingZeros32(drop)] = float32(math.Inf(-1))
	}
}

func (a blockAssembly) softmaxStrip(c []float32, panels int, first, seen []int32, scale float32, lse []float32) {
	c, lse = c[:panels*resultSize], lse[:len(first)]
	s := blockScratches.Get().(*blockScratch)
	n, numbers := a.stripRows(s, c, panels, first, seen)
	for r := range lse {
		lse[r] = float32(math.Inf(-1))
	}
	if n > 0 {
		a.softmax(&c[0], &s.rows[0], n, scale)
	}
	for i, row := range s.rows[:n] {
		lse[numbers[i]] = logSum(row.top, row.sum)
	}
	blockScratches.Put(s)
}

func (a blockAssembly) probStrip(c []float32, panels int, first, seen []int32, scale float32, lse []float32) {
	c, lse = c[:panels*resultSize], lse[:len(first)]
	s := blockScratches.Get().(*blockScratch)
	n, numbers := a.stripRows(s, c, panels, first, seen)
	for i := range s.rows[:n] {
		s.rows[i].top = lse[numbers[i]]
	}
	if n > 0 {
		a.prob(&c[0], &s.rows[0], n, scale)
	}
	blockScratches.Put(s)
}

func (a blockAssembly) scoreGradStrip(dp, p []float32, panels int, delta []float32, scale float32) {
	rows := len(delta)
	dp, p = dp[:panels*resultSize], p[:panels*resultSize]
	if rows > 0 && panels > 0 {
		a.scoreGrad(&dp[0], &p[0], &delta[0], rows, panels, scale)
	}
	if rows < StripRows {
		for n := range panels {
			clear(dp[n*resultSize+rows*PanelCols : (n+1)*resultSize])
		}
	}
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
