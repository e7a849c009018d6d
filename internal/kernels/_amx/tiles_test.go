//go:build linux && amd64

package main

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"unsafe"
)

// full is the configuration of eight tiles of 16 rows × 64 bytes.
func full() (c [64]byte) {
	c[0] = 1
	for i := range 8 {
		c[16+2*i], c[48+i] = 64, 16
	}
	return c
}

func configured(t testing.TB, change func(c *[64]byte)) *tiles {
	t.Helper()
	c := full()
	change(&c)
	s := new(tiles)
	if err := s.configure(c); err != nil {
		t.Fatal(err)
	}
	return s
}

// fill sets a tile's rows to random pairs with exponents from low to high; some values are zero.
func fill(r *rand.Rand, t *tile, low, high int) {
	t.clear()
	half := func() uint32 {
		if r.IntN(8) == 0 {
			return 0
		}
		return r.Uint32N(2)<<15 | uint32(low+r.IntN(high-low+1)+127)<<7 | r.Uint32N(128)
	}
	for i := range t.rows {
		for j := range t.size / 4 {
			t.data[i*16+j] = half() | half()<<16
		}
	}
}

// TestMultiply compares with float64 sums: 34 roundings at most for the longest element, and no subnormal numbers.
func TestMultiply(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		rows, pairs, cols, low := 1+r.IntN(16), 1+r.IntN(16), 1+r.IntN(16), -60+r.IntN(50)
		if r.IntN(3) == 0 {
			rows, pairs, cols = 16, 16, 16
		}
		s := configured(t, func(c *[64]byte) {
			c[48], c[16] = byte(rows), byte(4*cols)  // d
			c[49], c[18] = byte(rows), byte(4*pairs) // a
			c[50], c[20] = byte(pairs), byte(4*cols) // b
		})
		d, a, b := &s.tile[0], &s.tile[1], &s.tile[2]
		fill(r, a, low, low+12)
		fill(r, b, low, low+12)
		for i := range rows {
			for j := range cols {
				d.data[i*16+j] = math.Float32bits(float32(math.Ldexp(r.Float64()-0.5, 2*low+10)))
			}
		}
		before := d.data
		if err := s.multiply(0, 1, 2); err != nil {
			t.Fatal(err)
		}
		for i := range d.data {
			row, col := i/16, i%16
			if row >= rows || col >= cols {
				if d.data[i] != 0 {
					t.Fatalf("%d×%d: element [%d][%d] is not zero", rows, cols, row, col)
				}
				continue
			}
			sum := float64(math.Float32frombits(before[i]))
			size := math.Abs(sum)
			for k := range 2 * pairs {
				x := math.Float32frombits(a.data[row*16+k/2] >> (k % 2 * 16) << 16)
				y := math.Float32frombits(b.data[k/2*16+col] >> (k % 2 * 16) << 16)
				sum += float64(x) * float64(y)
				size += math.Abs(float64(x) * float64(y))
			}
			got := float64(math.Float32frombits(d.data[i]))
			if bound := 34*0x1p-24*size + 40*0x1p-126; !(math.Abs(got-sum) <= bound) {
				t.Fatalf("low %d: element [%d][%d] is %g, want %g ± %.2g", low, row, col, got, sum, bound)
			}
			if got != 0 && math.Abs(got) < 0x1p-126 {
				t.Fatalf("element [%d][%d] is %g, subnormal", row, col, got)
			}
		}
	}
}

