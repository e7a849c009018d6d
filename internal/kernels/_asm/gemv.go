package main

import "fmt"

// gemvs writes the products of few rows: dot products of weight rows with input rows. Each is one chain of fused
// multiply-adds per lane over k in ascending order and one sum of the lanes in fixed order, so its value depends on
// neither how many rows are done together nor which.
func gemvs(f *file) {
	f.text("relax", 0, "func relax()")
	f.op("PAUSE")
	f.op("RET")
	formatConstants(f)
	for i := range 64 {
		f.line("DATA ones<>+%d(SB)/4, $0x%08x", 4*i, []uint32{0xffffffff, 0}[i/32])
	}
	f.line("GLOBL ones<>(SB), RODATA|NOPTR, $256")
	for _, v := range []isa{avx512, avx2} {
		for _, fm := range formats {
			if fm.direct {
				gemv(f, v, fm, 1, false)
			}
		}
		for rows := 2; rows <= v.inputs(); rows++ {
			gemv(f, v, formats[0], rows, false)
		}
		for rows := 1; rows <= 4; rows++ {
			mix(f, v, rows, false)
		}
		gain(f, v)
	}
	for _, fm := range formats {
		if fm.direct && fm.name != "BF16" {
			gemv(f, avx512, fm, 1, true)
		}
	}
	for rows := 1; rows <= avx512.inputs(); rows++ {
		gemv(f, avx512, formatBF16, rows, true)
		mix(f, avx512, rows, true)
	}
}

// inputs is how many input rows a float32 kernel takes at most: with four weight rows, as many as accumulators fit.
func (v isa) inputs() int {
	if v == avx512 {
		return 4
	}
	return 2
}

// ahead is the distance of prefetches in bytes. Rows are short and several are read side by side, which hardware
// foresees badly.
const ahead = 12 << 10

// gemv writes one function: any number of weight rows, four at a time (two of the K formats, whose code is long) and then one
// by one, times a fixed number of input rows. With half, inputs are bfloat16, weights are rounded to it, and a lane adds up two products
// at a time.
func gemv(f *file, v isa, fm format, inputs int, half bool) {
	name := "rows" + fm.name
	if inputs > 1 {
		name += fmt.Sprintf("x%d", inputs)
	}
	if name += v.name; half {
		name += "Half"
	}
	length := "blocks"
	if fm.name == "F32" && !half {
		length = "k"
	}
	f.text(name, 64, "func "+name+"(dst *float32, dstStep int, x *float32, xStep int, w *byte, wStep, rows, "+length+" int)")
	g := &gemvCode{coder{f, v}, fm, inputs, half}
	f.op("MOVQ dst+0(FP), R14")
	f.op("MOVQ x+16(FP), DI")
	f.op("MOVQ xStep+24(FP), AX")
	for i := 1; i < inputs; i++ {
		f.op("LEAQ (%s)(AX*4), %s", xBases[i-1], xBases[i])
	}
	f.op("MOVQ w+32(FP), SI")
	if g.masked() {
		g.length()
	} else {
		f.op("MOVQ blocks+56(FP), DX")
		f.op("IMULQ $%d, DX", g.stride())
	}
	fm.begin(g.coder, half)
	group := 4
	if fm.values > 32 {
		group = 2
	}
	f.line("group:")
	f.op("SUBQ $%d, rows+48(FP)", group)
	f.op("JLT  rest")
	f.op("MOVQ wStep+40(FP), AX")
	for i := range group - 1 {
		f.op("LEAQ (%s)(AX*1), %s", wBases[i], wBases[i+1])
	}
	g.rows(group)
	f.op("ADDQ $%d, R14", 4*group)
	f.op("MOVQ wStep+40(FP), AX")
	f.op("LEAQ (%s)(AX*1), SI", wBases[group-1])
	f.op("JMP  group")
	f.line("rest:")
	f.op("ADDQ $%d, rows+48(FP)", group)
	f.op("JZ   done")
	f.line("one:")
	g.rows(1)
	f.op("ADDQ $4, R14")
	f.op("ADDQ wStep+40(FP), SI")
	f.op("DECQ rows+48(FP)")
	f.op("JNZ  one")
	f.line("done:")
	f.ret()
}

var (
	wBases = []string{"SI", "R8", "R9", "R10"}
	xBases = []string{"DI", "R11", "R12", "R13"}
)

// gemvCode writes the loops of one function. Accumulators are registers 0 and up, those of one input row together.
type gemvCode struct {
	coder
	fm     format
	inputs int
	half   bool
}

// masked reports whether rows may end within a block: those of float32.
func (g *gemvCode) masked() bool { return g.fm.name == "F32" && !g.half }

