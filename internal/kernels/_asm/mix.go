package main

import "fmt"

// mix adds weighted sums of rows: dst[i] += sum over rows r of p[i,r]·v[r], for a fixed number of sums and a multiple
// of 16 columns. An element is one chain over the rows in ascending order that begins with what dst holds, so rows may come in
// several calls. With half, v is bfloat16.
func mix(f *file, v isa, sums int, half bool) {
	name := fmt.Sprintf("mix%d%s", sums, v.name)
	if half {
		name += "Half"
	}
	f.text(name, 64, "func "+name+"(dst *float32, dstStep int, p *float32, pStep int, v *float32, vStep, rows, columns int)")
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ dstStep+8(FP), R10")
	f.op("MOVQ p+16(FP), SI")
	f.op("MOVQ pStep+24(FP), AX")
	bases := []string{"SI", "R11", "R12", "R13"}
	for i := 1; i < sums; i++ {
		f.op("LEAQ (%s)(AX*4), %s", bases[i-1], bases[i])
	}
	f.op("MOVQ v+32(FP), R8")
	f.op("MOVQ vStep+40(FP), R9")
	f.op("SHLQ $2, R9")
	f.op("MOVQ columns+56(FP), DX")
	if v == avx512 {
		mixColumns(f, v, bases[:sums], 4, half)
		mixColumns(f, v, bases[:sums], 1, half)
	} else {
		mixColumns(f, v, bases[:sums], 2, false)
	}
	f.ret()
}

// mixColumns writes the loop over groups of columns, some vectors wide, as long as DX has so many left.
func mixColumns(f *file, v isa, bases []string, vectors int, half bool) {
	const value, weight = 16, 24
	columns, bytes := vectors*v.bytes/4, v.bytes // bytes of a vector of v
	if half {
		bytes /= 2
	}
	f.line("columns%d:", vectors)
	f.op("SUBQ $%d, DX", columns)
	f.op("JLT  end%d", vectors)
	mixSums(f, bases, vectors, func(i, at int) { f.op("VMOVUPS %d(AX), %s", at, v.r(i)) }, v)
	f.op("MOVQ R8, AX")
	f.op("XORL CX, CX")
	f.line("row%d:", vectors)
	if v == avx512 {
		for i := range vectors {
			if half {
				f.op("VPMOVZXWD %d(AX), %s", i*bytes, v.r(value+i))
				f.op("VPSLLD $16, %s, %s", v.r(value+i), v.r(value+i))
				continue
			}
			f.op("VMOVUPS %d(AX), %s", i*bytes, v.r(value+i))
		}
	}
	for r, b := range bases {
		if v == avx512 {
			f.op("VBROADCASTSS (%s)(CX*4), %s", b, v.r(weight+r))
			for i := range vectors {
				f.op("VFMADD231PS %s, %s, %s", v.r(value+i), v.r(weight+r), v.r(r*vectors+i))
			}
			continue
		}
		f.op("VBROADCASTSS (%s)(CX*4), %s", b, v.r(15-r))
		for i := range vectors {
			f.op("VFMADD231PS %d(AX), %s, %s", i*v.bytes, v.r(15-r), v.r(r*vectors+i))
		}
	}
	f.op("ADDQ R9, AX")
	f.op("INCQ CX")
	f.op("CMPQ CX, rows+48(FP)")
	f.op("JB   row%d", vectors)
	mixSums(f, bases, vectors, func(i, at int) { f.op("VMOVUPS %s, %d(AX)", v.r(i), at) }, v)
	f.op("ADDQ $%d, DI", vectors*v.bytes)
	f.op("ADDQ $%d, R8", vectors*bytes)
	f.op("JMP  columns%d", vectors)
	f.line("end%d:", vectors)
	f.op("ADDQ $%d, DX", columns)
}

// mixSums calls move for each vector of the sums, with its register and its offset from AX.
func mixSums(f *file, bases []string, vectors int, move func(i, at int), v isa) {
	f.op("MOVQ DI, AX")
	for r := range bases {
		for i := range vectors {
			move(r*vectors+i, i*v.bytes)
		}
		f.op("LEAQ (AX)(R10*4), AX")
	}
}

// gain writes the end of a norm, dst = (x·r)·gain, rounded after each product.
func gain(f *file, v isa) {
	f.text("gain"+v.name, 36, "func gain"+v.name+"(dst, x, gain *float32, n int, r float32)")
	regs := args(f, "dst", "x", "gain")
	f.op("VBROADCASTSS r+32(FP), %s", v.r(0))
	v.each(f, regs, func() {
		f.op("VMULPS (SI), %s, %s", v.r(0), v.r(1))
		f.op("VMULPS (DX), %s, %s", v.r(1), v.r(1))
		f.op("VMOVUPS %s, (DI)", v.r(1))
	})
	f.ret()
}
