package main

import (
	"math"
	"slices"
)

var negativeInfinity = float32(math.Inf(-1))

// powers are the constants of exp2 in softmax.go.
var powers = []constant{
	{"lowest", -151},
	{"e1", 0.693147004},
	{"e2", 0.240222424},
	{"e3", 0.0555073358},
	{"e4", 0.00967151299},
	{"e5", 0.00132647273},
	{"unit", 1},
}

// logarithms are those of softmaxEnd: log2(x) is 2/ln 2·(s + s³/3 + s⁵/5 + …) with s = (x-1)/(x+1).
var logarithms = []constant{
	{"unit", 1},
	{"root", math.Sqrt2 / 2},
	{"l1", 2 / math.Ln2},
	{"l3", 2 / math.Ln2 / 3},
	{"l5", 2 / math.Ln2 / 5},
	{"l7", 2 / math.Ln2 / 7},
	{"l9", 2 / math.Ln2 / 9},
}

// softmax writes the steps between attention's products, on result blocks.
func softmax(f *file) {
	f.constants(slices.Concat(constants, activationConstants, powers, logarithms[1:]))
	zipData(f)
	for i := range 32 {
		f.line("DATA columns<>+%d(SB)/4, $%d", 4*i, i)
	}
	f.line("GLOBL columns<>(SB), RODATA|NOPTR, $128")
	for _, v := range []isa{avx512, avx2} {
		fence(f, v)
		scaleRows(f, v)
		softmaxEnd(f, v)
		capped(f, v)
		capGrad(f, v)
	}
	variants(f, softmaxStep)
	variants(f, probs)
	variants(f, scoreGrad)
}

// fence stores -Inf in the columns that lie before a row's first or not before its last.
func fence(f *file, v isa) {
	k := f.kern(v, plain, "fence*(c *float32, base int, first, seen *int32)")
	k.args("c", "DI", "first", "SI", "seen", "DX")
	k.op("VPBROADCASTD %s, %s", k.arg("base"), k.r(0))
	k.op("VBROADCASTSS ninf<>(SB), %s", k.r(1))
	k.row(func(j int) { k.op("VPADDD columns<>+%d(SB), %s, %s", k.col(j), k.r(0), k.r(2+j)) })
	k.op("MOVQ $32, CX")
	k.line("row:")
	k.op("VPBROADCASTD (SI), %s", k.r(6))
	k.op("VPBROADCASTD (DX), %s", k.r(7))
	k.row(func(j int) {
		if v == avx512 {
			k.op("VPCMPD $1, Z6, Z%d, K1", 2+j) // column < first
			k.op("VPCMPD $5, Z7, Z%d, K2", 2+j) // column >= seen
			k.op("KORW K1, K2, K1")
			k.op("VMOVUPS Z1, K1, %d(DI)", k.col(j))
			return
		}
		k.op("VPCMPGTD Y%d, Y6, Y8", 2+j)
		k.op("VPCMPGTD Y%d, Y7, Y9", 2+j)
		k.op("VPCMPEQD Y10, Y10, Y10")
		k.op("VPXOR Y10, Y9, Y9")
		k.op("VPOR Y9, Y8, Y8")
		k.op("VMASKMOVPS Y1, Y8, %d(DI)", k.col(j))
	})
	k.advance(128, "DI")
	k.advance(4, "SI", "DX")
	k.again("CX", "row")
	k.ret()
}

// scaleRows multiplies each row by a factor of its own.
func scaleRows(f *file, v isa) {
	k := f.kern(v, plain, "scaleRows*(c *float32, panels int, by *float32)")
	k.args("c", "DI", "panels", "CX", "by", "SI")
	k.line("panel:")
	k.op("MOVQ SI, R8")
	k.op("MOVQ $32, DX")
	k.line("row:")
	k.op("VBROADCASTSS (R8), %s", k.r(0))
	k.row(func(j int) {
		k.op("VMULPS %d(DI), %s, %s", k.col(j), k.r(0), k.r(1+j))
		k.store("DI", j, 1+j)
	})
	k.advance(128, "DI")
	k.advance(4, "R8")
	k.again("DX", "row")
	k.again("CX", "panel")
	k.ret()
}

