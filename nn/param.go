// Package nn composes the stages of internal/op into the parts of a decoder: embedding, block, head, and
// the Linear with its slots. It is where spago's graph begins: one operator for the embedding, one per
// block and one for head and loss. Everything above sees plain Go values.
package nn

import "fmt"

// Param is a trainable float32 tensor. Data and Grad are owned by the Param and keep their addresses for its
// whole life, so stages may hold on to them.
type Param struct {
	Name  string // Hugging Face PEFT's tensor name, without the "base_model.model." prefix
	Shape []int
	Data  []float32
	Grad  []float32 // accumulated by backward passes until ZeroGrad; nil in a slot: the values are frozen

	LRScale float64 // factor on the learning rate; 0 means 1
	NoDecay bool    // weight decay leaves it alone, as it does biases and norms
}

// NewParam makes a zero parameter of the given shape.
func NewParam(name string, shape ...int) *Param {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return &Param{Name: name, Shape: shape, Data: make([]float32, n), Grad: make([]float32, n)}
}

// Size is the number of values.
func (p *Param) Size() int { return len(p.Data) }

// trainable are those of ps that are there and have a gradient.
func trainable(ps ...*Param) []*Param {
	var out []*Param
	for _, p := range ps {
		if p != nil && p.Grad != nil {
			out = append(out, p)
		}
	}
	return out
}

// ZeroGrad clears the gradient.
func (p *Param) ZeroGrad() { clear(p.Grad) }

// String names the parameter and its shape.
func (p *Param) String() string { return fmt.Sprintf("%s%v", p.Name, p.Shape) }
