package main

import (
	"fmt"
	"math"
)

// vectors writes the elementwise functions. All take a number of whole vectors (n elements, a multiple of
// 16); the Go side pads the rest, so that an element's value does not depend on its place.
func vectors(f *file) {
	f.constants(constants)
	for _, v := range []isa{avx512, avx2} {
		expSum(f, v)
		swiglu(f, v)
		dot(f, v)
		axpy(f, v)
		scaled(f, v)
		maximum(f, v)
	}
}

// constants writes a vector of each constant, and the bias of exponents, into the file's data.
func (f *file) constants(list []constant) {
	for _, c := range list {
		for i := range 8 {
			f.line("DATA %s<>+%d(SB)/4, $0x%08x // %g", c.name, 4*i, math.Float32bits(c.value), c.value)
		}
		f.line("GLOBL %s<>(SB), RODATA|NOPTR, $32", c.name)
	}
	f.line("DATA bias<>+0(SB)/8, $127\nDATA bias<>+8(SB)/8, $0\nGLOBL bias<>(SB), RODATA|NOPTR, $16")
}

// constant is a value that a file's functions share.
type constant struct {
	name  string
	value float32
}

// constants are those of exp.go, in its order of use; AVX-512 keeps constant i in register Z16+i. The
// bounds lie a little outside the range of results, which overflow and underflow by themselves.
var constants = []constant{
	{"bottom", -104.5},
	{"top", 89},
	{"log2e", 1.44269504},
	{"ln2Hi", -0.693359375},
	{"ln2Lo", 2.12194440e-4},
	{"p0", 1.9875691500e-4},
	{"p1", 1.3981999507e-3},
	{"p2", 8.3334519073e-3},
	{"p3", 4.1665795894e-2},
	{"p4", 1.6666665459e-1},
	{"p5", 5.0000001201e-1},
	{"one", 1},
}

// constant is an operand: a register with AVX-512, memory with AVX2.
func (v isa) constant(name string) string {
	if v == avx2 {
		return name + "<>(SB)"
	}
	for i, c := range constants {
		if c.name == name {
			return fmt.Sprintf("Z%d", 16+i)
		}
	}
	panic("no constant " + name)
}

// load fills AVX-512's constant registers.
func (v isa) load(f *file) {
	if v == avx2 {
		return
	}
	for i, c := range constants {
		f.op("VBROADCASTSS %s<>(SB), Z%d", c.name, 16+i)
	}
}

// r is register i.
func (v isa) r(i int) string { return fmt.Sprintf("%s%d", v.reg, i) }

// exp replaces register x by its exponential; n, p and t are clobbered. The bounds come as first source of
// VMAXPS and VMINPS because those return the second, here x, for a NaN.
func (v isa) exp(f *file, x, n, p, t int) {
	X, T, c := v.r(x), v.r(t), v.constant
	if v == avx2 {
		for _, bound := range [][2]string{{"VMAXPS", "bottom"}, {"VMINPS", "top"}} {
			f.op("VMOVUPS %s, %s", c(bound[1]), T)
			f.op("%s %s, %s, %s", bound[0], X, T, X)
		}
	} else {
		f.op("VMAXPS %s, %s, %s", X, c("bottom"), X)
		f.op("VMINPS %s, %s, %s", X, c("top"), X)
	}
	v.expInside(f, x, n, p, t)
}

