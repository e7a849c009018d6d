package main

// activationConstants are those of blockops.go: gates are held above low, where 1/(1+exp(-gate)) is still a normal
// number, and the exponential's argument below high.
var activationConstants = []constant{
	{"low", -87},
	{"high", 104.5},
	{"gateTop", 87},
	{"gelu1", 1.5957691},
	{"gelu3", 0.071354814},
	{"gelu9", 0.21406444},
	{"ninf", negativeInfinity},
}

// sinks writes what becomes of result blocks.
func sinks(f *file) {
	f.constants(append(constants, activationConstants...))
	variants(f, storeTiles)
	for _, gelu := range []bool{false, true} {
		variants(f, func(f *file, v isa, n number) { gated(f, v, n, gelu) })
		variants(f, func(f *file, v isa, n number) { gatedGrad(f, v, n, gelu) })
	}
	for _, v := range []isa{avx512, avx2} {
		storeRows(f, v)
		addRows(f, v)
	}
}

func storeTiles(f *file, v isa, n number) {
	k := f.kern(v, n, "store*(dst, c *float32, panels int, alpha float32)")
	k.args("dst", "DI", "c", "SI", "panels", "CX")
	k.broadcast("alpha", 0)
	k.strip([]string{"SI"}, []string{"DI"}, func(j int) {
		k.op("VMULPS %d(SI), %s, %s", k.col(j), k.r(0), k.r(1))
		k.storeTile("DI", j, 1, 2)
	})
	k.ret()
}

// Registers of the gated activations.
const (
	grad = iota
	gate
	up
	held  // the gate, held above low
	decay // exp(-z)
	sigm  // 1/(1+exp(-z)), the other way up at first
	tmp1
	tmp2
	tmp3
	inner // z
	slope // dz/dgate
)

// sigmoid computes decay and 1+decay, in sigm, of z, which is the gate (SiLU), or the argument of the tanh approximation turned
// into one of a sigmoid, and that one's slope.
func (k *kern) sigmoid(gelu, back bool) {
	k.bound("VMAXPS", "low", gate, held)
	z := held
	if gelu {
		z = inner
		k.bound("VMINPS", "gateTop", held, tmp1)
		k.three("VMULPS", tmp1, tmp1, tmp2)
		k.op("VMOVUPS %s, %s", k.c("gelu1"), k.r(inner))
		if back {
			k.op("VMOVUPS %s, %s", k.c("gelu1"), k.r(slope))
			k.op("VFMADD231PS %s, %s, %s", k.c("gelu9"), k.r(tmp2), k.r(slope))
		}
		k.op("VFMADD231PS %s, %s, %s", k.c("gelu3"), k.r(tmp2), k.r(inner))
		k.three("VMULPS", tmp1, inner, inner)
		k.bound("VMAXPS", "low", inner, inner)
	}
	k.bound("VMINPS", "high", z, tmp1)
	k.zero(k.file, tmp2)
	k.three("VSUBPS", tmp1, tmp2, decay)
	k.expInside(k.file, decay, tmp1, tmp2, tmp3)
	k.op("VADDPS %s, %s, %s", k.c("one"), k.r(decay), k.r(sigm))
}

func (k *kern) gateConstants(gelu bool) {
	if gelu {
		k.constants(true, "low", "high", "gateTop", "gelu1", "gelu3", "gelu9")
	} else {
		k.constants(true, "low", "high")
	}
}

func activation(gelu bool) string {
	if gelu {
		return "gelu"
	}
	return "silu"
}

func gated(f *file, v isa, n number, gelu bool) {
	k := f.kern(v, n, activation(gelu)+"*(gate, up, act, cg, cu *float32, panels int)")
	k.args("gate", "DI", "up", "SI", "act", "DX", "cg", "R8", "cu", "R9", "panels", "CX")
	k.gateConstants(gelu)
	k.strip([]string{"R8", "R9"}, []string{"DI", "SI", "DX"}, func(j int) {
		k.load("R8", j, gate)
		k.load("R9", j, up)
		k.storeTile("DI", j, gate, tmp1)
		k.storeTile("SI", j, up, tmp1)
		k.sigmoid(gelu, false)
		k.three("VDIVPS", sigm, held, held)
		k.three("VMULPS", held, up, held)
		k.storeTile("DX", j, held, tmp1)
	})
	k.ret()
}