// Places of one row's values in SoftmaxRows, from the row's first on.
const (
	rowTop    = 0
	rowSum    = 128
	rowFactor = 256
	rowPart   = 384
)

// Registers of the scores' factor and what is subtracted.
const (
	scoreScale = 14
	scoreTop   = 15
)

// fill puts constants into AVX-512's registers.
func (k *kern) fill(list []constant) {
	if k.isa == avx2 {
		return
	}
	for i, c := range list {
		k.extra[c.name] = 16 + i
		k.op("VBROADCASTSS %s<>(SB), Z%d", c.name, 16+i)
	}
}

// exp2 turns register x, at most 127, into 2^x; the three registers after it are clobbered. VMAXPS returns the second
// of Intel's sources, x, for a NaN.
func (k *kern) exp2(x int) {
	n, p, t := x+1, x+2, x+3
	round := "VRNDSCALEPS"
	if k.isa == avx2 {
		round = "VROUNDPS"
		k.op("VMOVUPS %s, %s", k.c("lowest"), k.r(t))
		k.three("VMAXPS", x, t, x)
	} else {
		k.op("VMAXPS %s, %s, %s", k.r(x), k.c("lowest"), k.r(x))
	}
	k.op("%s $0, %s, %s", round, k.r(x), k.r(n))
	k.three("VSUBPS", n, x, x)
	k.op("VMOVUPS %s, %s", k.c("e5"), k.r(p))
	for _, c := range []string{"e4", "e3", "e2", "e1", "unit"} {
		k.op("VFMADD213PS %s, %s, %s", k.c(c), k.r(x), k.r(p))
	}
	if k.isa == avx512 {
		k.three("VSCALEFPS", n, p, x)
		return
	}
	// 2^n in two factors, each a float32 even where the product is not.
	k.op("VPBROADCASTD bias<>(SB), %s", k.r(t))
	k.op("VCVTPS2DQ %s, %s", k.r(n), k.r(n))
	k.op("VPSRAD $1, %s, %s", k.r(n), k.r(x))
	k.three("VPSUBD", x, n, n)
	for _, half := range []int{x, n} {
		k.three("VPADDD", t, half, half)
		k.op("VPSLLD $23, %s, %s", k.r(half), k.r(half))
		k.three("VMULPS", half, p, p)
	}
	k.op("VMOVAPS %s, %s", k.r(p), k.r(x))
}

// expScore turns register x into 2^(scale·x - top).
func (k *kern) expScore(x int) {
	k.three("VFMSUB213PS", scoreTop, scoreScale, x)
	k.exp2(x)
}

// score is the first of the four registers for vector j of a row.
func (k *kern) score(j int) int {
	if k.isa == avx2 {
		return 4
	}
	return 4 + 4*j%8
}

