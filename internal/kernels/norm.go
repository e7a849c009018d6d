package kernels

import (
	"fmt"
	"math"
)

// RMSNorm computes dst[t,d] = x·gain/rms(x), row by row, rms = sqrt(mean of squares + eps) (Zhang and
// Sennrich 2019, arXiv:1910.07467). inv [t] receives 1/rms for the backward pass. dst may be x.
func RMSNorm(dst, inv, x, gain []float32, t, d int, eps float32) {
	if t < 0 || d <= 0 || len(dst) != t*d || len(x) != t*d || len(inv) != t || len(gain) != d {
		panic(fmt.Sprintf("kernels: RMSNorm: dst %d, inv %d, x %d, gain %d values for [%d,%d]", len(dst), len(inv), len(x), len(gain), t, d))
	}
	be := active.Load()
	parallelRange(t, max(1, grain/d), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			inv[i] = normRow(be, dst[i*d:(i+1)*d], x[i*d:(i+1)*d], gain, eps)
		}
	})
}

// normRow is RMSNorm for one row; it returns 1/rms.
func normRow(be *backend, dst, x, gain []float32, eps float32) float32 {
	mean := float64(be.vec.dot(x, x)) / float64(len(x))
	r := float32(1 / math.Sqrt(mean+float64(eps)))
	be.gain(dst, x, gain, r)
	return r
}

func gainGeneric(dst, x, gain []float32, r float32) {
	dst, gain = dst[:len(x)], gain[:len(x)]
	for i, v := range x {
		dst[i] = float32(v*r) * gain[i]
	}
}

// RMSNormBackward computes dx[t,d], or adds to it, from dy[t,d], the forward pass's input x, its inv [t]
// and the frozen gain [d]. dx may be dy unless add.
func RMSNormBackward(dx, dy, x, inv, gain []float32, t, d int, add bool) {
	if t < 0 || d <= 0 || len(dx) != t*d || len(dy) != t*d || len(x) != t*d || len(inv) != t || len(gain) != d {
		panic(fmt.Sprintf("kernels: RMSNormBackward: dx %d, dy %d, x %d, inv %d, gain %d values for [%d,%d]", len(dx), len(dy), len(x), len(inv), len(gain), t, d))
	}
	parallelRange(t, max(1, grain/d), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			rmsNormBackwardRow(dx[i*d:(i+1)*d], dy[i*d:(i+1)*d], x[i*d:(i+1)*d], gain, inv[i], add)
		}
	})
}

// rmsNormBackwardRow does dx = r·(dy·gain) - x·r³·mean(dy·gain·x).
func rmsNormBackwardRow(dx, dy, x, gain []float32, r float32, add bool) {
	n := len(x)
	dx, dy, gain = dx[:n], dy[:n], gain[:n]
	var s0, s1 float64
	i := 0
	for ; i+2 <= n; i += 2 {
		s0 += float64(dy[i] * gain[i] * x[i])
		s1 += float64(dy[i+1] * gain[i+1] * x[i+1])
	}
	if i < n {
		s0 += float64(dy[i] * gain[i] * x[i])
	}
	c := float32((s0 + s1) / float64(n) * float64(r) * float64(r) * float64(r))
	if add {
		for i, v := range x {
			dx[i] += float32(dy[i]*gain[i])*r - float32(v*c)
		}
		return
	}
	for i, v := range x {
		dx[i] = float32(dy[i]*gain[i])*r - float32(v*c)
	}
}
