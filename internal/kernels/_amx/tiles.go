//go:build linux && amd64

package main

import (
	"errors"
	"math"
	"unsafe"
)

// tiles is the tile state of a thread. The methods are the instructions; an error is one that the CPU does not do.
// Intel, Software Developer's Manual, vol. 1, §18 and vol. 2.
type tiles struct {
	configured bool
	tile       [8]tile
}

// tile is one register: rows × size bytes, each row 64 bytes apart in data, zero beyond them.
type tile struct {
	rows, size int
	data       [256]uint32
	decoded    bool // values holds data
	values     values
}

// values is a tile as bfloat16 factors in memory order.
type values struct {
	f   [512]float32 // subnormal ones are zero
	low int          // least exponent of a value that is not zero, as it is stored; large if there is none
}

func (t *tile) bytes() *[1024]byte { return (*[1024]byte)(unsafe.Pointer(&t.data)) }

func (t *tile) clear() { t.data, t.decoded = [256]uint32{}, false }

var (
	errConfigured = errors.New("no tile configuration on this thread")
	errConfig     = errors.New("a wrong tile configuration")
	errShape      = errors.New("the tiles of a product do not fit")
	errSame       = errors.New("a product with twice the same tile")
	errTile       = errors.New("a tile that is not configured")
)

// configure is LDTILECFG.
func (t *tiles) configure(c [64]byte) error {
	if c[0] == 0 {
		t.release()
		return nil
	}
	if c[0] != 1 {
		return errConfig
	}
	for i, b := range c {
		reserved := i >= 1 && i < 16 || i >= 32 && i < 48 || i >= 56 // start_row too: only an interrupted load leaves one
		if reserved && b != 0 {
			return errConfig
		}
	}
	*t = tiles{configured: true}
	for i := range t.tile {
		size, rows := int(c[16+2*i])|int(c[17+2*i])<<8, int(c[48+i])
		if size > 64 || rows > 16 || (size == 0) != (rows == 0) {
			t.release()
			return errConfig
		}
		t.tile[i].size, t.tile[i].rows = size, rows
	}
	return nil
}

// release is TILERELEASE.
func (t *tiles) release() { *t = tiles{} }

// get is tile i, if it may be used.
func (t *tiles) get(i int) (*tile, error) {
	if !t.configured {
		return nil, errConfigured
	}
	if i > 7 || t.tile[i].rows == 0 {
		return nil, errTile
	}
	return &t.tile[i], nil
}

// zero is TILEZERO.
func (t *tiles) zero(i int) error {
	r, err := t.get(i)
	if err == nil {
		r.clear()
	}
	return err
}

// load is TILELOADD and TILELOADDT1, which differ in what they do to caches.
func (t *tiles) load(i int, m rows) error {
	r, err := t.get(i)
	if err != nil {
		return err
	}
	r.decoded = false
	b := r.bytes()
	if r.size == 64 {
		clear(b[64*r.rows:])
		return m.read(b[:], r.rows, 64)
	}
	var packed [1024]byte
	r.clear()
	err = m.read(packed[:], r.rows, r.size)
	for row := range r.rows {
		copy(b[64*row:], packed[row*r.size:(row+1)*r.size])
	}
	return err
}

// store is TILESTORED.
func (t *tiles) store(i int, m rows) error {
	r, err := t.get(i)
	if err != nil {
		return err
	}
	if r.size == 64 {
		return m.write(r.bytes()[:], r.rows, 64)
	}
	var packed [1024]byte
	for row := range r.rows {
		copy(packed[row*r.size:], r.bytes()[64*row:64*row+r.size])
	}
	return m.write(packed[:], r.rows, r.size)
}

// multiply is TDPBF16PS: d += a·b, where a row of a and a column of b hold pairs. An element's products of the pairs'
// first values have a sum of their own, those of the second values too; both sums are added, and then d. Subnormal
// values, results included, are zero.
func (t *tiles) multiply(d, a, b int) error {
	if d == a || d == b || a == b {
		return errSame
	}
	td, err := t.get(d)
	if err != nil {
		return err
	}
	ta, err := t.get(a)
	if err != nil {
		return err
	}
	tb, err := t.get(b)
	if err != nil {
		return err
	}
	if ta.size%4 != 0 || tb.size%4 != 0 || td.rows != ta.rows || ta.size/4 != tb.rows || td.size != tb.size {
		return errShape
	}
	x, y := ta.decode(), tb.decode()
	td.decoded = false
	// All products are multiples of 2^(low-127-7) of both sides, and so are their sums.
	const least = -126
	if td.rows == 16 && td.size == 64 && ta.size == 64 && x.low+y.low-2*(127+7) >= least {
		multiplyWhole(&td.data, &x.f, &y.f)
		return nil
	}
	multiplyAny(td, x, y, ta.size/4)
	return nil
}

// multiplyAny is multiply for tiles of any size, with so many pairs in a row of x.
func multiplyAny(d *tile, x, y *values, pairs int) {
	for m := range d.rows {
		for n := range d.size / 4 {
			var even, odd float32
			for k := range pairs {
				even = flush(even + float32(x.f[m*32+2*k]*y.f[k*32+2*n]))
				odd = flush(odd + float32(x.f[m*32+2*k+1]*y.f[k*32+2*n+1]))
			}
			d.data[m*16+n] = add(d.data[m*16+n], even+odd)
		}
	}
}

// multiplyWhole is multiply for full tiles whose products and sums are zero or normal, four columns at a time.
func multiplyWhole(d *[256]uint32, x, y *[512]float32) {
	for m := range 16 {
		row := (*[32]float32)(x[m*32:])
		for n := 0; n < 16; n += 4 {
			var e0, e1, e2, e3, o0, o1, o2, o3 float32
			for k := range 16 {
				even, odd := row[2*k], row[2*k+1]
				col := (*[8]float32)(y[k*32+2*n:])
				e0 += float32(even * col[0])
				o0 += float32(odd * col[1])
				e1 += float32(even * col[2])
				o1 += float32(odd * col[3])
				e2 += float32(even * col[4])
				o2 += float32(odd * col[5])
				e3 += float32(even * col[6])
				o3 += float32(odd * col[7])
			}
			c := (*[4]uint32)(d[m*16+n:])
			c[0], c[1], c[2], c[3] = add(c[0], e0+o0), add(c[1], e1+o1), add(c[2], e2+o2), add(c[3], e3+o3)
		}
	}
}

// add is the stored value c plus a sum of products.
func add(c uint32, sum float32) uint32 {
	return math.Float32bits(flush(flush(math.Float32frombits(c)) + flush(sum)))
}

// flush is v, or zero with its sign if v is subnormal.
func flush(v float32) float32 {
	if b := math.Float32bits(v); b&0x7f800000 == 0 {
		return math.Float32frombits(b & 0x80000000)
	}
	return v
}

// decode is the tile as bfloat16 values.
func (t *tile) decode() *values {
	v := &t.values
	if t.decoded {
		return v
	}
	v.low = 1 << 10
	for i, pair := range t.data {
		for j, bits := range [2]uint32{pair << 16, pair & 0xffff0000} {
			exponent := int(bits >> 23 & 0xff)
			if exponent == 0 {
				bits &= 0x80000000
			} else {
				v.low = min(v.low, exponent)
			}
			v.f[2*i+j] = math.Float32frombits(bits)
		}
	}
	t.decoded = true
	return v
}