// softmaxStep goes through the rows one by one: maximum, then exponentials, rounded as they come, and their sum. What
// became of earlier panels' sums and factors is done for all rows in the end.
func softmaxStep(f *file, v isa, n number) {
	k := f.kern(v, n, "softmaxStep*(tiles, c *float32, panels int, rows *SoftmaxRows, scale float32)")
	k.args("tiles", "DI", "c", "SI", "rows", "R8")
	k.fill(powers)
	k.constants(false, "ninf")
	k.broadcast("scale", scoreScale)
	k.op("MOVQ $32, R9")
	k.line("row:")
	for j := range k.per() {
		k.op("VMOVUPS %s, %s", k.c("ninf"), k.r(j))
	}
	k.overPanels("max", func() {
		k.row(func(j int) { k.op("VMAXPS %d(BX), %s, %s", k.col(j), k.r(j), k.r(j)) })
	})
	k.total("VMAX")
	k.op("VMULSS X%d, X0, X0", scoreScale)
	k.op("VMOVSS %d(R8), X1", rowTop)
	k.op("VMAXSS X0, X1, X0")
	k.op("VSUBSS X0, X1, X1")
	k.op("VMOVSS X0, %d(R8)", rowTop)
	k.op("VMOVSS X1, %d(R8)", rowFactor)
	k.op("VBROADCASTSS X0, %s", k.r(scoreTop))
	k.sums()
	k.op("MOVQ DI, R10")
	k.overPanels("exp", func() {
		k.row(func(j int) {
			x := k.score(j)
			k.load("BX", j, x)
			k.expScore(x)
			k.three("VADDPS", x, j, j)
			if n != bf16 {
				k.storeTile("R10", j, x, 0)
			}
		})
		if n == bf16 {
			k.roundPair(12, k.score(0), k.score(1))
			k.op("VMOVUPS Z12, (R10)")
		}
		k.advance(k.group(), "R10")
	})
	k.total("VADD")
	k.op("VMOVSS X0, %d(R8)", rowPart)
	k.advance(128, "SI")
	k.advance(64, "DI")
	k.advance(4, "R8")
	k.again("R9", "row")
	for at := -128; at < 0; at += v.bytes {
		k.op("VMOVUPS %d(R8), %s", at+rowFactor, k.r(4))
		k.exp2(4)
		k.op("VMOVUPS %s, %d(R8)", k.r(4), at+rowFactor)
		k.op("VMOVUPS %d(R8), %s", at+rowPart, k.r(5))
		k.op("VFMADD231PS %d(R8), %s, %s", at+rowSum, k.r(4), k.r(5))
		k.op("VMOVUPS %s, %d(R8)", k.r(5), at+rowSum)
	}
	k.ret()
}

// softmaxEnd splits each sum into 2^e·x with x between √½ and √2.
func softmaxEnd(f *file, v isa) {
	k := f.kern(v, plain, "softmaxEnd*(rows *SoftmaxRows, lse *float32)")
	k.args("rows", "SI", "lse", "DI")
	k.fill(logarithms)
	k.zero(f, 0)
	for at := 0; at < 128; at += v.bytes {
		k.op("VMOVUPS %d(SI), %s", at+rowSum, k.r(1))
		k.op("VMOVUPS %s, %s", k.c("unit"), k.r(2))
		k.three("VDIVPS", 1, 2, 2)
		k.op("VMOVUPS %s, %d(SI)", k.r(2), at+rowFactor)
		k.op("VPSUBD %s, %s, %s", k.c("root"), k.r(1), k.r(2))
		k.op("VPSRAD $23, %s, %s", k.r(2), k.r(2))
		k.op("VPSLLD $23, %s, %s", k.r(2), k.r(3))
		k.three("VPSUBD", 3, 1, 3)
		k.op("VCVTDQ2PS %s, %s", k.r(2), k.r(2))
		k.op("VSUBPS %s, %s, %s", k.c("unit"), k.r(3), k.r(4))
		k.op("VADDPS %s, %s, %s", k.c("unit"), k.r(3), k.r(5))
		k.three("VDIVPS", 5, 4, 4)
		k.three("VMULPS", 4, 4, 5)
		k.op("VMOVUPS %s, %s", k.c("l9"), k.r(6))
		for _, c := range []string{"l7", "l5", "l3", "l1"} {
			k.op("VFMADD213PS %s, %s, %s", k.c(c), k.r(5), k.r(6))
		}
		k.three("VFMADD231PS", 6, 4, 2)
		k.op("VADDPS %d(SI), %s, %s", at+rowTop, k.r(2), k.r(2))
		k.three("VFMADD231PS", 0, 1, 2) // a NaN shows
		k.op("VMOVUPS %s, %d(DI)", k.r(2), at)
	}
	k.ret()
}

// overPanels runs body for each panel with BX at the row's part of it; DX is clobbered.
func (k *kern) overPanels(label string, body func()) {
	k.op("MOVQ SI, BX")
	k.op("MOVQ %s, DX", k.arg("panels"))
	k.line("%s:", label)
	body()
	k.advance(4096, "BX")
	k.again("DX", label)
}

// roundPair rounds registers lo and hi to the halves of d.
func (k *kern) roundPair(d, lo, hi int) { k.evex("VCVTNE2PS2BF16", 3, 0x72, d, hi, lo) }