func gatedGrad(f *file, v isa, n number, gelu bool) {
	k := f.kern(v, n, activation(gelu)+"Grad*(dgate, dup, act, gate, up, c *float32, panels int)")
	k.args("dgate", "DI", "dup", "SI", "act", "DX", "gate", "R8", "up", "R9", "c", "R10", "panels", "CX")
	k.op("MOVQ DX, R11") // stays zero where there is no act
	k.gateConstants(gelu)
	k.strip([]string{"R10"}, []string{"DI", "SI", "DX", "R8", "R9"}, func(j int) {
		k.loadTile("R8", j, gate)
		k.loadTile("R9", j, up)
		k.load("R10", j, grad)
		k.sigmoid(gelu, true)
		k.op("VMOVUPS %s, %s", k.c("one"), k.r(tmp1))
		k.three("VDIVPS", sigm, tmp1, sigm)
		k.three("VMULPS", held, sigm, held) // the activation
		k.three("VMULPS", held, grad, tmp1)
		k.storeTile("SI", j, tmp1, tmp2)
		k.op("TESTQ R11, R11")
		k.op("JZ   without%d", j)
		k.three("VMULPS", held, up, tmp1)
		k.storeTile("DX", j, tmp1, tmp2)
		k.line("without%d:", j)
		k.three("VMULPS", sigm, decay, decay) // 1 - sigmoid
		k.three("VMULPS", held, decay, decay)
		if gelu {
			k.three("VMULPS", slope, decay, decay)
		}
		k.three("VADDPS", sigm, decay, decay)
		k.three("VMULPS", up, grad, grad)
		k.three("VMULPS", decay, grad, grad)
		k.storeTile("DI", j, grad, tmp1)
	})
	k.ret()
}

// rowsOf runs body over BX rows of CX panels each: SI points to a result block's row, the other pointers to rows
// whose distances in bytes are in steps. AX and R11 to R13 are clobbered, and stand for SI and the pointers in body.
func (k *kern) rowsOf(pointers, steps []string, body func(j int)) {
	inner := []string{"R12", "R13"}[:len(pointers)]
	k.line("row:")
	k.op("MOVQ CX, AX")
	k.op("MOVQ SI, R11")
	for i, p := range pointers {
		k.op("MOVQ %s, %s", p, inner[i])
	}
	k.line("panel:")
	k.row(body)
	k.advance(4096, "R11")
	k.advance(128, inner...)
	k.again("AX", "panel")
	k.advance(128, "SI")
	for i, p := range pointers {
		k.op("ADDQ %s, %s", steps[i], p)
	}
	k.again("BX", "row")
}

func storeRows(f *file, v isa) {
	k := f.kern(v, plain, "storeRows*(dst *float32, ld int, c *float32, rows, panels int, alpha float32)")
	k.args("dst", "DI", "ld", "DX", "c", "SI", "rows", "BX", "panels", "CX")
	k.bytes4("DX")
	k.broadcast("alpha", 0)
	k.rowsOf([]string{"DI"}, []string{"DX"}, func(j int) {
		k.op("VMULPS %d(R11), %s, %s", k.col(j), k.r(0), k.r(1))
		k.store("R12", j, 1)
	})
	k.ret()
}

// addRows rounds the product and the sum, as Go code without fused operations does.
func addRows(f *file, v isa) {
	k := f.kern(v, plain, "addRows*(dst, src *float32, ld int, c *float32, rows, panels int, alpha float32)")
	k.args("dst", "DI", "src", "R8", "ld", "DX", "c", "SI", "rows", "BX", "panels", "CX")
	k.bytes4("DX")
	k.broadcast("alpha", 0)
	k.rowsOf([]string{"DI", "R8"}, []string{"DX", "DX"}, func(j int) {
		k.op("VMULPS %d(R11), %s, %s", k.col(j), k.r(0), k.r(1))
		k.op("VADDPS %d(R13), %s, %s", k.col(j), k.r(1), k.r(1))
		k.store("R12", j, 1)
	})
	k.ret()
}
