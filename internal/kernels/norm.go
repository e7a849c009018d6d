package kernels

import (
	"fmt"
	"math"
)

// NormRows computes dst[t,d] = x·gain/rms(x), row by row, rms = sqrt(mean of squares + eps) (Zhang and Sennrich 2019,
// arXiv:1910.07467), on the caller's goroutine. dst may be x.
func NormRows(dst, x, gain []float32, t, d int, eps float32) {
	if t < 0 || d <= 0 || len(dst) != t*d || len(x) != t*d || len(gain) != d {
		panic(fmt.Sprintf("kernels: NormRows: dst %d, x %d, gain %d values for [%d,%d]", len(dst), len(x), len(gain), t, d))
	}
	be := active.Load()
	for i := range t {
		row := x[i*d : (i+1)*d]
		mean := float64(be.vec.dot(row, row)) / float64(d)
		be.gain(dst[i*d:(i+1)*d], row, gain, float32(1/math.Sqrt(mean+float64(eps))))
	}
}

func gainGeneric(dst, x, gain []float32, r float32) {
	dst, gain = dst[:len(x)], gain[:len(x)]
	for i, v := range x {
		dst[i] = float32(v*r) * gain[i]
	}
}
