package quant

import (
	"math"
	"math/rand/v2"
	"testing"
)

// known lists the formats of the table that ft reads.
func known() []Type {
	var types []Type
	for t := range Type(len(layouts)) {
		if t.Known() {
			types = append(types, t)
		}
	}
	return types
}

// TestHalf compares all 65,536 halves with their definition, and rounding with the nearest of its neighbours.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		exp, frac := h>>10&31, float64(h&1023)
		var want float64
		switch exp {
		case 0:
			want = frac * math.Pow(2, -24)
		case 31:
			want = math.Inf(1)
			if frac > 0 {
				want = math.NaN()
			}
		default:
			want = (1024 + frac) * math.Pow(2, float64(exp-25))
		}
		if h>>15 == 1 {
			want = -want
		}
		got := f16Value(uint16(h))
		if float64(got) != want && !(math.IsNaN(want) && got != got) || math.Signbit(float64(got)) != (h>>15 == 1) {
			t.Fatalf("%#04x is %g, want %g", h, got, want)
		}
		back := f16Bits(got)
		if got == got && back != uint16(h) || got != got && back != uint16(h)|0x200 {
			t.Fatalf("%#04x came back as %#04x", h, back)
		}
		if exp == 31 || h>>15 == 1 {
			continue
		}
		checkMidpoint(t, uint16(h))
	}
}

// checkMidpoint rounds the value halfway between h and the next half, and its two neighbours in float32.
func checkMidpoint(t *testing.T, h uint16) {
	t.Helper()
	next := 65536.0 // what the largest half and "infinity" lie around
	if h != 0x7bff {
		next = float64(f16Value(h + 1))
	}
	mid := float32((float64(f16Value(h)) + next) / 2)
	cases := map[float32]uint16{
		math.Nextafter32(mid, 0): h,
		mid:                      h + h&1,
		math.Nextafter32(mid, float32(math.Inf(1))): h + 1,
	}
	for v, want := range cases {
		if got := f16Bits(v); got != want {
			t.Fatalf("%g rounds to %#04x, want %#04x", v, got, want)
		}
		if got := f16Bits(-v); got != want|0x8000 {
			t.Fatalf("%g rounds to %#04x, want %#04x", -v, got, want|0x8000)
		}
	}
}

func TestBF16Bits(t *testing.T) {
	cases := []struct {
		in   uint32
		want uint16
	}{
		{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82},
		{0x80000001, 0x8000}, {0x7f7fffff, 0x7f80}, {0xff800000, 0xff80}, {0x7f800001, 0x7fc0},
		{0xff7fffff, 0xff80}, {0x7f800000, 0x7f80}, {0xffc00000, 0xffc0}, {0x80000000, 0x8000},
	}
	for _, c := range cases {
		if got := BF16Bits(math.Float32frombits(c.in)); got != c.want {
			t.Errorf("%#08x rounds to %#04x, want %#04x", c.in, got, c.want)
		}
	}
}

// TestBF16Bits_nearest: halfway to the neighbours by float64, ties to even.
func TestBF16Bits_nearest(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100_000 {
		x := math.Float32frombits(r.Uint32())
		if x != x || math.IsInf(float64(x), 0) || math.Abs(float64(x)) > 3.38e38 {
			continue
		}
		low := math.Float32frombits(math.Float32bits(x) &^ 0xffff) // toward zero
		high := math.Float32frombits(math.Float32bits(low) + 0x10000)
		toLow, toHigh := math.Abs(float64(x)-float64(low)), math.Abs(float64(high)-float64(x))
		want := low
		if toHigh < toLow || toHigh == toLow && math.Float32bits(low)>>16&1 == 1 {
			want = high
		}
		if got := BF16Value(BF16Bits(x)); got != want {
			t.Fatalf("%v (%08x) became %v, want %v", x, math.Float32bits(x), got, want)
		}
	}
}

