package nn

import (
	"github.com/nlpodyssey/spago/mat"
	"github.com/nlpodyssey/spago/mat/float"
)

// tensor is a node's value in spago's graph: a buffer that we own, and its gradient, taken over without a copy.
// spago's graph asks a value only for what is overridden here; the embedded nil Matrix satisfies the rest of its
// 74-method interface and would panic if the graph ever asked for more, which the tests of this package would show.
type tensor struct {
	mat.Matrix
	data      []float32
	grad      *tensor
	trainable bool
}

func (t *tensor) Shape() []int           { return []int{len(t.data), 1} }
func (t *tensor) Dims() int              { return 2 }
func (t *tensor) Size() int              { return len(t.data) }
func (t *tensor) Data() float.Slice      { return float.Make(t.data...) }
func (t *tensor) Value() mat.Tensor      { return t }
func (t *tensor) RequiresGrad() bool     { return t.trainable }
func (t *tensor) SetRequiresGrad(r bool) { t.trainable = r }
func (t *tensor) HasGrad() bool          { return t.grad != nil }
func (t *tensor) ZeroGrad()              { t.grad = nil }

// Grad returns the gradient; a nil *tensor stands for none, as spago's graph expects.
func (t *tensor) Grad() mat.Tensor { return t.grad }

// AccGrad takes the first gradient over as it is: every value here has one consumer, so there is no second.
func (t *tensor) AccGrad(g mat.Tensor) { t.grad = g.(*tensor) }

// trained stands for an operator's parameters. Their gradients go straight into Param.Grad, so the graph only learns
// from it that the operator has something to train.
var trained = &tensor{trainable: true}

// operands are an operator's input and, if it trains, its parameters.
func operands(x mat.Tensor, trains bool) []mat.Tensor {
	if trains {
		return []mat.Tensor{x, trained}
	}
	return []mat.Tensor{x}
}