// stride is the bytes of an input for one block.
func (g *gemvCode) stride() int {
	if g.half {
		return 2 * g.fm.values
	}
	return 4 * g.fm.values
}

// length sets DX to the bytes of whole blocks of float32. For the values after them AVX-512 has masks in K1 and K2, AVX2 a pointer
// in R15 to lanes of ones that end where the values do.
func (g *gemvCode) length() {
	g.op("MOVQ k+56(FP), DX")
	g.op("MOVQ DX, CX")
	g.op("ANDQ $31, CX")
	g.op("SUBQ CX, DX")
	g.op("SHLQ $2, DX")
	if g.isa == avx512 {
		g.op("MOVL $1, AX")
		g.op("SHLQ CX, AX")
		g.op("DECQ AX")
		g.op("KMOVW AX, K1")
		g.op("SHRQ $16, AX")
		g.op("KMOVW AX, K2")
		return
	}
	g.op("LEAQ ones<>+128(SB), R15")
	g.op("SHLQ $2, CX")
	g.op("SUBQ CX, R15")
}

// rows writes the product of weight rows with all input rows: CX is the offset in the weight rows, BX the one in the inputs.
func (g *gemvCode) rows(rows int) {
	for i := range rows * g.inputs {
		g.zero(g.file, i)
	}
	g.op("XORL CX, CX")
	g.op("XORL BX, BX")
	distance := ahead
	if g.masked() {
		distance = 0
		g.nextGroup(rows)
		g.op("TESTQ DX, DX")
		g.op("JZ   tail%d", rows)
	}
	g.line("k%d:", rows)
	if g.inputs == 1 || g.masked() {
		for _, base := range wBases[:rows] {
			for at := 0; at < g.fm.bytes; at += 64 {
				g.op("PREFETCHT0 %d(%s)(CX*1)", distance+at, base)
			}
		}
	}
	switch {
	case g.masked():
		g.floats(rows, false)
	case g.half && g.fm.name == "BF16":
		g.pairs(rows)
	default:
		for w, base := range wBases[:rows] {
			g.fm.vectors(g.coder, g.half, func(at int) string { return fmt.Sprintf("%d(%s)(CX*1)", at, base) }, g.sink(w))
		}
	}
	g.op("ADDQ $%d, CX", g.fm.bytes)
	g.op("ADDQ $%d, BX", g.stride())
	g.op("CMPQ BX, DX")
	g.op("JB   k%d", rows)
	if g.masked() {
		g.line("tail%d:", rows)
		g.op("TESTQ $31, k+56(FP)")
		g.op("JZ   sum%d", rows)
		g.floats(rows, true)
		g.line("sum%d:", rows)
	}
	g.store(rows)
}

// nextGroup sets CX to the distance of the next group of rows if there is one: for float32, whose offset BX is, CX is where to
// prefetch. Keys in a cache lie far apart, so the same distance in bytes would not do.
func (g *gemvCode) nextGroup(rows int) {
	g.op("CMPQ rows+48(FP), $%d", rows)
	g.op("JLT  last%d", rows)
	g.op("MOVQ wStep+40(FP), CX")
	g.op("SHLQ $2, CX")
	g.line("last%d:", rows)
}

// sink adds the products of a block's vectors with the only input to accumulator w.
func (g *gemvCode) sink(w int) func(i, reg int) {
	if !g.half {
		return func(i, reg int) { g.op("VFMADD231PS %d(DI)(BX*1), %s, %s", i*g.bytes, g.r(reg), g.r(w)) }
	}
	const x = 14 // temporary register
	return func(i, reg int) {
		g.op("VMOVUPS %d(DI)(BX*1), %s", i*g.bytes, g.T(x))
		g.evex("VDPBF16PS", 2, 0x52, w, g.t(x), reg)
	}
}

// rounded takes two vectors of float32 at a time and hands on one of bfloat16.
func (c coder) rounded(sink func(i, reg int)) func(i, reg int) {
	const kept, out = 12, 13 // temporary registers
	return func(i, reg int) {
		if i&1 == 0 {
			c.op("VMOVAPS %s, %s", c.r(reg), c.T(kept)) // the format may need reg for the next one
			return
		}
		c.evex("VCVTNE2PS2BF16", 3, 0x72, c.t(out), reg, c.t(kept))
		sink(i/2, c.t(out))
	}
}

// pairs writes one block of bfloat16 weights times all input rows.
func (g *gemvCode) pairs(rows int) {
	const w0, x = 4, 8
	for w, base := range wBases[:rows] {
		g.op("VMOVUPS (%s)(BX*1), %s", base, g.T(w0+w))
	}
	for r, base := range xBases[:g.inputs] {
		g.op("VMOVUPS (%s)(BX*1), %s", base, g.T(x+r%2))
		for w := range rows {
			g.evex("VDPBF16PS", 2, 0x52, r*rows+w, g.t(x+r%2), g.t(w0+w))
		}
	}
}

