package kernels

import "ft/internal/quant"

// blockOps is a backend's elementwise steps around products, on the memory of single strips. All are serial: tasks
// call them.
//
// "C" is result blocks, [panels][32 rows][32 columns] float32. "Tiles" are a strip of an Act: as many float32 words
// as words(columns, prec), rounded to prec's number type where values are stored. Columns beyond the last and rows
// beyond the last are padding, zero in tiles; what makes tiles from C leaves padding as it follows from C, what makes
// them from rows of float32 writes the zeros. Wrong lengths panic. Arguments of one type may alias where they are the
// same slice, unless said otherwise.
type blockOps struct {
	// store writes dst tiles = alpha·C.
	store func(dst, c []float32, panels int, prec Precision, alpha float32)
	// gated writes the tiles gate and up from Cs, and act(cg)·cu from the values before rounding.
	gated func(gate, up, out, cg, cu []float32, panels int, prec Precision, act Activation)
	// gatedGrad writes the gradients of gate and up from C, the gradient of out = act(gate)·up, and out itself
	// unless it is nil. dgate may be gate, dup may be up.
	gatedGrad func(dgate, dup, out, gate, up, c []float32, panels int, prec Precision, act Activation)
	// storeRows writes dst [rows,cols] = src + alpha·C, row distance ld for both; without src it is dst = alpha·C.
	// src may be dst.
	storeRows func(dst, src []float32, ld int, c []float32, rows, cols int, alpha float32)
	// storeRowsT adds alpha·Cᵀ to dst [cols,rows], row distance ld.
	storeRowsT func(dst []float32, ld int, c []float32, rows, cols int, alpha float32)

	// norm is RMS norm (Zhang and Sennrich 2019, arXiv:1910.07467) of x [rows,d], row distance d, rows at most 32:
	// tiles xhat = x/rms, unless nil, and dst = x/rms·gain; inv [rows] receives 1/rms = 1/sqrt(mean of squares + eps).
	// A row depends on nothing but itself, bit for bit.
	norm func(dst, xhat, inv, x, gain []float32, rows, d int, eps float32, prec Precision)
	// normBack writes dx [rows,d] = inv·(dh·gain - xhat·mean(dh·gain·xhat)), or adds it. dx may be dh unless add.
	normBack func(dx, dh, xhat, inv, gain []float32, rows, d int, add bool, prec Precision)
	// toTiles writes dst tiles = alpha·src [rows,cols], row distance ld, rows at most 32.
	toTiles func(dst, src []float32, ld, rows, cols int, alpha float32, prec Precision)
	// rope is RoPE for one token's heads: x [heads, 2·half] in place, cos and sin [half].
	rope func(x []float32, heads, half int, cos, sin []float32, inverse bool)

	// dropTiles writes dst tiles [len(keys),cols] = src with features dropped: those that dropMask has drawn are zero,
	// the others multiplied by 1/(1-prob). Row r's mask comes from keys[r].
	dropTiles func(dst, src []float32, keys []uint64, cols int, prob float32, prec Precision)
	// dropAdd adds such a product with the same masks to dst [len(keys),cols], row distance ld. src's element (r,n)
	// is src[r·rowStep + n/32·groupStep + n%32], so that it may be rows or C. src is not dst.
	dropAdd func(dst []float32, ld int, src []float32, rowStep, groupStep int, keys []uint64, cols int, prob float32)

	// fence sets one result block's columns to -Inf that lie outside of first[r] to seen[r]-1 of their row; its columns
	// are base to base+31.
	fence func(c []float32, base int, first, seen *[StripRows]int32)
	// softmaxStep takes the next columns of each row: tiles = 2^(scale·C - top), with s.top raised to the maximum so
	// far, exactly zero where C is -Inf. s.factor is what results from earlier columns must be multiplied with; it is
	// applied to s.sum. scale is positive. A row depends on its own columns and state only, bit for bit. A NaN in a row
	// stays one in tiles.
	softmaxStep func(tiles, c []float32, panels int, s *SoftmaxRows, scale float32, prec Precision)
	// softmaxEnd sets s.factor to one over the sums and lse [32] to the binary logarithms of what they are sums of, for
	// rows with columns.
	softmaxEnd func(s *SoftmaxRows, lse []float32)
	// scaleRows multiplies each row of C by its factor.
	scaleRows func(c []float32, panels int, by *[StripRows]float32)
	// probs turns C into 2^(scale·C - lse), exactly zero for -Inf; lse [32] is not less than a row's greatest exponent. For BF16, right receives it as a right operand whose k are the rows.
	probs func(right, c []float32, panels int, lse []float32, scale float32, prec Precision)
	// scoreGrad writes tiles = ds = p·(dp-delta)·scale from Cs p and dp; delta [32]. For BF16, right receives it as a
	// right operand whose k are the rows; for F32, dp does. For BF16, dp is undefined afterwards.
	scoreGrad func(tiles, right, dp, p []float32, panels int, delta []float32, scale float32, prec Precision)
	// capScores turns C into cap·tanh(scale·C/cap), to within 2e-7·cap.
	capScores func(c []float32, panels int, scale, cap float32)
	// capGrad multiplies ds, C, by the derivative scale·(1-(y/cap)²); y, C, is what capScores gave.
	capGrad func(ds, y []float32, panels int, scale, cap float32)

	// adamW is one step on vectors of one length, see AdamW.Step.
	adamW func(w, g, m, v []float32, c *AdamW)
	// sumSquares adds in float64.
	sumSquares func(x []float32) float64
}

