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

// layout is what one format needs: its name, values per block and bytes per block, and its two codecs.
type layout struct {
	name       string
	block      int
	bytes      int
	dequantize func(dst []float32, src []byte)
	quantize   func(dst []byte, src []float32)
}

// String is ggml's name of the format, or "type N" for one that ft does not know.
func (t Type) String() string {
	if l, ok := layouts[t]; ok {
		return l.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Known reports whether ft can read the format.
func (t Type) Known() bool { _, ok := layouts[t]; return ok }

// Block is the number of values in one block (1 for plain floats), 0 for an unknown format.
func (t Type) Block() int { return layouts[t].block }

// RowBytes is the size in bytes of n values. n must be a multiple of Block.
func (t Type) RowBytes(n int) int { l := layouts[t]; return n / l.block * l.bytes }

// Dequantize fills dst with the float32 values of src, which holds len(dst) values, whole blocks.
// It panics if src is too short: callers check lengths when they open a file.
func Dequantize(dst []float32, t Type, src []byte) { layouts[t].dequantize(dst, src) }

// CanQuantize reports whether Quantize supports the format.
func (t Type) CanQuantize() bool { return layouts[t].quantize != nil }

// Quantize rounds src, whole blocks, to the format and writes it to dst, RowBytes(len(src)) bytes.
// The rounding is the reference's (ggml's quantize_row_*_ref); plain floats round to nearest even.
func Quantize(dst []byte, t Type, src []float32) { layouts[t].quantize(dst, src) }
