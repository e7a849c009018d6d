//go:build !purego

package kernels

import (
	"golang.org/x/sys/cpu"

	"ft/internal/stash"
)

// blockAssembly is one instruction set's part of blockOps.
type blockAssembly struct {
	tiles      [2]*tileAssembly // by Precision; nil: the Go twins serve it
	storeRows  func(dst *float32, ld int, c *float32, rows, panels int, alpha float32)
	addRows    func(dst, src *float32, ld int, c *float32, rows, panels int, alpha float32)
	squares    func(x *float32, groups int) (sum float32)
	rope       func(x *float32, heads, half int, cos, sin *float32, sign uint32)
	dropAdd    func(dst *float32, ld int, src *float32, rowStep, groupStep int, keys *uint64, rows, groups int, limit uint32, scale float32) // or nil
	fence      func(c *float32, base int, first, seen *int32)
	softmaxEnd func(rows *SoftmaxRows, lse *float32)
	scaleRows  func(c *float32, panels int, by *float32)
	capped     func(c *float32, groups int, inner, cap float32)
	capGrad    func(ds, y *float32, groups int, scale, inv float32)
	adamW      func(w, g, m, v *float32, groups int, c *AdamW)
	sumSquares func(x *float32, groups int) (sum float64)
}

// tileAssembly is what reads or writes tiles of one precision.
type tileAssembly struct {
	store       func(dst, c *float32, panels int, alpha float32)
	gated       [2]func(gate, up, act, cg, cu *float32, panels int) // by Activation
	gatedGrad   [2]func(dgate, dup, act, gate, up, c *float32, panels int)
	normRow     func(dst, xhat, x, gain *float32, groups int, inv float32)
	normBackSum func(dh, gain, xhat *float32, groups int) (sum float32)
	normBackRow func(dx, dh, gain, xhat *float32, groups int, inv, mean float32, add bool)
	pack        func(dst, src *float32, ld, rows, groups int, alpha float32)
	drop        func(dst, src *float32, keys *uint64, rows, groups int, limit uint32, scale float32) // or nil
	softmax     func(tiles, c *float32, panels int, rows *SoftmaxRows, scale float32)
	probs       func(right, c *float32, panels int, lse *float32, scale float32)
	scoreGrad   func(tiles, right, dp, p *float32, panels int, delta *float32, scale float32)
}

// wideTiles reports whether AVX-512 has what the assembly over tiles uses, and whether bfloat16 is part of it.
func wideTiles() (f32, bf16 bool) {
	f32 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL
	return f32, f32 && cpu.X86.HasAVX512BF16
}

// bestBlockOps are those for AVX-512, or AVX2 where this CPU lacks a part of it.
func bestBlockOps() blockOps {
	f32, bf16 := wideTiles()
	if !f32 {
		return blockOpsAVX2
	}
	a := blockAVX512
	if !bf16 {
		a.tiles[BF16] = nil
	}
	return a.ops()
}

var blockOpsAVX2 = blockAVX2.ops()

var blockAVX512 = blockAssembly{
	tiles: [2]*tileAssembly{
		F32: {
			store:       storeF32AVX512,
			gated:       [2]func(gate, up, act, cg, cu *float32, panels int){siluF32AVX512, geluF32AVX512},
			gatedGrad:   [2]func(dgate, dup, act, gate, up, c *float32, panels int){siluGradF32AVX512, geluGradF32AVX512},
			normRow:     normRowF32AVX512,
			normBackSum: normBackSumF32AVX512,
			normBackRow: normBackRowF32AVX512,
			pack:        packF32AVX512,
			drop:        dropF32AVX512,
			softmax:     softmaxStepF32AVX512,
			probs:       probsF32AVX512,
			scoreGrad:   scoreGradF32AVX512,
		},
		BF16: {
			store:       storeBF16AVX512,
			gated:       [2]func(gate, up, act, cg, cu *float32, panels int){siluBF16AVX512, geluBF16AVX512},
			gatedGrad:   [2]func(dgate, dup, act, gate, up, c *float32, panels int){siluGradBF16AVX512, geluGradBF16AVX512},
			normRow:     normRowBF16AVX512,
			normBackSum: normBackSumBF16AVX512,
			normBackRow: normBackRowBF16AVX512,
			pack:        packBF16AVX512,
			drop:        dropBF16AVX512,
			softmax:     softmaxStepBF16AVX512,
			probs:       probsBF16AVX512,
			scoreGrad:   scoreGradBF16AVX512,
		},
	},
	storeRows: storeRowsAVX512, addRows: addRowsAVX512, squares: squaresAVX512, rope: ropeAVX512, dropAdd: dropAddAVX512,
	fence: fenceAVX512, softmaxEnd: softmaxEndAVX512, scaleRows: scaleRowsAVX512, capped: cappedAVX512, capGrad: capGradAVX512, adamW: adamWAVX512, sumSquares: sumSquaresAVX512,
}

