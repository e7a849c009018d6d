package main

// optimizer writes the steps of training on flat vectors.
func optimizer(f *file) {
	for _, v := range []isa{avx512, avx2} {
		adamW(f, v)
		sumSquares(f, v)
	}
}

// adamW rounds after every operation and divides and takes roots exactly: the same bits as the twin in Go.
func adamW(f *file, v isa) {
	k := f.kern(v, plain, "adamW*(w, dw, m, v *float32, groups int, c *AdamW)")
	k.args("w", "DI", "dw", "SI", "m", "DX", "v", "R8", "groups", "CX", "c", "R9")
	const first, grow1, beta2, grow2, keep, rate, root, eps = 8, 8, 9, 10, 11, 12, 13, 14
	for i := range 7 {
		k.op("VBROADCASTSS %d(R9), %s", 4*i, k.r(first+i))
	}
	k.groups([]string{"DI", "SI", "DX", "R8"}, nil, func(j int) {
		const g, m, v, w, t, n = 0, 1, 2, 3, 4, 5
		for r, at := range []string{"SI", "DX", "R8", "DI"} {
			k.load(at, j, r)
		}
		k.three("VSUBPS", m, g, t)
		k.three("VMULPS", grow1, t, t)
		k.three("VADDPS", t, m, m)
		k.store("DX", j, m)
		k.three("VMULPS", beta2, v, v)
		k.three("VMULPS", grow2, g, t)
		k.three("VMULPS", g, t, t)
		k.three("VADDPS", t, v, v)
		k.store("R8", j, v)
		k.op("VSQRTPS %s, %s", k.r(v), k.r(t))
		k.three("VDIVPS", root, t, t)
		k.three("VADDPS", eps, t, t)
		k.three("VMULPS", rate, m, n)
		k.three("VDIVPS", t, n, n)
		k.three("VMULPS", keep, w, w)
		k.three("VSUBPS", n, w, w)
		k.store("DI", j, w)
	})
	k.ret()
}

// sumSquares adds in float64, four vectors of sums.
func sumSquares(f *file, v isa) {
	k := f.kern(v, plain, "sumSquares*(x *float32, groups int) (sum float64)")
	k.args("x", "SI", "groups", "CX")
	for j := range 4 {
		k.zero(k.file, j)
	}
	k.line("group:")
	for j := range 256 / k.bytes { // vectors of float64
		k.op("VCVTPS2PD %d(SI), %s", j*k.bytes/2, k.r(4+j%4))
		k.three("VFMADD231PD", 4+j%4, 4+j%4, j%4)
	}
	k.advance(128, "SI")
	k.again("CX", "group")
	k.three("VADDPD", 2, 0, 0)
	k.three("VADDPD", 3, 1, 1)
	k.three("VADDPD", 1, 0, 0)
	if v == avx512 {
		k.op("VEXTRACTF64X4 $1, Z0, Y1")
		k.op("VADDPD Y1, Y0, Y0")
	}
	k.op("VEXTRACTF128 $1, Y0, X1")
	k.op("VADDPD X1, X0, X0")
	k.op("VPERMILPD $1, X0, X1")
	k.op("VADDSD X1, X0, X0")
	k.op("VMOVSD X0, %s", k.arg("sum"))
	k.ret()
}
