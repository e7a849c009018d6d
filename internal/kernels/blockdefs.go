package kernels

import (
	"math"
	"unsafe"
)

// Precision is the number type of activations inside a block of the model.
type Precision uint8

const (
	F32  Precision = iota
	BF16           // rounded to bfloat16
)

// Width is the number of columns in one block of tiles: 64 bytes a row.
func (p Precision) Width() int { return 16 << p }

func (p Precision) String() string { return [...]string{"float32", "bfloat16"}[p] }

// Sizes of blocks.
const (
	StripRows  = 32                    // rows of a strip
	PanelCols  = 32                    // columns of a result block
	blockWords = 512                   // float32 words in a block of tiles
	resultSize = StripRows * PanelCols // float32 words in a result block
)

// Activation is the function of a gated MLP.
type Activation uint8

const (
	SiLU     Activation = iota
	GELUTanh            // the tanh approximation
)

// halves is words as bfloat16 values, two a word, in memory order.
func halves(words []float32) []uint16 {
	if len(words) == 0 {
		return nil
	}
	return unsafe.Slice((*uint16)(unsafe.Pointer(&words[0])), 2*len(words))
}

// toBF16 rounds to the nearest bfloat16, ties to even; NaN stays NaN.
func toBF16(x float32) uint16 {
	b := math.Float32bits(x)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// fromBF16 is the value of a bfloat16.
func fromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }
