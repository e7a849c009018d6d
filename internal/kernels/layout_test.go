package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

// filled is n canaries with more behind them.
func filled(n int) ([]float32, func() bool) {
	v := make([]float32, n)
	for i := range v {
		v[i] = canary
	}
	return guarded(v)
}

// TestLayout_transpose16: every word goes where the definition says, and no other is written.
func TestLayout_transpose16(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, c := range [][5]int{{16, 16, 1, 0, 0}, {32, 16, 2, 512, 256}, {32, 50, 3, 700, 16}, {16, 32, 2, 256, 16}, {17, 19, 5, 300, 320}} {
			ds, ss, count, dstep, sstep := c[0], c[1], c[2], c[3], c[4]
			src := randoms(r, (count-1)*sstep+15*ss+16)
			n := (count-1)*dstep + 15*ds + 16
			want, _ := filled(n)
			for i := range count {
				for row := range 16 {
					for col := range 16 {
						want[i*dstep+col*ds+row] = src[i*sstep+row*ss+col]
					}
				}
			}
			dst, intact := filled(n)
			active.Load().lay.transpose16(dst, src, ds, ss, count, dstep, sstep)
			if sameBits(t, fmt.Sprint(c), dst, want); !intact() {
				t.Fatalf("%v: wrote past the end", c)
			}
		}
	})
}

// awkward are values with every kind of rounding to bfloat16: ties to even and to odd, carries into the exponent,
// values that round to infinity, zeros, infinities.
var awkward = []uint32{
	0x3f800000, 0x3f808000, 0x3f818000, 0x3f808001, 0x3f817fff, 0x3fffffff, 0x7f7fffff, 0x7f7f7fff, 0x7f7f8000,
	0, 0x80000000, 0x7f800000, 0xff800000, 0x00800000, 0xbf808000, 0xbf818000, 0xff7fffff, 0x40490fdb,
}

// awkwards are n of these, and random values after the first ones.
func awkwards(r *rand.Rand, n int) []float32 {
	v := randoms(r, n)
	for i, bits := range awkward[:min(n, len(awkward))] {
		v[i] = math.Float32frombits(bits)
	}
	return v
}

// TestLayout_round and the two tests below it compare with quant.BF16Bits, bit for bit; subnormal numbers, which instructions may
// take as zero, do not occur.
func TestLayout_round(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, c := range [][2]int{{1, 16}, {3, 16}, {5, 512}, {2, 256}} {
			blocks, step := c[0], c[1]
			src := awkwards(r, 32*blocks)
			want, _ := filled((blocks-1)*step + 16)
			for i, v := range src {
				halves(want)[i/32*step*2+i%32] = quant.BF16Bits(v)
			}
			dst, intact := filled(len(want))
			active.Load().lay.round(dst, src, blocks, step)
			if sameBits(t, fmt.Sprint(c), dst, want); !intact() {
				t.Fatalf("%v: wrote past the end", c)
			}
		}
		nan := make([]float32, 32)
		nan[7] = math.Float32frombits(0x7f800001)
		dst := make([]float32, 16)
		active.Load().lay.round(dst, nan, 1, 16)
		for i, h := range halves(dst) {
			if v := quant.BF16Value(h); (v != v) != (i == 7) {
				t.Errorf("NaN at 7: value %d became %v", i, v)
			}
		}
	})
}

func TestLayout_pairs(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, c := range [][2]int{{1, 512}, {3, 512}, {2, 1024}} {
			blocks, step := c[0], c[1]
			even, odd := awkwards(r, 32*blocks), randoms(r, 32*blocks)
			want, _ := filled((blocks-1)*step + 272)
			for i := range even {
				at := 2 * (i/32*step + i%32/16*256 + i%16)
				halves(want)[at], halves(want)[at+1] = quant.BF16Bits(even[i]), quant.BF16Bits(odd[i])
			}
			dst, intact := filled(len(want))
			active.Load().lay.pairs(dst, even, odd, blocks, step)
			if sameBits(t, fmt.Sprint(c), dst, want); !intact() {
				t.Fatalf("%v: wrote past the end", c)
			}
		}
	})
}

// TestLayout_interleave moves 16-bit words of any value.
func TestLayout_interleave(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, c := range [][3]int{{1, 512, 512}, {3, 512, 1536}, {2, 1024, 512}} {
			count, dstep, sstep := c[0], c[1], c[2]
			src := make([]float32, (count-1)*sstep+512)
			for i := range halves(src) {
				halves(src)[i] = uint16(r.Uint32())
			}
			want, _ := filled((count-1)*dstep + 512)
			for i := range count {
				for k := range 32 {
					for n := range 32 {
						halves(want)[2*i*dstep+n/16*512+k/2*32+n%16*2+k%2] = halves(src)[2*i*sstep+k*32+n]
					}
				}
			}
			dst, intact := filled(len(want))
			active.Load().lay.interleave(dst, src, count, dstep, sstep)
			if sameBits(t, fmt.Sprint(c), dst, want); !intact() {
				t.Fatalf("%v: wrote past the end", c)
			}
		}
	})
}

// TestLayout_dots: within the error of a float32 sum.
func TestLayout_dots(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, cols := range []int{1, 32, 50, 128} {
			a, b := randomAct(r, 30, cols, prec), randomAct(r, 30, cols, prec)
			dst, intact := filled(StripRows)
			active.Load().lay.dots(dst, a.data, b.data, a.Blocks(), prec)
			for i, got := range dst {
				want, size := 0.0, 0.0
				for j := range cols {
					if i < a.T {
						v := float64(a.At(i, j)) * float64(b.At(i, j))
						want, size = want+v, size+math.Abs(v)
					}
				}
				near(t, fmt.Sprintf("%d columns, row %d", cols, i), got, want, size, bound(cols))
			}
			if !intact() {
				t.Fatalf("%d columns: wrote past the end", cols)
			}
		}
	})
}
