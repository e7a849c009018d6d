package full

import (
	"fmt"

	"ft/internal/kernels"
	"ft/internal/quant"
	"ft/nn"
)

// rounded is a matrix in another number type that follows its master.
type rounded struct {
	master *nn.Param
	values *kernels.Matrix
}

func round(master *nn.Param, typ quant.Type) (rounded, error) {
	rows, cols := master.Shape[0], master.Shape[1]
	values, err := kernels.NewMatrix(rows, cols, typ, make([]byte, rows*typ.RowBytes(cols)))
	if err != nil {
		return rounded{}, fmt.Errorf("%s: %w", master.Name, err)
	}
	return rounded{master, values}, nil
}

// Forward rounds all masters anew.
func (a *adapter) Forward() {
	for _, r := range a.rounded {
		row, cols := r.values.Type.RowBytes(r.values.Cols), r.values.Cols
		kernels.Parallel(r.values.Rows, func(i int) {
			quant.Quantize(r.values.Data[i*row:(i+1)*row], r.values.Type, r.master.Data[i*cols:(i+1)*cols])
		})
	}
}

// Backward has nothing to do: passes add the gradient of the rounded values to the master's, as if rounding were the identity.
func (a *adapter) Backward() {}

// ExtraBytes is the memory of the rounded copies.
func (a *adapter) ExtraBytes() int64 {
	n := int64(0)
	for _, r := range a.rounded {
		n += int64(len(r.values.Data))
	}
	return n
}
