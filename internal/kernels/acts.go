package kernels

import "ft/internal/stash"

// Rounded writes the float32 rows src [T,F] to dst.
func Rounded(dst Act, src []float32) { RoundedTimes(dst, src, 1) }

// RoundedTimes writes alpha·src [T,F] to dst.
func RoundedTimes(dst Act, src []float32, alpha float32) {
	eachStrip(actTask{kind: roundAct, h: dst, x: src, alpha: alpha})
}

// Norm computes h = x·inv·gain and xhat = x·inv, row by row, with inv [T] = 1/rms of x's rows [T,F], rms = sqrt(mean of
// squares + eps) (Zhang and Sennrich 2019, arXiv:1910.07467). xhat may be nil.
func Norm(h, xhat Act, inv, x, gain []float32, eps float32) {
	eachStrip(actTask{kind: normAct, h: h, xhat: xhat, inv: inv, x: x, gain: gain, eps: eps})
}

// NormGrad adds the gradient of Norm's input to dx [T,F], from dh [T,F] and what Norm left.
func NormGrad(dx, dh []float32, xhat Act, inv, gain []float32) {
	eachStrip(actTask{kind: normGradAct, h: xhat, xhat: xhat, inv: inv, x: dh, dx: dx, gain: gain})
}

// actTask is a step that goes over an activation matrix strip by strip: h, which gives the shape.
type actTask struct {
	kind       actKind
	be         *backend
	h, xhat    Act
	inv, x, dx []float32
	gain, bias []float32
	eps, alpha float32
}

type actKind uint8

const (
	roundAct actKind = iota
	normAct
	normGradAct
	layerNormAct
	layerNormGradAct
	normKeepAct
	widenAct
)

var actTasks stash.Stash[actTask]

// eachStrip runs t for every strip on the pool.
func eachStrip(t actTask) {
	job := actTasks.Get()
	*job = t
	job.be = active.Load()
	ParallelTasks(t.h.Strips(), job)
	*job = actTask{} // hold on to nobody's memory
	actTasks.Put(job)
}

// Task does strip i.
func (t *actTask) Task(i int) {
	d, lo := t.h.F, i*StripRows
	rows := min(StripRows, t.h.T-lo)
	switch t.kind {
	case roundAct:
		t.be.ops.toTiles(t.h.Strip(i), t.x[lo*d:], d, rows, d, t.alpha, t.h.Prec)
	case normAct:
		var hat []float32
		if !t.xhat.Nil() {
			hat = t.xhat.Strip(i)
		}
		t.be.ops.norm(t.h.Strip(i), hat, t.inv[lo:lo+rows], t.x[lo*d:(lo+rows)*d], t.gain, rows, d, t.eps, t.h.Prec)
	case normGradAct:
		t.be.ops.normBack(t.dx[lo*d:(lo+rows)*d], t.x[lo*d:(lo+rows)*d], t.xhat.Strip(i), t.inv[lo:lo+rows], t.gain, rows, d, true, t.h.Prec)
	case layerNormAct:
		t.layerNorm(i, rows)
	case layerNormGradAct:
		t.layerNormGrad(i, rows)
	case normKeepAct:
		t.normKeep(i, rows)
	case widenAct:
		t.widen(i, rows)
	}
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
		pad := rowEnds.Get()
		defer rowEnds.Put(pad)
		clear(pad[copy(pad[:], rest):])
		pad.write(a.Strip(t/StripRows), whole, t%StripRows, a.Prec)
	}
}

// rowEnds are the last columns of a row that is not whole panels.
var rowEnds stash.Stash[group]

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
