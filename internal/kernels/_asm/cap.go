package main

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