var blockAVX2 = blockAssembly{
	tiles: [2]*tileAssembly{F32: {
		store:       storeF32AVX2,
		gated:       [2]func(gate, up, act, cg, cu *float32, panels int){siluF32AVX2, geluF32AVX2},
		gatedGrad:   [2]func(dgate, dup, act, gate, up, c *float32, panels int){siluGradF32AVX2, geluGradF32AVX2},
		normRow:     normRowF32AVX2,
		normBackSum: normBackSumF32AVX2,
		normBackRow: normBackRowF32AVX2,
		pack:        packF32AVX2,
		softmax:     softmaxStepF32AVX2,
		probs:       probsF32AVX2,
		scoreGrad:   scoreGradF32AVX2,
	}},
	storeRows: storeRowsAVX2, addRows: addRowsAVX2, squares: squaresAVX2, rope: ropeAVX2,
	fence: fenceAVX2, softmaxEnd: softmaxEndAVX2, scaleRows: scaleRowsAVX2, capped: cappedAVX2, capGrad: capGradAVX2, adamW: adamWAVX2, sumSquares: sumSquaresAVX2,
}

// ops wraps the assembly in checks of lengths and what handles edges.
func (a blockAssembly) ops() blockOps {
	return blockOps{
		store: a.storeTiles, gated: a.gated, gatedGrad: a.gatedGrad, storeRows: a.storeRowsAny, storeRowsT: a.storeRowsT,
		norm: a.norm, normBack: a.normBack, toTiles: a.toTiles, rope: a.ropeAny,
		dropTiles: a.dropTiles, dropAdd: a.dropAddAny,
		fence: a.fencePanel, softmaxEnd: a.softmaxEndRows, scaleRows: a.scaleRowsAny, softmaxStep: a.softmaxStep, probs: a.probStrip, scoreGrad: a.scoreGradStrip,
		capScores: a.capScores, capGrad: a.capGradStrip, adamW: a.adamWAny, sumSquares: a.sumSquaresAny,
	}
}

// blockScratch is memory that assembly, called by way of a table, would make escape from the stack.
type blockScratch struct {
	in, gain, out group
	square        [resultSize]float32
}

var blockScratches stash.Stash[blockScratch]

// optional is the address of tiles that may be left out.
func optional(tiles []float32) *float32 {
	if tiles == nil {
		return nil
	}
	return &tiles[0]
}

func (a blockAssembly) storeTiles(dst, c []float32, panels int, prec Precision, alpha float32) {
	t := a.tiles[prec]
	if t == nil || panels <= 0 {
		storeGeneric(dst, c, panels, prec, alpha)
		return
	}
	dst, c = dst[:words(panels, prec)], c[:panels*resultSize]
	t.store(&dst[0], &c[0], panels, alpha)
}

func (a blockAssembly) gated(gate, up, out, cg, cu []float32, panels int, prec Precision, act Activation) {
	t := a.tiles[prec]
	if t == nil || panels <= 0 {
		gatedGeneric(gate, up, out, cg, cu, panels, prec, act)
		return
	}
	n := words(panels, prec)
	gate, up, out, cg, cu = gate[:n], up[:n], out[:n], cg[:panels*resultSize], cu[:panels*resultSize]
	t.gated[act](&gate[0], &up[0], &out[0], &cg[0], &cu[0], panels)
}

func (a blockAssembly) gatedGrad(dgate, dup, out, gate, up, c []float32, panels int, prec Precision, act Activation) {
	t := a.tiles[prec]
	if t == nil || panels <= 0 {
		gatedGradGeneric(dgate, dup, out, gate, up, c, panels, prec, act)
		return
	}
	n := words(panels, prec)
	dgate, dup, gate, up, c = dgate[:n], dup[:n], gate[:n], up[:n], c[:panels*resultSize]
	if out != nil {
		out = out[:n]
	}
	t.gatedGrad[act](&dgate[0], &dup[0], optional(out), &gate[0], &up[0], &c[0], panels)
}

func (a blockAssembly) storeRowsAny(dst, src []float32, ld int, c []float32, rows, cols int, alpha float32) {
	if rows <= 0 || cols <= 0 {
		return
	}
	panels := cols / PanelCols
	whole, n := panels*PanelCols, (rows-1)*ld+cols
	dst, c = dst[:n], c[:groups(cols)*resultSize]
	if src != nil {
		src = src[:n]
	}
	switch {
	case panels == 0:
	case src == nil:
		a.storeRows(&dst[0], ld, &c[0], rows, panels, alpha)
	default:
		a.addRows(&dst[0], &src[0], ld, &c[0], rows, panels, alpha)
	}
	if whole == cols {
		return
	}
	if src != nil {
		src = src[whole:]
	}
	storeRowsGeneric(dst[whole:], src, ld, c[panels*resultSize:], rows, cols-whole, alpha)
}

// storeRowsT transposes block by block.
func (a blockAssembly) storeRowsT(dst []float32, ld int, c []float32, rows, cols int, alpha float32) {
	s := blockScratches.Get()
	for j := 0; j < cols; j += PanelCols {
		block := c[j/PanelCols*resultSize:][:resultSize]
		for r := 0; r < rows; r += 16 {
			transpose16AVX2(&s.square[r], &block[r*PanelCols], StripRows, PanelCols, 2, 16*StripRows, 16)
		}
		a.storeRowsAny(dst[j*ld:], dst[j*ld:], ld, s.square[:], min(PanelCols, cols-j), rows, alpha)
	}
	blockScratches.Put(s)
}
