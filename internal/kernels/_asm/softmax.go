package main

import "math"

var negativeInfinity = float32(math.Inf(-1))

// Places in a stripRow (softmax of strips).
const (
	rowAt     = 0
	rowPanels = 8
	rowFirst  = 16
	rowLast   = 20
	rowTop    = 24
	rowSum    = 28
	rowSize   = 32
)

// softmax writes the steps between attention's products, on result blocks.
func softmax(f *file) {
	f.constants(append(constants, activationConstants...))
	for _, v := range []isa{avx512, avx2} {
		softmaxStrip(f, v)
		probStrip(f, v)
		scoreGrad(f, v)
		capped(f, v)
		capGrad(f, v)
	}
}

// Registers and constants of the softmax: accumulators and one value's registers lie below.
const (
	scoreScale = 14
	scoreTop   = 15
	score      = 4
)

// stripRows runs body for each of R9 rows described at R8: SI points to the first of CX panels. Columns outside of
// the row are -Inf in body; with AVX2 the Go side has seen to that.
func (k *kern) stripRows(body func()) {
	k.args("c", "DI", "rows", "R8", "n", "R9")
	k.constants(true, "ninf")
	k.broadcast("scale", scoreScale)
	k.line("row:")
	k.op("MOVQ %d(R8), SI", rowAt)
	k.op("ADDQ DI, SI")
	k.op("MOVQ %d(R8), CX", rowPanels)
	if k.isa == avx512 {
		k.op("LEAQ -1(CX), BX")
		k.op("SHLQ $12, BX")
		k.op("ADDQ SI, BX")
		k.outside(rowFirst, "SI")
		k.outside(rowLast, "BX")
	}
	body()
	k.advance(rowSize, "R8")
	k.again("R9", "row")
	k.ret()
}

// outside sets the columns of a panel's row to -Inf whose bits in a mask are zero.
func (k *kern) outside(mask int, at string) {
	k.op("KMOVD %d(R8), K1", mask)
	k.op("KSHIFTRD $16, K1, K2")
	for j := range 2 {
		k.op("VMOVUPS %s, Z%d", k.c("ninf"), j)
		k.op("VMOVUPS %d(%s), K%d, Z%d", 64*j, at, j+1, j)
		k.store(at, j, j)
	}
}

// overPanels runs body over the row's CX panels; BX points into them, DX is clobbered.
func (k *kern) overPanels(label string, body func(j int)) {
	k.op("MOVQ SI, BX")
	k.op("MOVQ CX, DX")
	k.line("%s:", label)
	k.row(body)
	k.advance(4096, "BX")
	k.again("DX", label)
}

// expScore turns vector j at BX into exp(scale·score - top).
func (k *kern) expScore(j int) {
	k.load("BX", j, score)
	k.three("VFMSUB213PS", scoreTop, scoreScale, score)
	k.exp(k.file, score, 5, 6, 7)
	k.store("BX", j, score)
}

func softmaxStrip(f *file, v isa) {
	k := f.kern(v, plain, "softmaxStrip*(c *float32, rows *stripRow, n int, scale float32)")
	k.stripRows(func() {
		k.row(func(j int) { k.load("SI", j, j) })
		k.overPanels("max", func(j int) {
			k.op("VMAXPS %d(BX), %s, %s", k.col(j), k.r(j), k.r(j))
		})
		k.total("VMAX")
		k.op("VMULSS X%d, X0, X%d", scoreScale, scoreTop)
		k.op("VMOVSS X%d, %d(R8)", scoreTop, rowTop)
		k.op("VBROADCASTSS X%d, %s", scoreTop, k.r(scoreTop))
		k.sums()
		k.overPanels("exp", func(j int) {
			k.expScore(j)
			k.three("VADDPS", score, j, j)
		})
		k.total("VADD")
		k.op("VMOVSS X0, %d(R8)", rowSum)
		k.op("VMOVSS one<>(SB), X1")
		k.op("VDIVSS X0, X1, X0")
		k.op("VBROADCASTSS X0, %s", k.r(0))
		k.overPanels("divide", func(j int) {
			k.op("VMULPS %d(BX), %s, %s", k.col(j), k.r(0), k.r(score))
			k.store("BX", j, score)
		})
	})
}