// TestQuantize_error holds each format to the error its step allows, on rows of several blocks.
func TestQuantize_error(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	src := make([]float32, 8*32)
	for i := range src {
		src[i] = float32(rng.NormFloat64() * math.Pow(10, float64(i/64-1)))
	}
	// steps is the number of steps a block's range is cut into: from the largest magnitude to its
	// opposite (Q4_0 and Q5_0 lose one of them at the far end), or from the least to the greatest value.
	steps := map[Type]float64{Q4_0: 16, Q5_0: 32, Q8_0: 254, Q4_1: 15, Q5_1: 31}
	for _, typ := range known() {
		n, ok := steps[typ]
		if !ok {
			continue
		}
		t.Run(typ.String(), func(t *testing.T) {
			q, got := make([]byte, typ.RowBytes(len(src))), make([]float32, len(src))
			Quantize(q, typ, src)
			Dequantize(got, typ, q)
			for i := range got {
				block := src[i/32*32:][:32]
				least, most := block[0], block[0]
				for _, v := range block {
					least, most = min(least, v), max(most, v)
				}
				span := float64(most - least)
				if typ != Q4_1 && typ != Q5_1 {
					span = 2 * math.Max(float64(most), -float64(least))
				}
				bound := span/n*(0.5+0.51*n*0x1p-11) + 1e-7
				if typ == Q4_0 || typ == Q5_0 {
					bound += span / n / 2
				}
				if diff := math.Abs(float64(got[i] - src[i])); diff > bound {
					t.Fatalf("value %d: %g became %g, off by %g, bound %g", i, src[i], got[i], diff, bound)
				}
			}
		})
	}
}

// TestCodecs_anyBits feeds what no sane model holds: every format must take it without a panic, and give
// the same whether blocks come at once or one by one.
func TestCodecs_anyBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, typ := range known() {
		t.Run(typ.String(), func(t *testing.T) {
			n := 3 * typ.Block()
			src := make([]byte, typ.RowBytes(n))
			for i := range src {
				src[i] = byte(rng.Uint32())
			}
			whole, piece := make([]float32, n), make([]float32, typ.Block())
			Dequantize(whole, typ, src)
			for at := 0; at < n; at += len(piece) {
				Dequantize(piece, typ, src[typ.RowBytes(at):])
				for i, v := range piece {
					if math.Float32bits(v) != math.Float32bits(whole[at+i]) {
						t.Fatalf("value %d depends on what stands before its block", at+i)
					}
				}
			}
			if !typ.CanQuantize() {
				return
			}
			odd := make([]float32, n)
			for i := range odd {
				odd[i] = math.Float32frombits(rng.Uint32())
			}
			odd[0], odd[n-1] = float32(math.NaN()), float32(math.Inf(-1))
			out := append(make([]byte, len(src)), 0xa5)
			Quantize(out, typ, odd)
			if out[len(src)] != 0xa5 {
				t.Fatal("wrote past the end")
			}
		})
	}
}

func TestType_unknown(t *testing.T) {
	for typ, want := range map[Type]string{23: "IQ4_XS", 4: "type 4", 31: "type 31", 1 << 31: "type 2147483648"} {
		if typ.Known() || typ.CanQuantize() || typ.Block() != 0 || typ.String() != want {
			t.Errorf("type %d: %s, known %v, block %d; want %s, unknown", uint32(typ), typ, typ.Known(), typ.Block(), want)
		}
	}
}

func BenchmarkDequantize(b *testing.B) {
	const n = 4096
	rng := rand.New(rand.NewPCG(5, 6))
	for _, typ := range known() {
		b.Run(typ.String(), func(b *testing.B) {
			src := make([]byte, typ.RowBytes(n))
			values := make([]float32, n)
			for i := range values {
				values[i] = float32(rng.NormFloat64())
			}
			if typ.CanQuantize() {
				Quantize(src, typ, values)
			} else {
				for i := range src {
					src[i] = byte(rng.Uint32())
				}
			}
			for b.Loop() {
				Dequantize(values, typ, src)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/value")
		})
	}
}
