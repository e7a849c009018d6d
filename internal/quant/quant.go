// Package quant knows the number formats that model files store: their block sizes, how a row of them
// becomes float32, and how float32 is rounded to them. It is the plain specification; internal/kernels
// holds the fast twins. Layouts are ggml's (llama.cpp, ggml-common.h and ggml-quants.c).
package quant

import "fmt"

// Type is a number format. The values are ggml's type numbers, as GGUF files store them.
type Type uint32

// The formats ft reads. Names are ggml's.
const (
	F32  Type = 0
	F16  Type = 1
	Q4_0 Type = 2
	Q4_1 Type = 3
	Q5_0 Type = 6
	Q5_1 Type = 7
	Q8_0 Type = 8
	Q2_K Type = 10
	Q3_K Type = 11
	Q4_K Type = 12
	Q5_K Type = 13
	Q6_K Type = 14
	BF16 Type = 30
)

// layouts is indexed by Type. Types that ggml has and ft cannot read carry a name alone.
var layouts = [...]layout{
	F32:  {"F32", 1, 4, dequantF32, quantF32},
	F16:  {"F16", 1, 2, dequantF16, quantF16},
	Q4_0: {"Q4_0", 32, 18, dequantQ4_0, quantQ4_0},
	Q4_1: {"Q4_1", 32, 20, dequantQ4_1, quantQ4_1},
	Q5_0: {"Q5_0", 32, 22, dequantQ5_0, quantQ5_0},
	Q5_1: {"Q5_1", 32, 24, dequantQ5_1, quantQ5_1},
	Q8_0: {"Q8_0", 32, 34, dequantQ8_0, quantQ8_0},
	Q2_K: {"Q2_K", 256, 84, dequantQ2_K, nil},
	Q3_K: {"Q3_K", 256, 110, dequantQ3_K, nil},
	Q4_K: {"Q4_K", 256, 144, dequantQ4_K, nil},
	Q5_K: {"Q5_K", 256, 176, dequantQ5_K, nil},
	Q6_K: {"Q6_K", 256, 210, dequantQ6_K, nil},
	BF16: {"BF16", 1, 2, dequantBF16, quantBF16},

	9: {name: "Q8_1"}, 15: {name: "Q8_K"}, 16: {name: "IQ2_XXS"}, 17: {name: "IQ2_XS"},
	18: {name: "IQ3_XXS"}, 19: {name: "IQ1_S"}, 20: {name: "IQ4_NL"}, 21: {name: "IQ3_S"},
	22: {name: "IQ2_S"}, 23: {name: "IQ4_XS"}, 24: {name: "I8"}, 25: {name: "I16"}, 26: {name: "I32"},
	27: {name: "I64"}, 28: {name: "F64"}, 29: {name: "IQ1_M"}, 34: {name: "TQ1_0"}, 35: {name: "TQ2_0"},
	39: {name: "MXFP4"},
}

// layout is what one format needs: its name, values per block and bytes per block, and its two codecs.
type layout struct {
	name       string
	block      int
	bytes      int
	dequantize func(dst []float32, src []byte)
	quantize   func(dst []byte, src []float32)
}

// layout is the table's entry, the zero one for a number that the table lacks.
func (t Type) layout() *layout {
	if t < Type(len(layouts)) {
		return &layouts[t]
	}
	return &layout{}
}

// String is ggml's name of the format, or "type N" for a number that has none.
func (t Type) String() string {
	if l := t.layout(); l.name != "" {
		return l.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Known reports whether ft can read the format.
func (t Type) Known() bool { return t.layout().dequantize != nil }

// Block is the number of values in one block (1 for plain floats), 0 for an unknown format.
func (t Type) Block() int { return t.layout().block }

// RowBytes is the size in bytes of n values. n must be a multiple of Block, the format known.
func (t Type) RowBytes(n int) int { l := t.layout(); return n / l.block * l.bytes }

// Dequantize fills dst with the float32 values of src, which holds len(dst) values, whole blocks.
// Products and sums are rounded one by one, so all machines give the same bits. It panics if src is too
// short or the format unknown: callers check both when they open a file.
func Dequantize(dst []float32, t Type, src []byte) { t.layout().dequantize(dst, src) }

// CanQuantize reports whether Quantize supports the format: all but the K formats.
func (t Type) CanQuantize() bool { return t.layout().quantize != nil }

// Quantize rounds src, whole blocks, to the format and writes it to dst, RowBytes(len(src)) bytes.
// The rounding is the reference's (ggml's quantize_row_*_ref, without fused multiply-add, as in its Python
// package); plain floats round to nearest even. It panics if dst is too short or CanQuantize is false.
func Quantize(dst []byte, t Type, src []float32) { t.layout().quantize(dst, src) }
