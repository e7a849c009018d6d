package kernels

import "math"

// SoftmaxRows is the state of a strip's softmaxes while columns come by: what each row's powers of two are relative to,
// their sum so far, and how much smaller those before have become. The assembly knows its layout and needs the rest.
type SoftmaxRows struct {
	top, sum, factor, _ [StripRows]float32
}

// begin is the state before the first columns. The lowest number stands for the maximum of nothing: unlike -Inf, it
// can be subtracted from itself.
func (s *SoftmaxRows) begin() {
	for r := range s.top {
		s.top[r], s.sum[r] = -math.MaxFloat32, 0
	}
}

// exp2 is 2^x for x up to 127 to within 2e-7: 2^n·2^f with n = round(x) and |f| <= 1/2. The polynomial in f is the one
// that has the smallest relative error with 1 as its value for 0; its coefficients were found by Remez's exchange.
func exp2(x float32) float32 {
	if x < -151 {
		x = -151 // 2^-151 is 0
	}
	n := float32(x+rounder) - rounder
	f := x - n
	p := float32(0.00132647273)
	for _, c := range [...]float32{0.00967151299, 0.0555073358, 0.240222424, 0.693147004, 1} {
		p = float32(p*f) + c
	}
	e := int32(n)
	half := e >> 1 // 2^n may not be a float32 although the product is
	return p * math.Float32frombits(uint32(half+127)<<23) * math.Float32frombits(uint32(e-half+127)<<23)
}

func fenceGeneric(c []float32, base int, first, seen *[StripRows]int32) {
	for r := range StripRows {
		for i := range PanelCols {
			if at := int32(base + i); at < first[r] || at >= seen[r] {
				c[r*PanelCols+i] = float32(math.Inf(-1))
			}
		}
	}
}

func scaleRowsGeneric(c []float32, panels int, by *[StripRows]float32) {
	for n := range panels {
		for r, f := range by {
			scaleGeneric(c[n*resultSize+r*PanelCols:][:PanelCols], f)
		}
	}
}

func softmaxStepGeneric(tiles, c []float32, panels int, s *SoftmaxRows, scale float32, prec Precision) {
	for r := range StripRows {
		top := float32(math.Inf(-1))
		for n := range panels {
			top = max(top, maximumGeneric(c[n*resultSize+r*PanelCols:][:PanelCols]))
		}
		top = max(s.top[r], top*scale)
		s.factor[r] = exp2(s.top[r] - top)
		sum := 0.0
		var v group
		for n := range panels {
			for i, x := range c[n*resultSize+r*PanelCols:][:PanelCols] {
				v[i] = exp2(x*scale - top)
				sum += float64(v[i])
			}
			v.write(tiles, n, r, prec)
		}
		s.top[r], s.sum[r] = top, float32(s.sum[r]*s.factor[r])+float32(sum)
	}
}

func softmaxEndGeneric(s *SoftmaxRows, lse []float32) {
	lse = lse[:StripRows]
	for r, sum := range s.sum {
		s.factor[r] = 1 / sum
		lse[r] = float32(float64(s.top[r]) + math.Log2(float64(sum)))
	}
}

func probsGeneric(right, c []float32, panels int, lse []float32, scale float32, prec Precision) {
	for n := range panels {
		block := c[n*resultSize:][:resultSize]
		for i, x := range block {
			block[i] = exp2(x*scale - lse[i/PanelCols])
		}
		if prec == BF16 {
			rightGeneric(right[n*blockWords:], block)
		}
	}
}

// rightGeneric rounds a result block [32 k][32 n] to a block of a right operand.
func rightGeneric(right, c []float32) {
	for k := 0; k < StripRows; k += 2 {
		even := c[k*PanelCols:]
		pairsGeneric(right[k/2*rowWords:], even[:PanelCols], even[PanelCols:2*PanelCols], 1, blockWords)
	}
}

func scoreGradGeneric(tiles, right, dp, p []float32, panels int, delta []float32, scale float32, prec Precision) {
	for n := range panels {
		d, q := dp[n*resultSize:][:resultSize], p[n*resultSize:][:resultSize]
		for i := range d {
			d[i] = q[i] * scale * (d[i] - delta[i/PanelCols])
		}
		if prec == BF16 {
			rightGeneric(right[n*blockWords:], d)
		}
	}
	storeGeneric(tiles, dp, panels, prec, 1)
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
