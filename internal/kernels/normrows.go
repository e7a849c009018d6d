package kernels

import (
	"fmt"
	"math"
)

// LayerNorm computes h = xhat·gain + bias with xhat = (x-mean)·inv, row by row, and inv [T] = 1/√(variance + eps) of x's rows [T,F] (Ba
// et al. 2016, arXiv:1607.06450).
func LayerNorm(h, xhat Act, inv, x, gain, bias []float32, eps float32) {
	eachStrip(actTask{kind: layerNormAct, h: h, xhat: xhat, inv: inv, x: x, gain: gain, bias: bias, eps: eps})
}

// LayerNormGrad adds the gradient of LayerNorm's input to dx [T,F], from dh [T,F] and what LayerNorm left.
func LayerNormGrad(dx, dh []float32, xhat Act, inv, gain []float32) {
	eachStrip(actTask{kind: layerNormGradAct, h: xhat, xhat: xhat, inv: inv, x: dh, dx: dx, gain: gain})
}

// NormKeep is Norm of rows in place: x [T,F] becomes x·inv·gain. It leaves xhat and inv [T] for NormGrad.
func NormKeep(x []float32, xhat Act, inv, gain []float32, eps float32) {
	eachStrip(actTask{kind: normKeepAct, h: xhat, xhat: xhat, inv: inv, x: x, gain: gain, eps: eps})
}

// Widened writes a's values to the float32 rows dst [T,F].
func Widened(dst []float32, a Act) {
	same("Widened", a.T*a.F, len(dst))
	eachStrip(actTask{kind: widenAct, h: a, x: dst})
}

func (t *actTask) layerNorm(strip, rows int) {
	s := scratches.Get()
	defer scratches.Put(s)
	d := t.h.F
	s.rows = Grow(s.rows, rows*d)
	for r := range rows {
		row := s.rows[r*d : (r+1)*d]
		t.inv[strip*StripRows+r] = centred(t.be, row, t.x[(strip*StripRows+r)*d:][:d], t.eps)
		t.be.vec.scale(row, t.inv[strip*StripRows+r])
	}
	t.be.ops.toTiles(t.xhat.Strip(strip), s.rows, d, rows, d, 1, t.xhat.Prec)
	for r := range rows {
		row := s.rows[r*d : (r+1)*d]
		t.be.gain(row, row, t.gain, 1)
		t.be.vec.axpy(row, 1, t.bias)
	}
	t.be.ops.toTiles(t.h.Strip(strip), s.rows, d, rows, d, 1, t.h.Prec)
}

// centred writes x less its mean to dst and returns 1/√(variance + eps).
func centred(be *backend, dst, x []float32, eps float32) float32 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	mean := float32(sum / float64(len(x)))
	for i, v := range x {
		dst[i] = v - mean
	}
	return inverseRMS(be.vec.dot(dst, dst), len(x), eps)
}

func (t *actTask) layerNormGrad(strip, rows int) {
	s := scratches.Get()
	defer scratches.Put(s)
	d, lo := t.h.F, strip*StripRows
	s.rows = Grow(s.rows, rows*d)
	t.be.ops.normBack(s.rows, t.x[lo*d:(lo+rows)*d], t.xhat.Strip(strip), t.inv[lo:lo+rows], t.gain, rows, d, false, t.xhat.Prec)
	for r := range rows {
		row, sum := s.rows[r*d:(r+1)*d], 0.0
		for _, v := range row {
			sum += float64(v)
		}
		mean := float32(sum / float64(d))
		for i := range row {
			row[i] -= mean
		}
		t.be.vec.axpy(t.dx[(lo+r)*d:][:d], 1, row)
	}
}

func (t *actTask) normKeep(strip, rows int) {
	d, lo := t.h.F, strip*StripRows
	for r := lo; r < lo+rows; r++ {
		row := t.x[r*d : (r+1)*d]
		t.inv[r] = inverseRMS(t.be.vec.dot(row, row), d, t.eps)
		t.be.vec.scale(row, t.inv[r])
	}
	t.be.ops.toTiles(t.xhat.Strip(strip), t.x[lo*d:], d, rows, d, 1, t.xhat.Prec)
	for r := lo; r < lo+rows; r++ {
		row := t.x[r*d : (r+1)*d]
		t.be.gain(row, row, t.gain, 1)
	}
}

func (t *actTask) widen(strip, rows int) {
	d, tiles := t.h.F, t.h.Strip(strip)
	var v group
	for r := range rows {
		row := t.x[(strip*StripRows+r)*d:][:d]
		for n := range groups(d) {
			v.read(tiles, n, r, t.h.Prec)
			copy(row[n*PanelCols:], v[:])
		}
	}
}

// LayerNormRows is LayerNorm of rows, dst [t,d], on the caller's goroutine. dst may be x.
func LayerNormRows(dst, x, gain, bias []float32, t, d int, eps float32) {
	if t < 0 || d <= 0 || len(dst) != t*d || len(x) != t*d || len(gain) != d || len(bias) != d {
		panic(fmt.Sprintf("kernels: LayerNormRows: dst %d, x %d, gain %d, bias %d values for [%d,%d]", len(dst), len(x), len(gain), len(bias), t, d))
	}
	be := active.Load()
	for i := range t {
		row := dst[i*d : (i+1)*d]
		be.gain(row, row, gain, centred(be, row, x[i*d:(i+1)*d], eps))
		be.vec.axpy(row, 1, bias)
	}
}

// SoftCap turns x into cap·tanh(x/cap) (Gemma 2, arXiv:2408.00118, 2.3), to within 2e-7·cap, on the caller's goroutine.
func SoftCap(x []float32, cap float32) {
	be := active.Load()
	whole := len(x) / resultSize * resultSize
	if whole > 0 {
		be.ops.capScores(x[:whole], whole/resultSize, 1, cap)
	}
	for i, v := range x[whole:] {
		x[whole+i] = cap * float32(math.Tanh(float64(v/cap)))
	}
}

// SoftCapGrad multiplies the gradient dy of y = SoftCap(x) by the derivative, 1-(y/cap)², on the caller's goroutine.
func SoftCapGrad(dy, y []float32, cap float32) {
	same("SoftCapGrad", len(dy), len(y))
	be := active.Load()
	whole := len(y) / resultSize * resultSize
	if whole > 0 {
		be.ops.capGrad(dy[:whole], y[:whole], whole/resultSize, 1, cap)
	}
	for i, v := range y[whole:] {
		dy[whole+i] *= 1 - v/cap*(v/cap)
	}
}
