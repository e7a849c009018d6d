package kernels

import (
	"fmt"
	"unsafe"

	"ft/internal/quant"
)

// Precision is the number type of activations inside a block of the model, and with it of its products. Sums are
// float32 either way.
type Precision uint8

const (
	F32  Precision = iota // exact float32 products
	BF16                  // both sides of a product rounded to bfloat16
)

// Width is the number of columns in one block of an Act: 64 bytes a row.
func (p Precision) Width() int { return 16 << p }

func (p Precision) String() string { return [...]string{"float32", "bfloat16"}[p] }

// Sizes of the blocks that all products are made of, see doc.go.
const (
	StripRows  = 32                     // rows of an A strip and of a C block
	PanelCols  = 32                     // columns of a B panel and of a C block
	blockWords = 512                    // float32 words in a block of A or B
	resultSize = StripRows * PanelCols  // float32 words in a block of C
	rowWords   = blockWords / StripRows // float32 words in a block's row
)

// Act is an activation matrix [T,F] cut into blocks, [strip][block][32 rows][Width columns]: the left operand of
// products without further packing. Rows are padded to whole strips and columns to a multiple of 32, with zeros.
// An Act is a value that shares its memory when copied.
type Act struct {
	T, F int
	Prec Precision
	data []float32 // words; BF16 holds two values in each
}

// Blocks is the number of blocks in a strip.
func (a Act) Blocks() int { return blocksOf(a.F, a.Prec) }

// Strips is the number of strips.
func (a Act) Strips() int { return (a.T + StripRows - 1) / StripRows }

// Nil reports whether a is the zero Act.
func (a Act) Nil() bool { return a.data == nil }

// Strip is the memory of strip s.
func (a Act) Strip(s int) []float32 {
	n := a.Blocks() * blockWords
	return a.data[s*n : (s+1)*n]
}

// blocksOf is the number of blocks that f columns take, padded to a multiple of 32.
func blocksOf(f int, p Precision) int { return groups(f) * PanelCols / p.Width() }

// Act returns an activation matrix with unspecified contents, padding included. It lives as buffers of Floats do.
func (a *Arena) Act(t, f int, p Precision) Act {
	act := Act{T: t, F: f, Prec: p}
	act.data = a.Floats(act.Strips() * act.Blocks() * blockWords)
	return act
}

// halves is words as bfloat16 values, two a word, in memory order.
func halves(words []float32) []uint16 {
	if len(words) == 0 {
		return nil
	}
	return unsafe.Slice((*uint16)(unsafe.Pointer(&words[0])), 2*len(words))
}

// At is the value of row t, column f. It is slow and meant for tests and checks.
func (a Act) At(t, f int) float32 {
	if t < 0 || t >= a.T || f < 0 || f >= a.F {
		panic(fmt.Sprintf("kernels: Act.At(%d, %d) of [%d,%d]", t, f, a.T, a.F))
	}
	w := a.Prec.Width()
	at := f/w*StripRows*w + t%StripRows*w + f%w
	if a.Prec == BF16 {
		return quant.BF16Value(halves(a.Strip(t / StripRows))[at])
	}
	return a.Strip(t / StripRows)[at]
}

// Activation is the function of a gated MLP.
type Activation uint8

const (
	SiLU     Activation = iota
	GELUTanh            // the tanh approximation
)