// TestMultiply_order: the sums of first and second values are rounded apart before they meet C.
func TestMultiply_order(t *testing.T) {
	const big = 0x1p24
	for _, c := range []struct {
		name    string
		x       [4]float32 // a row of A: two pairs; B's column is ones
		d, want float32
	}{
		{"firsts, then seconds", [4]float32{big, 1, -big, 1}, 0, 2}, // in order of k: (big + 1) - big + 1 = 1
		{"C comes last", [4]float32{1, 1, 0, 0}, big, big + 2},      // in order of k: (big + 1) + 1 = big
		{"sums lose ones", [4]float32{big, 0, 1, 0}, -big, 0},
	} {
		s := configured(t, func(*[64]byte) {})
		for k, v := range c.x {
			s.tile[1].data[k/2] |= math.Float32bits(v) >> 16 << (k % 2 * 16)
			s.tile[2].data[k/2*16] |= math.Float32bits(1) >> 16 << (k % 2 * 16)
		}
		s.tile[0].data[0] = math.Float32bits(c.d)
		if err := s.multiply(0, 1, 2); err != nil {
			t.Fatal(err)
		}
		if got := math.Float32frombits(s.tile[0].data[0]); got != c.want {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

// TestMultiply_fast: the fast path gives the bits of the general one.
func TestMultiply_fast(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		s := configured(t, func(*[64]byte) {})
		for i := range 3 {
			fill(r, &s.tile[i], -20, 20)
		}
		d := s.tile[0]
		if err := s.multiply(0, 1, 2); err != nil {
			t.Fatal(err)
		}
		multiplyAny(&d, s.tile[1].decode(), s.tile[2].decode(), 16)
		if d.data != s.tile[0].data {
			t.Fatal("the fast path differs")
		}
	}
}

// TestTiles_refused: what the CPU refuses is refused.
func TestTiles_refused(t *testing.T) {
	var none tiles
	if err := none.zero(0); !errors.Is(err, errConfigured) {
		t.Errorf("without a configuration: %v", err)
	}
	s := configured(t, func(c *[64]byte) { c[16+2*7], c[48+7] = 0, 0; c[16+2*6] = 32; c[48+5] = 8 })
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"a tile without a size", s.zero(7), errTile},
		{"a tile that is none", s.zero(8), errTile},
		{"twice the same tile", s.multiply(0, 1, 1), errSame},
		{"other columns", s.multiply(0, 1, 6), errShape},
		{"other rows", s.multiply(0, 5, 1), errShape},
		{"other pairs", s.multiply(0, 6, 1), errShape},
		{"one that fits", s.multiply(0, 1, 2), nil},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
	for name, change := range map[string]func(c *[64]byte){
		"palette":       func(c *[64]byte) { c[0] = 2 },
		"reserved":      func(c *[64]byte) { c[5] = 1 },
		"a ninth tile":  func(c *[64]byte) { c[32] = 64 },
		"wide":          func(c *[64]byte) { c[16] = 65 },
		"high":          func(c *[64]byte) { c[48] = 17 },
		"rows, no size": func(c *[64]byte) { c[16] = 0 },
	} {
		c := full()
		change(&c)
		if err := new(tiles).configure(c); !errors.Is(err, errConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTiles_memory moves tiles of several sizes between two places of this process.
func TestTiles_memory(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct{ rows, size, from, to int }{{16, 64, 64, 64}, {16, 64, 128, 80}, {5, 12, 12, 20}, {3, 64, 64, 100}, {16, 8, -24, 8}} {
		s := configured(t, func(config *[64]byte) { config[16], config[48] = byte(c.size), byte(c.rows) })
		src, dst := make([]byte, 4096), make([]byte, 4096)
		for i := range src {
			src[i] = byte(r.Uint32())
		}
		at := func(b []byte, stride int) rows {
			return rows{tid: os.Getpid(), base: uint64(uintptr(unsafe.Pointer(&b[1000]))), stride: uint64(stride)}
		}
		if err := s.load(0, at(src, c.from)); err != nil {
			t.Fatal(err)
		}
		if err := s.store(0, at(dst, c.to)); err != nil {
			t.Fatal(err)
		}
		want := make([]byte, 4096)
		for i := range c.rows {
			copy(want[1000+i*c.to:], src[1000+i*c.from:][:c.size])
		}
		if string(want) != string(dst) {
			t.Errorf("%+v: other bytes arrived", c)
		}
		for i, b := range s.tile[0].bytes() {
			if b != 0 && (i/64 >= c.rows || i%64 >= c.size) {
				t.Fatalf("%+v: byte %d of the tile is not zero", c, i)
			}
		}
		var no noMemory
		if err := s.load(0, rows{tid: os.Getpid(), base: 4096, stride: 64}); !errors.As(err, &no) {
			t.Errorf("loading from nowhere: %v", err)
		}
	}
}

func BenchmarkMultiply(b *testing.B) {
	s := configured(b, func(*[64]byte) {})
	r := rand.New(rand.NewPCG(9, 10))
	fill(r, &s.tile[1], -4, 0)
	fill(r, &s.tile[2], -4, 0)
	for b.Loop() {
		s.tile[2].decoded = false
		if err := s.multiply(0, 1, 2); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	s := configured(b, func(*[64]byte) {})
	src := make([]byte, 1024)
	m := rows{tid: os.Getpid(), base: uint64(uintptr(unsafe.Pointer(&src[0]))), stride: 64}
	for b.Loop() {
		if err := s.load(0, m); err != nil {
			b.Fatal(err)
		}
	}
}
