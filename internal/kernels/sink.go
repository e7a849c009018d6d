package kernels

// SinkKind is what becomes of a product.
type SinkKind uint8

const (
	ToRows      SinkKind = iota // Rows (+)= alpha·C, or From + alpha·C
	ToRowsT                     // Rows += alpha·Cᵀ
	ToAct                       // Out = alpha·C
	ToGated                     // gate, up and Out = act(gate)·up from C and the pair's
	ToGatedGrad                 // DGate, DUp and Out = act(gate)·up from C, the gradient of Out, and Gate, Up
	ToActed                     // Up and Out = act(up) from C
	ToActedGrad                 // DUp and Out = act(up) from C, the gradient of Out, and Up
)

// Sink takes the strips of a product.
type Sink struct {
	Kind       SinkKind
	Alpha      float32 // factor of C; 0 stands for 1 unless scaled
	First      Affine  // what becomes of C before all else, and Pair of the pair
	Pair       Affine
	Rows       []float32 // ToRows: [M,N], ToRowsT: [N,M], row distance LD
	LD         int
	Add        bool
	From       []float32 // ToRows: what alpha·C is added to, laid out as Rows; nil: nothing, or Rows itself if Add
	Out        Act
	Gate, Up   Act
	DGate, DUp Act
	Act        Activation

	scaled bool
}

// Affine is (C + Bias)·Scale + Shift, column by column. What is nil has no part in it.
type Affine struct {
	Bias, Scale, Shift []float32 // [N]
	Keep               Act       // [M,N] receives C + Bias
}

// strip does that to C's strip `strip`, panels lo to hi.
func (a *Affine) strip(be *backend, c []float32, strip, lo, hi, rows int) {
	addColumns(c, a.Bias, rows, lo)
	if !a.Keep.Nil() {
		clearPadding(c, rows)
		be.ops.store(blocksFor(a.Keep, strip, lo, hi), c, hi-lo, a.Keep.Prec, 1)
	}
	scaleColumns(c, a.Scale, rows, lo)
	addColumns(c, a.Shift, rows, lo)
}

func (k *Sink) alpha() float32 {
	if k.Alpha == 0 && !k.scaled {
		return 1
	}
	return k.Alpha
}

// strip takes C's strip `strip`, panels lo to hi; c2 is the pair's.
func (k *Sink) strip(p *Product, c, c2 []float32, strip, lo, hi int) {
	rows := min(StripRows, p.M-strip*StripRows)
	if k.Kind != ToRows && k.Kind != ToRowsT {
		clearPadding(c, rows)
		clearPadding(c2, rows)
	}
	k.First.strip(p.be, c, strip, lo, hi, rows)
	k.Pair.strip(p.be, c2, strip, lo, hi, rows)
	from, cols := lo*PanelCols, min(p.N, hi*PanelCols)-lo*PanelCols
	switch k.Kind {
	case ToRows:
		at := strip*StripRows*k.LD + from
		dst, src := k.Rows[at:], []float32(nil)
		if k.From != nil {
			src = k.From[at:]
		} else if k.Add {
			src = dst
		}
		p.be.ops.storeRows(dst, src, k.LD, c, rows, cols, k.alpha())
	case ToRowsT:
		p.be.ops.storeRowsT(k.Rows[from*k.LD+strip*StripRows:], k.LD, c, rows, cols, k.alpha())
	case ToAct:
		p.be.ops.store(blocksFor(k.Out, strip, lo, hi), c, hi-lo, k.Out.Prec, k.alpha())
	case ToGated:
		p.be.ops.gated(blocksFor(k.Gate, strip, lo, hi), blocksFor(k.Up, strip, lo, hi), blocksFor(k.Out, strip, lo, hi), c, c2, hi-lo, p.Prec, k.Act)
	case ToGatedGrad:
		p.be.ops.gatedGrad(blocksFor(k.DGate, strip, lo, hi), blocksFor(k.DUp, strip, lo, hi), blocksFor(k.Out, strip, lo, hi),
			blocksFor(k.Gate, strip, lo, hi), blocksFor(k.Up, strip, lo, hi), c, hi-lo, p.Prec, k.Act)
	case ToActed, ToActedGrad:
		k.acted(p, c, strip, lo, hi)
	}
}

// clearPadding zeroes the rows of a result that products leave unspecified, from rows on: tiles are padded with zeros.
func clearPadding(c []float32, rows int) {
	for at := 0; at < len(c) && rows < StripRows; at += resultSize {
		clear(c[at+rows*PanelCols : at+resultSize])
	}
}

// blocksFor is the blocks of a's strip that panels lo to hi cover.
func blocksFor(a Act, strip, lo, hi int) []float32 {
	if a.Nil() {
		return nil
	}
	per := PanelCols / a.Prec.Width() * blockWords
	return a.Strip(strip)[lo*per : hi*per]
}

// addColumns adds v, which begins at panel lo, to each of the first rows of c.
func addColumns(c, v []float32, rows, lo int) {
	eachRow(c, v, rows, lo, func(row, v []float32) {
		for i, b := range v {
			row[i] += b
		}
	})
}

// scaleColumns multiplies the columns of c's first rows by v, which begins at panel lo.
func scaleColumns(c, v []float32, rows, lo int) {
	eachRow(c, v, rows, lo, func(row, v []float32) {
		for i, b := range v {
			row[i] *= b
		}
	})
}

// eachRow calls f with every one of the first rows of c's panels, from lo on, and the part of v for its columns.
func eachRow(c, v []float32, rows, lo int, f func(row, v []float32)) {
	for p := lo; p*PanelCols < len(v) && (p-lo)*resultSize < len(c); p++ {
		for r := range rows {
			f(c[(p-lo)*resultSize+r*PanelCols:], v[p*PanelCols:min(len(v), (p+1)*PanelCols)])
		}
	}
}
