package main

// rows writes the way from rows of float32 to tiles and back: norms, conversions, and the rotary embedding. The
// columns come in groups of 32; the Go side pads the rest.
func rows(f *file) {
	variants(f, normRow)
	variants(f, normBackSum)
	variants(f, normBackRow)
	variants(f, pack)
	for _, v := range []isa{avx512, avx2} {
		squares(f, v)
		rope(f, v)
	}
}

// groups runs body over CX groups; xs point to rows outside of tiles.
func (k *kern) groups(xs, tiles []string, body func(j int)) {
	k.line("group:")
	k.row(body)
	k.advance(128, xs...)
	k.advance(k.group(), tiles...)
	k.again("CX", "group")
}

// sums clears an accumulator for each vector of a group's row, from register 0 on.
func (k *kern) sums() { k.row(func(j int) { k.zero(k.file, j) }) }

// total adds up the accumulators and their lanes into X0.
func (k *kern) total(op string) {
	for n := k.per() / 2; n > 0; n /= 2 {
		for j := range n {
			k.three(op+"PS", j+n, j, j)
		}
	}
	k.fold(k.file, op)
}

func squares(f *file, v isa) {
	k := f.kern(v, plain, "squares*(x *float32, groups int) (sum float32)")
	k.args("x", "SI", "groups", "CX")
	k.sums()
	k.groups([]string{"SI"}, nil, func(j int) {
		k.load("SI", j, 4)
		k.three("VFMADD231PS", 4, 4, j)
	})
	k.total("VADD")
	k.op("VMOVSS X0, %s", k.arg("sum"))
	k.ret()
}

func normRow(f *file, v isa, n number) {
	k := f.kern(v, n, "normRow*(dst, xhat, x, gain *float32, groups int, inv float32)")
	k.args("dst", "DI", "xhat", "DX", "x", "SI", "gain", "R8", "groups", "CX")
	k.broadcast("inv", 0)
	k.op("MOVQ DX, R11") // stays zero where there is no xhat
	k.groups([]string{"SI", "R8"}, []string{"DI", "DX"}, func(j int) {
		k.op("VMULPS %d(SI), %s, %s", k.col(j), k.r(0), k.r(1))
		k.op("TESTQ R11, R11")
		k.op("JZ   without%d", j)
		k.storeTile("DX", j, 1, 2)
		k.line("without%d:", j)
		k.op("VMULPS %d(R8), %s, %s", k.col(j), k.r(1), k.r(1))
		k.storeTile("DI", j, 1, 2)
	})
	k.ret()
}

func normBackSum(f *file, v isa, n number) {
	k := f.kern(v, n, "normBackSum*(dh, gain, xhat *float32, groups int) (sum float32)")
	k.args("dh", "SI", "gain", "R8", "xhat", "DX", "groups", "CX")
	k.sums()
	k.groups([]string{"SI", "R8"}, []string{"DX"}, func(j int) {
		k.load("SI", j, 4)
		k.op("VMULPS %d(R8), %s, %s", k.col(j), k.r(4), k.r(4))
		k.loadTile("DX", j, 5)
		k.three("VFMADD231PS", 5, 4, j)
	})
	k.total("VADD")
	k.op("VMOVSS X0, %s", k.arg("sum"))
	k.ret()
}

func normBackRow(f *file, v isa, n number) {
	k := f.kern(v, n, "normBackRow*(dx, dh, gain, xhat *float32, groups int, inv, mean float32, add bool)")
	k.args("dx", "DI", "dh", "SI", "gain", "R8", "xhat", "DX", "groups", "CX")
	k.broadcast("inv", 0)
	k.broadcast("mean", 1)
	k.op("MOVBLZX %s, AX", k.arg("add"))
	k.groups([]string{"DI", "SI", "R8"}, []string{"DX"}, func(j int) {
		k.load("SI", j, 4)
		k.op("VMULPS %d(R8), %s, %s", k.col(j), k.r(4), k.r(4))
		k.loadTile("DX", j, 5)
		k.three("VFNMADD231PS", 5, 1, 4)
		k.three("VMULPS", 0, 4, 4)
		k.op("TESTQ AX, AX")
		k.op("JZ   set%d", j)
		k.op("VADDPS %d(DI), %s, %s", k.col(j), k.r(4), k.r(4))
		k.line("set%d:", j)
		k.store("DI", j, 4)
	})
	k.ret()
}

// pack takes rows to tiles.
func pack(f *file, v isa, n number) {
	k := f.kern(v, n, "pack*(dst, src *float32, ld, rows, groups int, alpha float32)")
	k.args("dst", "DI", "src", "SI", "ld", "DX", "rows", "BX", "groups", "R9")
	k.bytes4("DX")
	k.broadcast("alpha", 0)
	k.tileRows("SI", "DX", "DI", func(j int) {
		k.op("VMULPS %d(R10), %s, %s", k.col(j), k.r(0), k.r(1))
		k.storeTile("R11", j, 1, 2)
	})
	k.ret()
}

// tileRows runs body over BX rows of R9 groups each. x points to rows at a distance of ld bytes, tiles to the strip;
// in body R10 and R11 stand for them. CX is clobbered.
func (k *kern) tileRows(x, ld, tiles string, body func(j int)) {
	k.line("row:")
	k.op("MOVQ R9, CX")
	k.op("MOVQ %s, R10", x)
	k.op("MOVQ %s, R11", tiles)
	k.groups([]string{"R10"}, []string{"R11"}, body)
	k.op("ADDQ %s, %s", ld, x)
	k.advance(64, tiles)
	k.again("BX", "row")
}

// rope rotates the pairs of one token's heads; sign is the sign bit where sines change theirs.
func rope(f *file, v isa) {
	k := f.kern(v, plain, "rope*(x *float32, heads, half int, cos, sin *float32, sign uint32)")
	k.args("x", "DI", "heads", "CX", "half", "DX", "cos", "R8", "sin", "R9")
	k.bytes4("DX")
	k.broadcast("sign", 15)
	k.op("LEAQ (DI)(DX*1), BX")
	k.line("head:")
	k.op("XORQ AX, AX")
	k.line("pair:")
	const a, b, c, s, t, u = 0, 1, 2, 3, 4, 5
	for r, base := range []string{"DI", "BX", "R8", "R9"} {
		k.op("VMOVUPS (%s)(AX*1), %s", base, k.r(r))
	}
	if v == avx512 {
		k.three("VPXORD", 15, s, s)
	} else {
		k.three("VXORPS", 15, s, s)
	}
	k.three("VMULPS", s, b, t)
	k.three("VFMSUB231PS", c, a, t)
	k.three("VMULPS", s, a, u)
	k.three("VFMADD231PS", c, b, u)
	k.op("VMOVUPS %s, (DI)(AX*1)", k.r(t))
	k.op("VMOVUPS %s, (BX)(AX*1)", k.r(u))
	k.op("ADDQ $%d, AX", k.bytes)
	k.op("CMPQ AX, DX")
	k.op("JLT  pair")
	k.op("LEAQ (DI)(DX*2), DI")
	k.op("LEAQ (BX)(DX*2), BX")
	k.again("CX", "head")
	k.ret()
}
