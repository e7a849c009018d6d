// Package weights says what a tensor in a model file is and how such files are read and written. The
// formats are packages of their own, weights/safetensors and weights/gguf: they check a file's header and
// give tensors that lie in a read-only mapping of the file, so a model costs no memory until it is used.
package weights

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ft/internal/quant"
	"ft/internal/suggest"
)

// Tensor is one tensor of a model file. The source that gave it has checked that the format is known, that
// rows are whole blocks and that Data has exactly the bytes that Type and Shape ask for.
type Tensor struct {
	Name  string
	Type  quant.Type
	Shape []int  // outermost first: [out,in] for a linear layer, as PyTorch has it; empty for a scalar
	Data  []byte // read-only, valid until the source is closed, aligned to nothing in particular
}

// Cols is the length of a row, the innermost dimension; 1 for a scalar.
func (t Tensor) Cols() int {
	if len(t.Shape) == 0 {
		return 1
	}
	return t.Shape[len(t.Shape)-1]
}

// Rows is the number of rows, the product of all dimensions but the innermost; 1 for a vector or a scalar.
func (t Tensor) Rows() int {
	n := 1
	for _, d := range t.Shape[:max(0, len(t.Shape)-1)] {
		n *= d
	}
	return n
}

// Floats decodes the whole tensor to new float32 values, row after row.
func (t Tensor) Floats() []float32 {
	dst := make([]float32, t.Rows()*t.Cols())
	quant.Dequantize(dst, t.Type, t.Data)
	return dst
}

// Source is an open model: the tensors of one file, or of several that belong together. Names gives them in
// file order. Tensor returns an error that is ErrNoTensor for an unknown name, and another one for a
// tensor whose number format ft cannot read. Close ends the life of every Tensor.Data.
type Source interface {
	Names() []string
	Tensor(name string) (Tensor, error)
	Close() error
}

// ErrNoTensor is what errors.Is finds in the error for a name that a source lacks.
var ErrNoTensor = errors.New("no such tensor")

type missing struct {
	path, name string
	names      []string
}

// Missing is a source's error for a name that it lacks: it is ErrNoTensor and names those of names that come
// close. path is the model's.
func Missing(path, name string, names []string) error { return &missing{path, name, names} }

func (e *missing) Unwrap() error { return ErrNoTensor }

// Error looks for close names only here: callers that ask for optional tensors never print the error.
func (e *missing) Error() string {
	msg := fmt.Sprintf("%s: no tensor %q", e.path, e.name)
	if near := closest(e.name, e.names, 3); len(near) > 0 {
		return fmt.Sprintf("%s (close: %s)", msg, strings.Join(near, ", "))
	}
	return fmt.Sprintf("%s (it has %d tensors, none with a name like it)", msg, len(e.names))
}

// closest gives up to n of names whose edit distance to name is at most a third of its length, best first.
func closest(name string, names []string, n int) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	limit := len(name)/3 + 1
	for _, other := range names {
		if other == name || len(other) > len(name)+limit || len(name) > len(other)+limit {
			continue
		}
		if d := suggest.Edits(name, other); d <= limit {
			near = append(near, candidate{other, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	var out []string
	for _, c := range near[:min(n, len(near))] {
		out = append(out, fmt.Sprintf("%q", c.name))
	}
	return out
}

// Count is the number of values of a shape, 1 for an empty one. It fails on a negative dimension and on a
// product so large that its size in bytes might overflow an int.
func Count(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d > 0 && n > math.MaxInt/16/d {
			return 0, fmt.Errorf("shape %v is too large", shape)
		}
		n *= d
	}
	return n, nil
}

// Size is the number of bytes that a tensor of a known format takes. It fails where Count does and when
// a row is not a whole number of the format's blocks.
func Size(typ quant.Type, shape []int) (int, error) {
	if !typ.Known() {
		return 0, fmt.Errorf("format %s is unknown", typ)
	}
	n, err := Count(shape)
	if err != nil {
		return 0, err
	}
	if cols := (Tensor{Shape: shape}).Cols(); cols%typ.Block() != 0 {
		return 0, fmt.Errorf("shape %v: rows of %s must be a multiple of %d", shape, typ, typ.Block())
	}
	return typ.RowBytes(n), nil
}
