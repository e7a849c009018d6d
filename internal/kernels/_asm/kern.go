package main

import (
	"fmt"
	"strings"
)

// number is the number type of the tiles that a function reads and writes.
type number string

const (
	plain number = "" // no tiles
	f32   number = "F32"
	bf16  number = "BF16"
)

// kern is one function over blocks: columns go in groups of 32, a row of a group is 128 bytes of float32 outside of
// tiles. Inside, a row is 64 bytes: all 32 columns (bf16), or 16 columns, and 16 in the next block (f32).
type kern struct {
	*file
	isa
	tiles   number
	offsets map[string]int
	extra   map[string]int // registers of constants beyond those of the exponential
}

// variants calls emit for AVX-512 with each number type and for AVX2 with f32.
func variants(f *file, emit func(f *file, v isa, n number)) {
	emit(f, avx512, f32)
	emit(f, avx512, bf16)
	emit(f, avx2, f32)
}

// kern begins a function. decl is its Go declaration without func, and * for what the instruction set and number
// type add to the name.
func (f *file) kern(v isa, n number, decl string) *kern {
	decl = strings.Replace(decl, "*", string(n)+v.name, 1)
	k := &kern{f, v, n, map[string]int{}, map[string]int{}}
	name, rest, _ := strings.Cut(decl, "(")
	params, results, _ := strings.Cut(rest, ") (")
	at := k.layOut(strings.TrimSuffix(params, ")"), 0)
	if results != "" {
		at = k.layOut(strings.TrimSuffix(results, ")"), (at+7)&^7)
	}
	f.text(name, at, "func "+decl)
	return k
}

// layOut places parameters from byte at on and returns where they end.
func (k *kern) layOut(params string, at int) int {
	fields := strings.Split(params, ", ")
	sizes := make([]int, len(fields))
	for i := len(fields) - 1; i >= 0; i-- {
		name, typ, typed := strings.Cut(fields[i], " ")
		fields[i] = name
		switch {
		case !typed:
			sizes[i] = sizes[i+1]
		case typ == "float32" || typ == "uint32":
			sizes[i] = 4
		case typ == "bool":
			sizes[i] = 1
		default:
			sizes[i] = 8
		}
	}
	for i, name := range fields {
		at = (at + sizes[i] - 1) &^ (sizes[i] - 1)
		k.offsets[name] = at
		at += sizes[i]
	}
	return at
}

// arg is a parameter's place.
func (k *kern) arg(name string) string {
	at, ok := k.offsets[name]
	if !ok {
		panic("no parameter " + name)
	}
	return fmt.Sprintf("%s+%d(FP)", name, at)
}

// args loads 8-byte parameters: name, register, name, register …
func (k *kern) args(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		k.op("MOVQ %s, %s", k.arg(pairs[i]), pairs[i+1])
	}
}

// bytes4 turns distances in float32 into bytes.
func (k *kern) bytes4(regs ...string) {
	for _, r := range regs {
		k.op("SHLQ $2, %s", r)
	}
}

// broadcast fills register r with a 4-byte parameter.
func (k *kern) broadcast(name string, r int) { k.op("VBROADCASTSS %s, %s", k.arg(name), k.r(r)) }

// per is the number of vectors in a row of a group.
func (k *kern) per() int { return 128 / k.bytes }

// col is the byte of vector j in a row of a group outside of tiles.
func (k *kern) col(j int) int { return j * k.bytes }

// tile is the byte of vector j in a row of a group inside tiles.
func (k *kern) tile(j int) int {
	if k.tiles == bf16 {
		return 32 * j
	}
	in := 64 / k.bytes
	return j/in*2048 + j%in*k.bytes
}

// group is the bytes from one group to the next inside tiles.
func (k *kern) group() int {
	if k.tiles == bf16 {
		return 2048
	}
	return 4096
}

// load reads vector j of a row outside of tiles.
func (k *kern) load(at string, j, r int) { k.op("VMOVUPS %d(%s), %s", k.col(j), at, k.r(r)) }

// store writes what load reads.
func (k *kern) store(at string, j, r int) { k.op("VMOVUPS %s, %d(%s)", k.r(r), k.col(j), at) }

// loadTile reads vector j of a row inside tiles.
func (k *kern) loadTile(at string, j, r int) {
	if k.tiles == bf16 {
		k.op("VPMOVZXWD %d(%s), Z%d", k.tile(j), at, r)
		k.op("VPSLLD $16, Z%d, Z%d", r, r)
		return
	}
	k.op("VMOVUPS %d(%s), %s", k.tile(j), at, k.r(r))
}

// storeTile writes what loadTile reads, rounded to nearest even; t is clobbered.
func (k *kern) storeTile(at string, j, r, t int) {
	if k.tiles == bf16 {
		k.evex("VCVTNEPS2BF16", 2, 0x72, t, -1, r)
		k.op("VMOVUPS Y%d, %d(%s)", t, k.tile(j), at)
		return
	}
	k.op("VMOVUPS %s, %d(%s)", k.r(r), k.tile(j), at)
}

// row calls body for each vector of a row of a group.
func (k *kern) row(body func(j int)) {
	for j := range k.per() {
		body(j)
	}
}

// advance adds bytes to pointers.
func (k *kern) advance(bytes int, regs ...string) {
	for _, r := range regs {
		k.op("ADDQ $%d, %s", bytes, r)
	}
}

// again ends the loop that began with label.
func (k *kern) again(counter, label string) {
	k.op("DECQ %s", counter)
	k.op("JNZ  %s", label)
}

// strip runs body over all rows of CX panels. cs point to result blocks, tiles to tiles. AX is clobbered.
func (k *kern) strip(cs, tiles []string, body func(j int)) {
	rows := "CX"
	if k.tiles == bf16 {
		k.op("SHLQ $5, CX") // rows follow each other without a gap
	} else {
		rows = "AX"
		k.line("panel:")
		k.op("MOVQ $32, AX")
	}
	k.line("row:")
	k.row(body)
	k.advance(128, cs...)
	k.advance(64, tiles...)
	k.again(rows, "row")
	if k.tiles != bf16 {
		k.advance(2048, tiles...)
		k.again("CX", "panel")
	}
}

// three writes op d = op(c, b, a), Go's order of operands.
func (k *kern) three(op string, c, b, d int) { k.op("%s %s, %s, %s", op, k.r(c), k.r(b), k.r(d)) }

// constants fills AVX-512's registers: those of the exponential where it is used, and extra.
func (k *kern) constants(exp bool, extra ...string) {
	if k.isa == avx2 {
		return
	}
	if exp {
		k.isa.load(k.file)
	}
	for i, name := range extra {
		k.extra[name] = []int{28, 29, 30, 31, 16, 17}[i] // the last two are the bounds that expInside does without
		k.op("VBROADCASTSS %s<>(SB), Z%d", name, k.extra[name])
	}
}

// c is a constant as first operand.
func (k *kern) c(name string) string {
	if r, ok := k.extra[name]; ok {
		return k.r(r)
	}
	return k.constant(name)
}

// bound writes d = op(constant, x), op VMAXPS or VMINPS, that leaves a NaN in x.
func (k *kern) bound(op, name string, x, d int) {
	c := k.c(name)
	if k.isa == avx2 {
		c = k.r(15)
		k.op("VMOVUPS %s, %s", k.c(name), c)
	}
	k.op("%s %s, %s, %s", op, k.r(x), c, k.r(d))
}
