package full

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ft/internal/quant"
)

// Full is the `method` section of a config file when its kind is full, and the method itself: every tensor of the base is trained.
type Full struct {
	// Weights is the number type of matrices in the passes and in the model that is written: float32, or bfloat16, which halves the
	// model's file. Training keeps float32 masters in either case.
	Weights string `yaml:"weights"`
}

// Freeze is the `method` section when its kind is freeze, and the method itself: the last blocks are trained, all else is frozen.
type Freeze struct {
	// Weights is as in Full. Frozen matrices are written in this type too, but are as in the base in the passes.
	Weights string `yaml:"weights"`
	// Blocks is the number of blocks to train, counted from the end.
	Blocks int `yaml:"blocks"`
	// Extra are parts outside of the blocks to train besides: embedding, norm (the final one), head. A head that is tied to the
	// embedding is one tensor with it.
	Extra []string `yaml:"extra"`
}

// BitFit is the `method` section when its kind is bitfit, and the method itself: all biases of linear layers and norms are trained.
type BitFit struct {
	// Weights is the number type of matrices in the model that is written: float32 or bfloat16. In the passes they are as in the base.
	Weights string `yaml:"weights"`
}

// DefaultFull returns the settings of a run that names none.
func DefaultFull() Full { return Full{Weights: "float32"} }

// DefaultFreeze returns the settings of a run that names none.
func DefaultFreeze() Freeze { return Freeze{Weights: "float32", Blocks: 2} }

// DefaultBitFit returns the settings of a run that names none.
func DefaultBitFit() BitFit { return BitFit{Weights: "float32"} }

// types are the values of Weights.
var types = map[string]quant.Type{"float32": quant.F32, "bfloat16": quant.BF16}

func checkWeights(name string) error {
	if _, ok := types[name]; !ok {
		return fmt.Errorf("weights: must be float32 or bfloat16, got %q", name)
	}
	return nil
}

// Validate reports every value out of bounds, joined, each as `key: what is wrong`.
func (c Full) Validate() error { return checkWeights(c.Weights) }

// Validate reports every value out of bounds, joined, each as `key: what is wrong`.
func (c BitFit) Validate() error { return checkWeights(c.Weights) }

// parts are the values of Freeze.Extra.
var parts = []string{"embedding", "norm", "head"}

// Validate reports every value out of bounds, joined, each as `key: what is wrong`.
func (c Freeze) Validate() error {
	errs := []error{checkWeights(c.Weights)}
	if c.Blocks < 0 {
		errs = append(errs, fmt.Errorf("blocks: must be 0 or more, got %d", c.Blocks))
	}
	if c.Blocks == 0 && len(c.Extra) == 0 {
		errs = append(errs, errors.New("blocks: must be 1 or more unless extra names something to train"))
	}
	for i, e := range c.Extra {
		if !slices.Contains(parts, e) {
			errs = append(errs, fmt.Errorf("extra[%d]: must be one of %s, got %q", i, strings.Join(parts, ", "), e))
		}
	}
	return errors.Join(errs...)
}