func probStrip(f *file, v isa) {
	k := f.kern(v, plain, "probStrip*(c *float32, rows *stripRow, n int, scale float32)")
	k.stripRows(func() {
		k.op("VBROADCASTSS %d(R8), %s", rowTop, k.r(scoreTop))
		k.overPanels("exp", k.expScore)
	})
}

func scoreGrad(f *file, v isa) {
	k := f.kern(v, plain, "scoreGrad*(dp, p, delta *float32, rows, panels int, scale float32)")
	k.args("dp", "DI", "p", "SI", "delta", "R8", "rows", "DX", "panels", "CX")
	k.broadcast("scale", 0)
	k.op("MOVQ $32, R10")
	k.op("SUBQ DX, R10")
	k.op("SHLQ $7, R10") // bytes of the rows that are left out
	k.line("panel:")
	k.op("MOVQ DX, AX")
	k.op("MOVQ R8, R9")
	k.line("row:")
	k.op("VBROADCASTSS (R9), %s", k.r(1))
	k.row(func(j int) {
		k.load("DI", j, 2)
		k.three("VSUBPS", 1, 2, 2)
		k.op("VMULPS %d(SI), %s, %s", k.col(j), k.r(0), k.r(3))
		k.three("VMULPS", 3, 2, 2)
		k.store("DI", j, 2)
	})
	k.advance(128, "DI", "SI")
	k.advance(4, "R9")
	k.again("AX", "row")
	k.op("ADDQ R10, DI")
	k.op("ADDQ R10, SI")
	k.again("CX", "panel")
	k.ret()
}

// capped computes cap·tanh(inner·c/2) as cap·(1-e)/(1+e) with e = exp(-inner·c).
func capped(f *file, v isa) {
	k := f.kern(v, plain, "capped*(c *float32, groups int, inner, cap float32)")
	k.args("c", "SI", "groups", "CX")
	k.constants(true, "low", "high")
	k.broadcast("inner", 13)
	k.broadcast("cap", 14)
	k.groups([]string{"SI"}, nil, func(j int) {
		k.op("VMULPS %d(SI), %s, %s", k.col(j), k.r(13), k.r(0))
		k.bound("VMAXPS", "low", 0, 0)
		k.bound("VMINPS", "high", 0, 0)
		k.zero(k.file, 1)
		k.three("VSUBPS", 0, 1, 0)
		k.expInside(k.file, 0, 1, 2, 3)
		k.op("VADDPS %s, %s, %s", k.c("one"), k.r(0), k.r(1))
		k.op("VMOVUPS %s, %s", k.c("one"), k.r(3))
		k.three("VSUBPS", 0, 3, 0)
		k.three("VDIVPS", 1, 0, 0)
		k.three("VMULPS", 14, 0, 0)
		k.store("SI", j, 0)
	})
	k.ret()
}

// capGrad multiplies by scale·(1-(y/cap)²); inv is 1/cap.
func capGrad(f *file, v isa) {
	k := f.kern(v, plain, "capGrad*(ds, y *float32, groups int, scale, inv float32)")
	k.args("ds", "DI", "y", "SI", "groups", "CX")
	k.broadcast("scale", 0)
	k.broadcast("inv", 1)
	k.groups([]string{"DI", "SI"}, nil, func(j int) {
		k.op("VMULPS %d(SI), %s, %s", k.col(j), k.r(1), k.r(2))
		k.three("VMULPS", 0, 2, 3)
		k.three("VFNMADD213PS", 0, 2, 3) // scale - scale·t²
		k.op("VMULPS %d(DI), %s, %s", k.col(j), k.r(3), k.r(3))
		k.store("DI", j, 3)
	})
	k.ret()
}
