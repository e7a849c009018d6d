package kernels

import "unsafe"

// operand is B [k,n]: a matrix in its file's type or plain values with row distance ld; trans says it is
// stored [n,k].
type operand struct {
	w     *Matrix
	f     []float32
	ld    int
	trans bool
}

// part is columns lo to hi of stored row r, perhaps in tmp.
func (o *operand) part(be *backend, tmp []float32, r, lo, hi int) []float32 {
	if o.w != nil {
		return o.w.part(be, tmp, r, lo, hi)
	}
	return o.f[r*o.ld+lo : r*o.ld+hi]
}

// plain is the stored values and their row distance, if they are float32 in memory in logical order.
func (o *operand) plain() (f []float32, ld int) {
	if o.w == nil {
		return o.f, o.ld
	}
	if o.w.Perm == nil {
		return o.w.floats, o.w.Cols
	}
	return nil, 0
}

// pack fills s.panels with columns j0 to j1 of k0 to k1: [columns/nr][k][nr], missing columns zero.
func (o *operand) pack(be *backend, s *scratch, j0, j1, k0, k1 int) {
	n := (j1 - j0 + be.nr - 1) / be.nr
	s.panels = grow(s.panels, n*be.nr*(k1-k0))
	if o.trans {
		o.packRows(be, s, j0, j1, k0, k1)
	} else {
		o.packColumns(be, s, j0, j1, k0, k1)
	}
}

// packRows packs B stored [n,k]: be.group stored rows at a time are dequantised and transposed, few enough
// to stay in the first-level cache between the two.
func (o *operand) packRows(be *backend, s *scratch, j0, j1, k0, k1 int) {
	k, nr, group := k1-k0, be.nr, be.group
	f, ld := o.plain()
	for j, at := j0, 0; j < j1; j, at = j+nr, at+nr*k {
		panel := s.panels[at : at+nr*k]
		for i := 0; i < nr; i += group {
			if f != nil && j+i+group <= j1 {
				be.transpose(panel[i:], f[(j+i)*ld+k0:(j+i+group-1)*ld+k1], ld, k)
				continue
			}
			be.transpose(panel[i:], o.gather(be, s, j+i, j1, k0, k1), k, k)
		}
	}
}

// gather returns the values of be.group stored rows from j on, k0 to k1, close together; those from j1 on
// are zero.
func (o *operand) gather(be *backend, s *scratch, j, j1, k0, k1 int) []float32 {
	k := k1 - k0
	s.rows = grow(s.rows, be.group*k)
	for i := range be.group {
		tmp := s.rows[i*k : (i+1)*k]
		if j+i >= j1 {
			clear(tmp)
			continue
		}
		o.announce(be, j+i+1, k0, k1)
		if v := o.part(be, tmp, j+i, k0, k1); &v[0] != &tmp[0] {
			copy(tmp, v)
		}
	}
	return s.rows
}

// announce asks the cache for what part will read of stored row r, if there is such a row: rows lie too far
// apart for the hardware to foresee.
func (o *operand) announce(be *backend, r, lo, hi int) {
	if o.w != nil && o.w.floats == nil && r < o.w.Rows {
		be.prefetch(o.w.stored(r, lo, hi))
	}
}

// packColumns packs B stored [k,n]: each stored row is dealt out to the panels.
func (o *operand) packColumns(be *backend, s *scratch, j0, j1, k0, k1 int) {
	k, nr := k1-k0, be.nr
	s.rows = grow(s.rows, j1-j0)
	for i := range k {
		o.announce(be, k0+i+1, j0, j1)
		v := o.part(be, s.rows, k0+i, j0, j1)
		at := i * nr
		for ; len(v) >= nr; at += nr * k {
			copy(s.panels[at:at+nr], v)
			v = v[nr:]
		}
		if len(v) > 0 {
			clear(s.panels[at+copy(s.panels[at:at+nr], v) : at+nr])
		}
	}
}

// packStrip copies rows lo to hi of op(A), k0 to k1, close together: kernels then read few pages, and rows
// a power of two apart do not fall on the same cache lines.
func (p *product) packStrip(s *scratch, lo, hi, k0, k1 int) {
	rows, k := hi-lo, k1-k0
	t := &s.tile
	t.rows, t.k = rows, k
	if p.transA {
		t.rowStep, t.kStep = 1, rows
		s.strip = grow(s.strip, rows*k)
		for i := range k {
			copy(s.strip[i*rows:(i+1)*rows], p.a[(k0+i)*p.lda+lo:])
		}
	} else {
		t.rowStep, t.kStep = k+16, 1
		s.strip = grow(s.strip, rows*t.rowStep)
		for r := range rows {
			copy(s.strip[r*t.rowStep:r*t.rowStep+k], p.a[(lo+r)*p.lda+k0:])
		}
	}
	t.a = s.strip
}

// grow is v, or a new slice aligned to 64 bytes, with room for n values; contents are undefined.
func grow(v []float32, n int) []float32 {
	if n <= cap(v) {
		return v[:n]
	}
	v = make([]float32, n+15)
	skip := int(-uintptr(unsafe.Pointer(&v[0]))%64) / 4
	return v[skip : skip+n]
}
