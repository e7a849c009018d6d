package kernels

// Tiles are the serial steps on strips that a task puts together to something of its own, attention above all. Memory
// is the task's: slices that Grow or an Arena gave, of at least the lengths said here. Sums and rounding are those of
// Product, so a row does not depend on the others, bit for bit. Begin makes a Tiles ready; it is not safe for
// concurrent use.
//
// 32 tokens with `cols` features take Words(cols) in each of four forms:
//
//	strip     left operand: tokens are rows, features are k
//	panel     right operand: features are k, tokens are the columns of one panel
//	straight  right operand: tokens are k, panel p has features 32p to 32p+31 and lies p strides on
//	turned    left operand: strip m has features 32m to 32m+31 as rows, tokens are k; Words(32) each
//
// A result is blocks [panels][32 rows][32 columns] of float32, Result words each.
type Tiles struct {
	Prec Precision
	be   *backend
	tile []float32
}

// Result is the words of one block of a result.
const Result = resultSize

// Begin prepares t for work in a precision, on the backend in use.
func (t *Tiles) Begin(prec Precision) {
	t.Prec, t.be = prec, active.Load()
	t.tile = Grow(t.tile, blockWords)
}

// Words is what 32 tokens with cols features take.
func (t *Tiles) Words(cols int) int { return StripWords(cols, t.Prec) }

// Mul computes the result c = a·b, or adds to it. a is a strip of k features; each panel of b has as many, stride
// words apart.
func (t *Tiles) Mul(c, a, b []float32, k, panels, stride int, add bool) {
	t.be.multiply(c[:panels*resultSize], a, b, t.Prec, blocksOf(k, t.Prec), panels, stride, StripRows, PanelCols, add)
}

// Pack writes the strip of src [rows,cols], row distance ld, with zeros around it.
func (t *Tiles) Pack(strip, src []float32, ld, rows, cols int) {
	t.be.ops.toTiles(strip[:t.Words(cols)], src, ld, rows, cols, 1, t.Prec)
}

// Panel turns a strip into a panel.
func (t *Tiles) Panel(panel, strip []float32, cols int) {
	blocks := blocksOf(cols, t.Prec)
	if t.Prec == BF16 { // a row's words are the pairs of k that a panel wants
		t.be.lay.transpose16(panel, strip, rowWords, rowWords, 2*blocks, 256, 256)
		return
	}
	t.be.lay.transpose16(panel, strip, PanelCols, rowWords, blocks, blockWords, blockWords)
	t.be.lay.transpose16(panel[16:], strip[256:], PanelCols, rowWords, blocks, blockWords, blockWords)
}

// Straight turns a strip into its straight form.
func (t *Tiles) Straight(dst, strip []float32, cols, stride int) {
	if t.Prec == BF16 {
		t.be.lay.interleave(dst, strip, blocksOf(cols, BF16), stride, blockWords)
		return
	}
	for b := range blocksOf(cols, F32) {
		out, src := dst[b/2*stride+b%2*16:], strip[b*blockWords:(b+1)*blockWords]
		for k := range StripRows {
			copy(out[k*PanelCols:k*PanelCols+16], src[k*16:])
		}
	}
}

// Turn writes the turned form of a strip.
func (t *Tiles) Turn(dst, strip []float32, cols int) {
	for b := range blocksOf(cols, t.Prec) {
		src := strip[b*blockWords : (b+1)*blockWords]
		if t.Prec == BF16 {
			t.be.lay.interleave(t.tile, src, 1, blockWords, blockWords)
			t.be.lay.transpose16(dst[b*blockWords:], t.tile, rowWords, rowWords, 2, 256, 256)
			continue
		}
		// Block b holds 16 of strip b/2's rows; its tokens 16 and up are the second block of k.
		t.be.lay.transpose16(dst[b/2*resultSize+b%2*256:], src, rowWords, rowWords, 2, blockWords, 256)
	}
}

// Round writes the strip of result c: its columns are features.
func (t *Tiles) Round(strip, c []float32, panels int) {
	t.be.ops.store(strip[:t.Words(panels*PanelCols)], c[:panels*resultSize], panels, t.Prec, 1)
}

// TransposeResult writes the transposes of c's blocks.
func (t *Tiles) TransposeResult(dst, c []float32, panels int) {
	for half := range 2 {
		t.be.lay.transpose16(dst[half*16:], c[half*16*PanelCols:], PanelCols, PanelCols, panels, resultSize, resultSize)
		t.be.lay.transpose16(dst[half*16+16*PanelCols:], c[half*16*PanelCols+16:], PanelCols, PanelCols, panels, resultSize, resultSize)
	}
}

// AddResult adds up results of the same size.
func (t *Tiles) AddResult(c, d []float32, panels int) {
	t.be.vec.axpy(c[:panels*resultSize], 1, d[:panels*resultSize])
}

// Rows writes dst [rows,cols], row distance ld, from a result.
func (t *Tiles) Rows(dst []float32, ld int, c []float32, rows, cols int) {
	t.be.ops.storeRows(dst, nil, ld, c, rows, cols, 1)
}

// Dots writes the inner products of the rows of two strips, dst [32].
func (t *Tiles) Dots(dst, a, b []float32, cols int) {
	t.be.lay.dots(dst[:StripRows], a, b, blocksOf(cols, t.Prec), t.Prec)
}