// floats writes one block of float32 weights, or what is left of one, times all input rows.
func (g *gemvCode) floats(rows int, masked bool) {
	const w0, x = 4, 8 // temporary registers
	for i := range g.fm.values / g.lanes() {
		load := func(base string, to int) {
			at := fmt.Sprintf("%d(%s)(BX*1)", i*g.bytes, base)
			switch {
			case !masked:
				g.op("VMOVUPS %s, %s", at, g.T(to))
			case g.isa == avx512:
				g.op("VMOVUPS.Z %s, K%d, %s", at, 1+i, g.T(to))
			default:
				g.op("VMASKMOVPS %s, %s, %s", at, g.r(14), g.T(to))
			}
		}
		if masked && g.isa == avx2 {
			g.op("VMOVUPS %d(R15), Y14", i*g.bytes)
		}
		for w, base := range wBases[:rows] {
			load(base, w0+w)
		}
		for r, base := range xBases[:g.inputs] {
			load(base, x+r%2)
			for w := range rows {
				g.op("VFMADD231PS %s, %s, %s", g.T(x+r%2), g.T(w0+w), g.r(r*rows+w))
			}
		}
	}
}

// store sums the lanes of all accumulators, halves first, then neighbours, and writes the results.
func (g *gemvCode) store(rows int) {
	if g.isa == avx512 && rows == 4 && g.inputs == 4 {
		g.storeAll()
		return
	}
	for i := range rows * g.inputs {
		if g.isa == avx512 {
			g.op("VEXTRACTF64X4 $1, Z%d, Y30", i)
			g.op("VADDPS Y30, Y%d, Y%d", i, i)
			g.op("VEXTRACTF32X4 $1, Y%d, X30", i)
			g.op("VADDPS X30, X%d, X%d", i, i)
		} else {
			g.op("VEXTRACTF128 $1, Y%d, X15", i)
			g.op("VADDPS X15, X%d, X%d", i, i)
		}
	}
	g.op("MOVQ R14, AX")
	g.op("MOVQ dstStep+8(FP), CX")
	for r := range g.inputs {
		i := r * rows
		switch rows {
		case 4:
			g.op("VHADDPS X%d, X%d, X%d", i+1, i, i)
			g.op("VHADDPS X%d, X%d, X%d", i+3, i+2, i+2)
			g.op("VHADDPS X%d, X%d, X%d", i+2, i, i)
			g.op("VMOVUPS X%d, (AX)", i)
		case 2:
			g.op("VHADDPS X%d, X%d, X%d", i+1, i, i)
			g.op("VHADDPS X%d, X%d, X%d", i, i, i)
			g.op("VMOVQ X%d, (AX)", i)
		case 1:
			g.op("VHADDPS X%d, X%d, X%d", i, i, i)
			g.op("VHADDPS X%d, X%d, X%d", i, i, i)
			g.op("VMOVSS X%d, (AX)", i)
		}
		if r+1 < g.inputs {
			g.op("LEAQ (AX)(CX*4), AX")
		}
	}
}

// storeAll is store for four rows and four inputs, sixteen sums that end in one register: half as many steps, in the same order.
func (g *gemvCode) storeAll() {
	const a, b = 30, 31 // free registers
	add := func(shuffle string, low, high, x, y, to int) {
		g.op("%s $0x%02x, Z%d, Z%d, Z%d", shuffle, low, y, x, a)
		g.op("%s $0x%02x, Z%d, Z%d, Z%d", shuffle, high, y, x, b)
		g.op("VADDPS Z%d, Z%d, Z%d", b, a, to)
	}
	for w := range 4 {
		add("VSHUFF64X2", 0x44, 0xee, w, 4+w, w)
		add("VSHUFF64X2", 0x44, 0xee, 8+w, 12+w, 8+w)
		add("VSHUFF64X2", 0x88, 0xdd, w, 8+w, w)
	}
	add("VSHUFPS", 0x88, 0xdd, 0, 1, 0)
	add("VSHUFPS", 0x88, 0xdd, 2, 3, 2)
	add("VSHUFPS", 0x88, 0xdd, 0, 2, 0)
	g.op("MOVQ dstStep+8(FP), CX")
	g.op("SHLQ $2, CX")
	g.op("LEAQ (CX)(CX*2), AX")
	g.op("VMOVUPS X0, (R14)")
	g.op("VEXTRACTF32X4 $1, Z0, (R14)(CX*1)")
	g.op("VEXTRACTF32X4 $2, Z0, (R14)(CX*2)")
	g.op("VEXTRACTF32X4 $3, Z0, (R14)(AX*1)")
}