// expInside is exp for values between the bounds.
func (v isa) expInside(f *file, x, n, p, t int) {
	X, N, P, T, c := v.r(x), v.r(n), v.r(p), v.r(t), v.constant
	f.op("VMULPS %s, %s, %s", c("log2e"), X, N)
	if v == avx2 {
		f.op("VROUNDPS $0, %s, %s", N, N)
	} else {
		f.op("VRNDSCALEPS $0, %s, %s", N, N)
	}
	f.op("VFMADD231PS %s, %s, %s", c("ln2Hi"), N, X)
	f.op("VFMADD231PS %s, %s, %s", c("ln2Lo"), N, X)
	f.op("VMOVUPS %s, %s", c("p0"), P)
	for _, p := range []string{"p1", "p2", "p3", "p4", "p5"} {
		f.op("VFMADD213PS %s, %s, %s", c(p), X, P)
	}
	f.op("VMULPS %s, %s, %s", X, X, T)
	f.op("VFMADD213PS %s, %s, %s", X, T, P)
	f.op("VADDPS %s, %s, %s", c("one"), P, X)
	if v == avx512 {
		f.op("VSCALEFPS %s, %s, %s", N, X, X)
		return
	}
	// 2^n in two factors, each a float32 even where the product is not.
	f.op("VPBROADCASTD bias<>(SB), %s", T)
	f.op("VCVTPS2DQ %s, %s", N, N)
	f.op("VPSRAD $1, %s, %s", N, P)
	f.op("VPSUBD %s, %s, %s", P, N, N)
	for _, half := range []string{P, N} {
		f.op("VPADDD %s, %s, %s", T, half, half)
		f.op("VPSLLD $23, %s, %s", half, half)
		f.op("VMULPS %s, %s, %s", half, X, X)
	}
}

// reduce adds up the lanes of register 0 into X0, with register 1 as help.
func (v isa) reduce(f *file) { v.fold(f, "VADD") }

// fold is reduce for VADD or VMAX.
func (v isa) fold(f *file, op string) {
	if v == avx512 {
		f.op("VEXTRACTF64X4 $1, Z0, Y1")
		f.op("%sPS Y1, Y0, Y0", op)
	}
	f.op("VEXTRACTF128 $1, Y0, X1")
	f.op("%sPS X1, X0, X0", op)
	f.op("VPERMILPS $0x4e, X0, X1")
	f.op("%sPS X1, X0, X0", op)
	f.op("VPERMILPS $0xb1, X0, X1")
	f.op("%sSS X1, X0, X0", op)
}

// each writes a loop over vectors of n elements; body gets the byte offset register's operand suffix.
func (v isa) each(f *file, pointers []string, body func()) {
	f.op("SHRQ $%d, CX", map[isa]int{avx2: 3, avx512: 4}[v])
	f.line("loop:")
	body()
	for _, p := range pointers {
		f.op("ADDQ $%d, %s", v.bytes, p)
	}
	f.op("DECQ CX")
	f.op("JNZ  loop")
}

// args loads pointer arguments and n into registers, and returns them.
func args(f *file, names ...string) []string {
	regs := []string{"DI", "SI", "DX", "R8", "R9"}[:len(names)]
	for i, n := range names {
		f.op("MOVQ %s+%d(FP), %s", n, 8*i, regs[i])
	}
	f.op("MOVQ n+%d(FP), CX", 8*len(names))
	return regs
}

func expSum(f *file, v isa) {
	f.text("expSum"+v.name, 36, "func expSum"+v.name+"(dst, x *float32, n int, sub float32) (sum float32)")
	regs := args(f, "dst", "x")
	v.load(f)
	f.op("VBROADCASTSS sub+24(FP), %s", v.r(15))
	v.zero(f, 0)
	v.each(f, regs, func() {
		f.op("VMOVUPS (SI), %s", v.r(2))
		f.op("VSUBPS %s, %s, %s", v.r(15), v.r(2), v.r(2))
		v.exp(f, 2, 3, 4, 5)
		f.op("VADDPS %s, %s, %s", v.r(2), v.r(0), v.r(0))
		f.op("VMOVUPS %s, (DI)", v.r(2))
	})
	v.reduce(f)
	f.op("VMOVSS X0, sum+32(FP)")
	f.ret()
}