// Fence sets the columns of one block of c to -Inf that are outside of first[r] to seen[r]-1 of their row; the block's
// first column is base.
func (t *Tiles) Fence(c []float32, base int, first, seen *[StripRows]int32) {
	t.be.ops.fence(c, base, first, seen)
}

// SoftmaxBegin, SoftmaxStep and SoftmaxEnd compute the product of a softmax with some B over keys that come in parts
// (Milakov and Gimelshein 2018, arXiv:1805.02867). A part's bounds influence the rounding.
func (t *Tiles) SoftmaxBegin(s *SoftmaxRows) { s.begin() }

// SoftmaxStep writes a strip of exponentials of scale·c, panels of 32 keys, to multiply with B; exactly zero for -Inf.
// Before their product is added to it, o, the sum of products so far, is adjusted to the new maximum.
func (t *Tiles) SoftmaxStep(strip, c []float32, panels int, s *SoftmaxRows, scale float32, o []float32, oPanels int) {
	t.be.ops.softmaxStep(strip, c, panels, s, scale*log2e, t.Prec)
	t.be.ops.scaleRows(o, oPanels, &s.factor)
}

// SoftmaxEnd divides o by the sums of exponentials and writes their binary logarithms to lse [32].
func (t *Tiles) SoftmaxEnd(o []float32, oPanels int, s *SoftmaxRows, lse []float32) {
	t.be.ops.softmaxEnd(s, lse)
	t.be.ops.scaleRows(o, oPanels, &s.factor)
}

// Probs turns c into the softmax of scale·c from what SoftmaxEnd gave as lse [32], exactly zero for -Inf, and returns it as right
// operand with the rows as k: panels stay, Words(32) apart. That is dst or c itself.
func (t *Tiles) Probs(dst, c []float32, panels int, lse []float32, scale float32) (right []float32) {
	t.be.ops.probs(dst, c, panels, lse, scale*log2e, t.Prec)
	return t.right(dst, c)
}

// ScoreGrad writes the strip of ds = p·(dp-delta)·scale, delta [32], and returns ds as right operand like Probs. dp is
// spoilt.
func (t *Tiles) ScoreGrad(strip, dst, dp, p []float32, panels int, delta []float32, scale float32) (right []float32) {
	t.be.ops.scoreGrad(strip, dst, dp, p, panels, delta, scale, t.Prec)
	return t.right(dst, dp)
}

// right is which of the two is the right operand: a float32 result needs no change.
func (t *Tiles) right(dst, c []float32) []float32 {
	if t.Prec == F32 {
		return c
	}
	return dst
}

// Cap turns c into cap·tanh(scale·c/cap).
func (t *Tiles) Cap(c []float32, panels int, scale, cap float32) {
	t.be.ops.capScores(c, panels, scale, cap)
}

// CapGrad multiplies ds by the derivative scale·(1-(y/cap)²) of what Cap gave as y.
func (t *Tiles) CapGrad(ds, y []float32, panels int, scale, cap float32) {
	t.be.ops.capGrad(ds, y, panels, scale, cap)
}

// Put copies a strip [rows,cols] to rows t and columns f of a. Both have the same precision.
func (a Act) Put(strip []float32, t, rows, f, cols int) { a.move(strip, t, rows, f, cols, true) }

// Take copies rows t and columns f of a to the strip [rows,cols] of the same precision, with zeros around.
func (a Act) Take(strip []float32, t, rows, f, cols int) {
	if rows < StripRows || cols%PanelCols != 0 {
		clear(strip[:blocksOf(cols, a.Prec)*blockWords])
	}
	a.move(strip, t, rows, f, cols, false)
}

// lineHalves is a row of a block in halves of a word, of which a float32 takes two.
const lineHalves = 2 * rowWords

// move copies between a strip and a part of a, by the stretches that lie in one block on both sides.
func (a Act) move(strip []float32, t, rows, f, cols int, put bool) {
	unit := lineHalves / a.Prec.Width()
	f, cols = f*unit, cols*unit
	for r := 0; r < rows; {
		first := (t + r) % StripRows
		count := min(rows-r, StripRows-first)
		whole := a.Strip((t + r) / StripRows)
		for n, size := 0, 0; n < cols; n += size {
			size = min(lineHalves-n%lineHalves, lineHalves-(f+n)%lineHalves, cols-n)
			dst := halves(strip[n/lineHalves*blockWords+r*rowWords:][:count*rowWords])[n%lineHalves:]
			src := halves(whole[(f+n)/lineHalves*blockWords+first*rowWords:][:count*rowWords])[(f+n)%lineHalves:]
			if put {
				dst, src = src, dst
			}
			copyLines(dst, src, count, size)
		}
		r += count
	}
}

// copyLines copies the first size halves of each of count rows.
func copyLines(dst, src []uint16, count, size int) {
	if size == lineHalves {
		copy(dst[:count*lineHalves], src)
		return
	}
	for r := range count {
		copy(dst[r*lineHalves:r*lineHalves+size], src[r*lineHalves:])
	}
}

// StripWords is Tiles.Words in a given precision.
func StripWords(cols int, prec Precision) int { return blocksOf(cols, prec) * blockWords }
