package kernels

import "math"

// The exponential is 2^n·e^f with n = round(x/ln 2) and |f| <= ln(2)/2. ln 2 is taken off in two parts, the
// first short enough that its product with n is exact; e^f is a Taylor-like polynomial with the minimax
// coefficients of Cephes' expf (Moshier 1992).
const (
	expTop    = 88.722839  // above: +Inf
	expBottom = -103.97208 // below: 0
	log2e     = 1.44269504
	ln2Hi     = 0.693359375
	ln2Lo     = -2.12194440e-4
	expP0     = 1.9875691500e-4
	expP1     = 1.3981999507e-3
	expP2     = 8.3334519073e-3
	expP3     = 4.1665795894e-2
	expP4     = 1.6666665459e-1
	expP5     = 5.0000001201e-1
	rounder   = 3 << 22 // adding and subtracting it rounds to a whole number
)

// exp32 is e^x. Results below the smallest normal number are rounded twice.
func exp32(x float32) float32 {
	switch {
	case x > expTop:
		return float32(math.Inf(1))
	case x < expBottom:
		return 0
	case x != x:
		return x
	}
	n := float32(float32(x*log2e)+rounder) - rounder
	f := x - float32(n*ln2Hi)
	f -= float32(n * ln2Lo)
	p := float32(expP0)
	p = float32(p*f) + expP1
	p = float32(p*f) + expP2
	p = float32(p*f) + expP3
	p = float32(p*f) + expP4
	p = float32(p*f) + expP5
	p = float32(p*float32(f*f)) + f
	p++
	e := int32(n)
	half := e >> 1 // 2^n may not be a float32 although the product is
	return p * math.Float32frombits(uint32(half+127)<<23) * math.Float32frombits(uint32(e-half+127)<<23)
}

func expSumGeneric(dst, x []float32, sub float32) float32 {
	dst = dst[:len(x)]
	total := 0.0
	for len(x) > 0 {
		n := min(len(x), 64) // short sums in float32, their sum in float64
		var s float32
		for i, v := range x[:n] {
			e := exp32(v - sub)
			dst[i] = e
			s += e
		}
		total += float64(s)
		x, dst = x[n:], dst[n:]
	}
	return float32(total)
}
