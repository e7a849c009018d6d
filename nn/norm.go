package nn

import "ft/internal/op"

// Norm is a frozen normalisation with a slot for another gain.
type Norm struct {
	Name string // Hugging Face module path, such as "model.layers.0.input_layernorm"

	base, op op.Norm // without and with what is in the slot
	params   []*Param
}

// NewNorm makes an RMS norm from a frozen gain [D].
func NewNorm(name string, gain []float32, eps float32) *Norm {
	base := op.Norm{Gain: gain, Eps: eps}
	return &Norm{Name: name, base: base, op: base}
}

// Gain is the frozen gain [D].
func (n *Norm) Gain() []float32 { return n.base.Gain }

// SetGain puts g [D] in the place of the gain. A Param without Grad is frozen.
func (n *Norm) SetGain(g *Param) {
	n.op.Gain, n.op.DGain = g.Data, g.Grad
	n.params = trainable(g)
}

// ClearSlots takes every method's contribution out: the norm is the base's again.
func (n *Norm) ClearSlots() { n.op, n.params = n.base, nil }

// Params are the trainable parameters in the norm's slot.
func (n *Norm) Params() []*Param { return n.params }

// suspend empties the slot until the returned function puts back what was in it.
func (n *Norm) suspend() (restore func()) {
	filled, params := n.op, n.params
	n.ClearSlots()
	return func() { n.op, n.params = filled, params }
}