var blockOpsGeneric = blockOps{
	store: storeGeneric, gated: gatedGeneric, gatedGrad: gatedGradGeneric,
	storeRows: storeRowsGeneric, storeRowsT: storeRowsTGeneric,
	norm: normGeneric, normBack: normBackGeneric,
	toTiles: toTilesGeneric, rope: ropeGeneric,
	dropTiles: dropTilesGeneric, dropAdd: dropAddGeneric,
	fence: fenceGeneric, softmaxStep: softmaxStepGeneric, softmaxEnd: softmaxEndGeneric, scaleRows: scaleRowsGeneric, probs: probsGeneric,
	scoreGrad: scoreGradGeneric, capScores: capScoresGeneric, capGrad: capGradGeneric,
	adamW: adamWGeneric, sumSquares: sumSquaresGeneric,
}

// group is a row's 32 columns, of which a result block, a block of bf16 tiles and a pair of blocks of float32 tiles
// hold one each.
type group [PanelCols]float32

// groups is how many groups hold cols columns.
func groups(cols int) int { return (cols + PanelCols - 1) / PanelCols }

// words is the size of a strip of tiles.
func words(groups int, prec Precision) int { return groups * 2 * blockWords >> prec }

// read takes row r of group n from tiles.
func (v *group) read(tiles []float32, n, r int, prec Precision) {
	if prec == BF16 {
		for i, h := range halves(tiles[n*blockWords+r*16:][:16]) {
			v[i] = quant.BF16Value(h)
		}
		return
	}
	at := tiles[2*n*blockWords+r*16:]
	copy(v[:16], at[:16])
	copy(v[16:], at[blockWords:][:16])
}

// write is read's reverse.
func (v *group) write(tiles []float32, n, r int, prec Precision) {
	if prec == BF16 {
		for i, h := 0, halves(tiles[n*blockWords+r*16:][:16]); i < len(h); i++ {
			h[i] = quant.BF16Bits(v[i])
		}
		return
	}
	at := tiles[2*n*blockWords+r*16:]
	copy(at[:16], v[:16])
	copy(at[blockWords:][:16], v[16:])
}

// clearRows zeroes the tiles' rows from rows on.
func clearRows(tiles []float32, rows int) {
	for at := 0; at < len(tiles) && rows < StripRows; at += blockWords {
		clear(tiles[at+rows*16 : at+blockWords])
	}
}
