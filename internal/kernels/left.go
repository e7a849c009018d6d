package kernels

// Left is the left side of a product, A [m,k]: activations as they are, or plain values that are packed strip by strip.
type Left struct {
	act   Act
	mask  Mask
	f     []float32
	ld    int
	trans bool // f is stored [k,m]
}

// Acts is A = a.
func Acts(a Act) Left { return Left{act: a} }

// Masked is A = a with dropout.
func Masked(a Act, m Mask) Left { return Left{act: a, mask: m} }

// pack writes n blocks of k from block k0 on of rows lo to lo+rows of A [.,k] to dst, as blocks of a strip.
func (l *Left) pack(be *backend, prec Precision, dst []float32, lo, rows, k, k0, n int, s *scratch) {
	from := k0 * prec.Width()
	cols := max(0, min(k-from, n*prec.Width()))
	switch {
	case !l.act.Nil():
		strip := lo / StripRows
		src := l.act.Strip(strip)[k0*blockWords : (k0+n)*blockWords]
		be.ops.dropTiles(dst, src, l.mask.keys(&s.keys, strip, from), cols, l.mask.Prob, prec)
	case l.trans:
		packLeftTransposed(be, prec, dst, l.f[from*l.ld+lo:], l.ld, rows, cols, n, s)
	default:
		be.ops.toTiles(dst, l.f[lo*l.ld+from:], l.ld, rows, cols, 1, prec)
	}
}

// packLeftTransposed writes src, stored [k,rows] with row distance ld, to kb blocks of one strip, with zeros around.
func packLeftTransposed(be *backend, prec Precision, dst, src []float32, ld, rows, k, kb int, s *scratch) {
	width := prec.Width()
	s.rows = Grow(s.rows, width*StripRows)
	s.tile = Grow(s.tile, blockWords)
	for b := range kb {
		out := dst[b*blockWords : (b+1)*blockWords]
		for i := range width {
			row := s.rows[i*StripRows : (i+1)*StripRows]
			have := 0
			if at := b*width + i; at < k {
				have = copy(row[:rows], src[at*ld:at*ld+rows])
			}
			clear(row[have:])
		}
		if prec == F32 {
			be.lay.transpose16(out, s.rows, rowWords, StripRows, 1, 0, 0)
			be.lay.transpose16(out[256:], s.rows[16:], rowWords, StripRows, 1, 0, 0)
			continue
		}
		for i := range 16 {
			be.lay.pairs(s.tile[i*rowWords:], s.rows[2*i*StripRows:], s.rows[(2*i+1)*StripRows:], 1, blockWords)
		}
		be.lay.transpose16(out, s.tile, rowWords, rowWords, 2, 256, 256)
	}
}

// Transpose returns aᵀ [F,T] in dst, an Act of that shape and a's precision: the left operand of a product that
// sums over tokens.
func Transpose(dst, a Act) {
	if dst.T != a.F || dst.F != a.T || dst.Prec != a.Prec {
		panic("kernels: Transpose: shapes differ")
	}
	be := active.Load()
	s := scratches.Get()
	defer scratches.Put(s)
	from, to := a.Blocks()*blockWords, dst.Blocks()*blockWords
	s.tile = Grow(s.tile, blockWords)
	for i := range a.Strips() {
		for j := range dst.Strips() {
			if a.Prec == BF16 {
				be.lay.interleave(s.tile, a.data[i*from+j*blockWords:], 1, blockWords, blockWords)
				be.lay.transpose16(dst.data[j*to+i*blockWords:], s.tile, rowWords, rowWords, 2, 256, 256)
				continue
			}
			for half := range 2 { // columns 16·half of a's strip are rows of the result
				src, out := a.data[i*from+(2*j+half)*blockWords:], dst.data[j*to+2*i*blockWords+half*256:]
				be.lay.transpose16(out, src, rowWords, rowWords, 2, blockWords, 256)
			}
		}
	}
}