func swiglu(f *file, v isa) {
	f.text("swiglu"+v.name, 32, "func swiglu"+v.name+"(dst, gate, up *float32, n int)")
	regs := args(f, "dst", "gate", "up")
	v.load(f)
	v.zero(f, 0)
	v.each(f, regs, func() {
		f.op("VMOVUPS (SI), %s", v.r(1))
		f.op("VSUBPS %s, %s, %s", v.r(1), v.r(0), v.r(2))
		v.exp(f, 2, 3, 4, 5)
		f.op("VADDPS %s, %s, %s", v.constant("one"), v.r(2), v.r(2))
		f.op("VDIVPS %s, %s, %s", v.r(2), v.r(1), v.r(1))
		f.op("VMULPS (DX), %s, %s", v.r(1), v.r(1))
		f.op("VMOVUPS %s, (DI)", v.r(1))
	})
	f.ret()
}

func dot(f *file, v isa) {
	f.text("dot"+v.name, 28, "func dot"+v.name+"(a, b *float32, n int) (sum float32)")
	regs := args(f, "a", "b")
	v.zero(f, 0)
	v.each(f, regs, func() {
		f.op("VMOVUPS (DI), %s", v.r(1))
		f.op("VFMADD231PS (SI), %s, %s", v.r(1), v.r(0))
	})
	v.reduce(f)
	f.op("VMOVSS X0, sum+24(FP)")
	f.ret()
}

func axpy(f *file, v isa) {
	f.text("axpy"+v.name, 28, "func axpy"+v.name+"(dst, x *float32, n int, a float32)")
	regs := args(f, "dst", "x")
	f.op("VBROADCASTSS a+24(FP), %s", v.r(0))
	v.each(f, regs, func() {
		f.op("VMOVUPS (DI), %s", v.r(1))
		f.op("VFMADD231PS (SI), %s, %s", v.r(0), v.r(1))
		f.op("VMOVUPS %s, (DI)", v.r(1))
	})
	f.ret()
}

func scaled(f *file, v isa) {
	f.text("scale"+v.name, 20, "func scale"+v.name+"(x *float32, n int, a float32)")
	regs := args(f, "x")
	f.op("VBROADCASTSS a+16(FP), %s", v.r(0))
	v.each(f, regs, func() {
		f.op("VMULPS (DI), %s, %s", v.r(0), v.r(1))
		f.op("VMOVUPS %s, (DI)", v.r(1))
	})
	f.ret()
}

// maximum takes four vectors at a time, as one chain of maxima would wait for each. It leaves the lanes to Go: 16
// values, or 8 twice.
func maximum(f *file, v isa) {
	f.text("maximum"+v.name, 24, "func maximum"+v.name+"(tops, x *float32, n int)")
	args(f, "tops", "x")
	f.op("SHRQ $%d, CX", map[isa]int{avx2: 3, avx512: 4}[v])
	for r := range 4 {
		f.op("VMOVUPS (SI), %s", v.r(r))
	}
	f.op("MOVQ CX, DX")
	f.op("SHRQ $2, DX")
	f.op("JZ   rest")
	f.line("four:")
	for r := range 4 {
		f.op("VMAXPS %d(SI), %s, %s", r*v.bytes, v.r(r), v.r(r))
	}
	f.op("ADDQ $%d, SI", 4*v.bytes)
	f.op("DECQ DX")
	f.op("JNZ  four")
	f.line("rest:")
	f.op("ANDQ $3, CX")
	f.op("JZ   done")
	f.line("one:")
	f.op("VMAXPS (SI), %s, %s", v.r(0), v.r(0))
	f.op("ADDQ $%d, SI", v.bytes)
	f.op("DECQ CX")
	f.op("JNZ  one")
	f.line("done:")
	for _, pair := range [][2]int{{0, 1}, {2, 3}, {0, 2}} {
		f.op("VMAXPS %s, %s, %s", v.r(pair[1]), v.r(pair[0]), v.r(pair[0]))
	}
	for at := 0; at < 64; at += v.bytes {
		f.op("VMOVUPS %s, %d(DI)", v.r(0), at)
	}
	f.ret()
}
