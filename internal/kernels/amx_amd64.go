//go:build !purego

package kernels

import "ft/internal/quant"

// stripAMX is the strip kernel for bfloat16 in tiles: C [panels][32][32] = A·B, or C + A·B if add. a is a strip of
// `blocks` blocks of 2,048 bytes; panel p of B starts at b + p·bStride words and has as many. Counts are positive; at
// multiples of 64 bytes it is fastest. It sums pairs of k, block by block, and takes subnormal values for zero.
//
//go:noescape
func stripAMX(c, a, b *float32, blocks, panels, bStride int, add bool)

//go:noescape
func peakAMX(x *float32, n int)

// tileStrip is stripFunc by stripAMX, which always computes everything.
func tileStrip(c, a, b []float32, blocks, panels, stride, _, _ int, add bool) {
	_, _, _ = c[panels*resultSize-1], a[blocks*blockWords-1], b[(panels-1)*stride+blocks*blockWords-1]
	stripAMX(&c[0], &a[0], &b[0], blocks, panels, stride, add)
}

// xcr0 is the processor state that the system saves. Only CPUs with OSXSAVE can tell.
func xcr0() uint64

// hasAMX tells whether the AMX backend runs here; notice is why it does not although the CPU has it.
var hasAMX, notice = startAMX()

// startAMX asks for the tiles and tries them.
func startAMX() (ok bool, refusal string) {
	ok, why := amxUsable()
	if ok && !testAMX(tileStrip) {
		ok, why = false, "its products are wrong"
	}
	if why != "" {
		refusal = "the CPU has AMX, but it is not used: " + why
	}
	return ok, refusal
}

// testAMX compares a strip kernel for bfloat16 with its twin: two panels at a distance, with and without add, of small
// whole numbers so that all sums are exact.
func testAMX(strip stripFunc) bool {
	const blocks, panels = 3, 2
	const stride = blocks*blockWords + 64
	var a [blocks * blockWords]float32
	var b [panels * stride]float32
	for i, h := range [][]uint16{halves(a[:]), halves(b[:])} {
		for j := range h {
			h[j] = quant.BF16Bits(float32(j*(7+2*i)%(11+2*i) - 5))
		}
	}
	var want, got [panels * resultSize]float32
	for _, add := range []bool{false, true} {
		stripBF16Generic(want[:], a[:], b[:], blocks, panels, stride, StripRows, PanelCols, add)
		strip(got[:], a[:], b[:], blocks, panels, stride, StripRows, PanelCols, add)
		if want != got {
			return false
		}
	}
	return true
}
