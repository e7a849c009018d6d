package kernels

// Operand is the right side of a product, B [k,n]: a weight in its file's number type, plain float32 values, or
// activations with their tokens as k. Trans says that it is stored [n,k].
type Operand struct {
	k, n  int
	w     *Matrix
	f     []float32
	ld    int // distance of stored rows of f
	act   Act
	mask  Mask // of act
	trans bool
}

// WeightsT is wᵀ, for the forward pass of a linear layer: B [Cols,Rows].
func WeightsT(w *Matrix) Operand { return Operand{k: w.Cols, n: w.Rows, w: w, trans: true} }

// Weights is w, for the input gradient of a linear layer: B [Rows,Cols].
func Weights(w *Matrix) Operand { return Operand{k: w.Rows, n: w.Cols, w: w} }

// Values is B [k,n] of plain values with row distance ld, stored [k,n] or, if trans, [n,k].
func Values(f []float32, ld, k, n int, trans bool) Operand {
	checkStored("Values", "B", f, ld, k, n, trans)
	return Operand{k: k, n: n, f: f, ld: ld, trans: trans}
}

// Tokens is B [T,F] = a, with dropout if the mask says so, for products that sum over tokens.
func Tokens(a Act, m Mask) Operand { return Operand{k: a.T, n: a.F, act: a, mask: m} }

// blocks is the number of blocks of k in a panel.
func (o *Operand) blocks(prec Precision) int { return blocksOf(o.k, prec) }

// unit is the number of columns that a task's part of B must be a multiple of, so that no quantisation block is
// dequantised twice.
func (o *Operand) unit() int {
	if o.w != nil && !o.trans {
		return max(PanelCols, o.w.Type.Block())
	}
	return PanelCols
}

// packChunk is how many values of a row are dequantised before they are packed: few enough for sixteen rows of them
// to stay in the first-level cache, whole blocks of every format.
const packChunk = 512

// pack writes panels lo to hi, `blocks` blocks of k from block k0 on, to dst: [panel][block], zero where B ends.
func (o *Operand) pack(be *backend, prec Precision, dst []float32, lo, hi, k0, blocks int, s *scratch) {
	switch {
	case blocks == 0:
	case !o.act.Nil():
		o.packTokens(be, dst, lo, hi, k0, blocks, s)
	case o.trans:
		o.packTransposed(be, prec, dst, lo, hi, k0, blocks, s)
	default:
		o.packStraight(be, prec, dst, lo, hi, k0, blocks, s)
	}
}

// packTransposed packs B stored [n,k], sixteen stored rows and packChunk values of k at a time.
func (o *Operand) packTransposed(be *backend, prec Precision, dst []float32, lo, hi, k0, kb int, s *scratch) {
	width := prec.Width()
	for half := 2 * lo; half < 2*hi; half++ {
		panel := dst[(half/2-lo)*kb*blockWords:][:kb*blockWords]
		for b := 0; b < kb; b += packChunk / width {
			n := min(packChunk/width, kb-b)
			rows, ld := o.rows(be, s, half*16, (k0+b)*width, n*width)
			out := panel[b*blockWords:]
			if prec == F32 {
				be.lay.transpose16(out[half%2*16:], rows, PanelCols, ld, n, blockWords, width)
				continue
			}
			s.tile = Grow(s.tile, n*256)
			for r := range 16 {
				be.lay.round(s.tile[r*rowWords:], rows[r*ld:], n, 256)
			}
			be.lay.transpose16(out[half%2*256:], s.tile, rowWords, rowWords, n, blockWords, 256)
		}
	}
}

// rows is stored rows at to at+16, values k0 to k0+n, with their distance: a view where it can be, otherwise in
// scratch, zero where B ends.
func (o *Operand) rows(be *backend, s *scratch, at, k0, n int) ([]float32, int) {
	f, ld := o.plain()
	if f != nil && at+16 <= o.n && k0+n <= o.k {
		return f[at*ld+k0:], ld
	}
	s.rows = Grow(s.rows, 16*n)
	for r := range 16 {
		out := s.rows[r*n : (r+1)*n]
		have := 0
		if at+r < o.n {
			have = max(0, min(n, o.k-k0))
			o.announce(be, at+r+1, k0, k0+have)
			o.values(be, out[:have], at+r, k0, k0+have)
		}
		clear(out[have:])
	}
	return s.rows, n
}