// probs goes through pairs of rows, which BF16 puts side by side in a right operand.
func probs(f *file, v isa, n number) {
	k := f.kern(v, n, "probs*(right, c *float32, panels int, lse *float32, scale float32)")
	k.args("right", "DI", "c", "SI", "panels", "CX", "lse", "DX")
	k.fill(powers)
	k.broadcast("scale", scoreScale)
	if n == bf16 {
		k.op("VMOVUPS zip<>(SB), Z31")
	}
	k.rowPairs("DX", func(odd int) {
		k.op("VBROADCASTSS %d(R8), %s", 4*odd, k.r(scoreTop))
		k.row(func(j int) {
			x := k.score(j)
			k.op("VMOVUPS %d(SI), %s", 128*odd+k.col(j), k.r(x))
			k.expScore(x)
			k.op("VMOVUPS %s, %d(SI)", k.r(x), 128*odd+k.col(j))
			if n == bf16 && odd == 0 {
				k.op("VMOVAPS Z%d, Z%d", x, 28+j)
			}
		})
	}, func() {
		if n == bf16 {
			k.zip("DI", 28, k.score(0), 29, k.score(1))
		}
	})
	k.ret()
}

// zip writes two rows of two registers each to a right operand.
func (k *kern) zip(at string, even0, odd0, even1, odd1 int) {
	for half, r := range [][2]int{{even0, odd0}, {even1, odd1}} {
		k.roundPair(12+half, r[0], r[1])
		k.op("VPERMW Z%d, Z31, Z%d", 12+half, 12+half)
		k.op("VMOVUPS Z%d, %d(%s)", 12+half, 1024*half, at)
	}
	k.advance(64, at)
}

// rowPairs runs body for both rows of the 16 pairs of each of CX panels, then after. SI is at the even row's columns,
// R8 at its value in a list, R9 at its place in tiles, and DI moves by panels of a right operand.
func (k *kern) rowPairs(list string, body func(odd int), after func()) {
	k.line("panel:")
	k.op("MOVQ %s, R8", list)
	k.op("MOVQ $16, AX")
	k.line("pair:")
	body(0)
	body(1)
	after()
	k.advance(256, "SI")
	k.advance(8, "R8")
	k.advance(128, "R9")
	k.again("AX", "pair")
	if k.tiles == bf16 {
		k.advance(1024, "DI")
	} else {
		k.advance(2048, "R9")
	}
	k.again("CX", "panel")
}

// scoreGrad writes p·scale·(dp-delta), for BF16 both as left and as right operand.
func scoreGrad(f *file, v isa, n number) {
	k := f.kern(v, n, "scoreGrad*(tiles, right, dp, p *float32, panels int, delta *float32, scale float32)")
	k.args("tiles", "R9", "right", "DI", "dp", "SI", "p", "BX", "panels", "CX", "delta", "DX")
	k.broadcast("scale", scoreScale)
	if n == bf16 {
		k.op("VMOVUPS zip<>(SB), Z31")
	}
	k.rowPairs("DX", func(odd int) {
		k.op("VBROADCASTSS %d(R8), %s", 4*odd, k.r(0))
		k.row(func(j int) {
			x, at := 4+2*odd+j, 128*odd+k.col(j)
			if v == avx2 {
				x = 4 + j
			}
			k.op("VMOVUPS %d(SI), %s", at, k.r(x))
			k.three("VSUBPS", 0, x, x)
			k.op("VMULPS %d(BX), %s, %s", at, k.r(scoreScale), k.r(1))
			k.three("VMULPS", 1, x, x)
			if n != bf16 {
				k.op("VMOVUPS %s, %d(SI)", k.r(x), at)
				k.op("VMOVUPS %s, %d(R9)", k.r(x), 64*odd+k.tile(j))
			}
		})
		if n == bf16 {
			k.roundPair(2, 4+2*odd, 5+2*odd)
			k.op("VMOVUPS Z2, %d(R9)", 64*odd)
		}
	}, func() {
		if n == bf16 {
			k.zip("DI", 4, 6, 5, 7)
		}
		k.advance(256, "BX")
	})
	k.ret()
}
