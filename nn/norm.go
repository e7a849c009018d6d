package nn

import "ft/internal/op"

// Norm is a frozen normalisation with a gain that a method may train.
type Norm struct {
	Name string // Hugging Face module path, such as "model.layers.0.input_layernorm"

	op     op.Norm
	params []*Param
}

// NewNorm makes an RMS norm from a frozen gain [D].
func NewNorm(name string, gain []float32, eps float32) *Norm {
	return &Norm{Name: name, op: op.Norm{Gain: gain, Eps: eps}}
}

// Gain is the gain [D] in use.
func (n *Norm) Gain() []float32 { return n.op.Gain }

// Params are the trainable parameters in the norm's slots.
func (n *Norm) Params() []*Param { return n.params }