// packStraight packs B stored [k,n]. Two rows at a time, since BF16 puts them side by side.
func (o *Operand) packStraight(be *backend, prec Precision, dst []float32, lo, hi, k0, kb int, s *scratch) {
	panels := hi - lo
	stride, cols := kb*blockWords, panels*PanelCols
	from, to := lo*PanelCols, min(o.n, hi*PanelCols)
	s.rows = Grow(s.rows, 2*cols)
	for k := 0; k < kb*prec.Width(); k += 2 {
		var pair [2][]float32
		for i := range pair {
			pair[i] = o.row(be, s.rows[i*cols:(i+1)*cols], k0*prec.Width()+k+i, from, to)
		}
		if prec == BF16 {
			be.lay.pairs(dst[k/32*blockWords+k%32/2*rowWords:], pair[0], pair[1], panels, stride)
			continue
		}
		for i, row := range pair {
			at := (k + i) * PanelCols
			for p := range panels {
				copy(dst[p*stride+at:p*stride+at+PanelCols], row[p*PanelCols:])
			}
		}
	}
}

// row is columns from to to of stored row k, followed by zeros up to len(tmp); perhaps a view.
func (o *Operand) row(be *backend, tmp []float32, k, from, to int) []float32 {
	if k >= o.k {
		clear(tmp)
		return tmp
	}
	if f, ld := o.plain(); f != nil && to-from == len(tmp) {
		return f[k*ld+from : k*ld+to]
	}
	o.announce(be, k+1, from, to)
	o.values(be, tmp[:to-from], k, from, to)
	clear(tmp[to-from:])
	return tmp
}

// packTokens packs activations with tokens as k: their blocks have the right rows already.
func (o *Operand) packTokens(be *backend, dst []float32, lo, hi, k0, blocks int, s *scratch) {
	a := o.act
	per := PanelCols / a.Prec.Width() // blocks of a side by side in a panel, and of k in a strip
	first, strips := k0/per, blocks/per
	for p := lo; p < hi; p++ {
		out := dst[(p-lo)*blocks*blockWords:][:blocks*blockWords]
		step := a.Blocks() * blockWords
		src := a.data[first*step+p*per*blockWords:]
		if o.mask.on() {
			s.tile = Grow(s.tile, len(out))
			for i := range strips {
				keys := o.mask.keys(&s.keys, first+i, p*PanelCols)
				be.ops.dropTiles(s.tile[i*per*blockWords:][:per*blockWords], src[i*step:][:per*blockWords], keys, PanelCols, o.mask.Prob, a.Prec)
			}
			src, step = s.tile, per*blockWords
		}
		if a.Prec == BF16 {
			be.lay.interleave(out, src, strips, blockWords, step)
			continue
		}
		for i := range strips {
			for half := range 2 {
				block := src[i*step+half*blockWords:][:blockWords]
				for k := range StripRows {
					copy(out[i*resultSize+k*PanelCols+half*16:][:16], block[k*16:])
				}
			}
		}
	}
}

// plain is the stored values and their row distance, if they are float32 in memory in logical order.
func (o *Operand) plain() (f []float32, ld int) {
	if o.w == nil {
		return o.f, o.ld
	}
	if o.w.Perm == nil && o.w.replaced == nil {
		return o.w.floats, o.w.Cols
	}
	return nil, 0
}

// values writes columns lo to hi of stored row r to dst.
func (o *Operand) values(be *backend, dst []float32, r, lo, hi int) {
	if o.w == nil {
		copy(dst, o.f[r*o.ld+lo:r*o.ld+hi])
		return
	}
	if v := o.w.part(be, dst, r, lo, hi); len(v) > 0 && &v[0] != &dst[0] {
		copy(dst, v)
	}
}

// announce asks the cache for what values will read of stored row r, if there is such a row: rows lie too far
// apart for the hardware to foresee.
func (o *Operand) announce(be *backend, r, lo, hi int) {
	if o.w != nil && o.w.floats == nil && r < o.w.Rows {
		be.prefetch(o.w.stored(r, lo, hi))
	}
}
