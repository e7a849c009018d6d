package nn

import "ft/internal/op"

// Norm is a frozen normalisation with slots for another gain and bias.
type Norm struct {
	Name string // Hugging Face module path, such as "model.layers.0.input_layernorm"

	base, op op.Norm   // without and with what is in the slots
	less1    []float32 // the weight of a norm whose gain is one more, or nil
	slots    struct{ gain, bias *Param }
	params   []*Param
}

// NewNorm makes an RMS norm from a frozen gain [D].
func NewNorm(name string, gain []float32, eps float32) *Norm {
	return newNorm(name, op.Norm{Gain: gain, Eps: eps})
}

// NewLayerNorm makes a layer norm from a frozen gain and bias [D].
func NewLayerNorm(name string, gain, bias []float32, eps float32) *Norm {
	return newNorm(name, op.Norm{Gain: gain, Bias: bias, Eps: eps})
}

// NewNormPlus1 makes an RMS norm whose gain is one more than its frozen weight [D].
func NewNormPlus1(name string, weight []float32, eps float32) *Norm {
	gain := make([]float32, len(weight))
	for i, w := range weight {
		gain[i] = 1 + w
	}
	n := NewNorm(name, gain, eps)
	n.less1 = weight
	return n
}

func newNorm(name string, base op.Norm) *Norm { return &Norm{Name: name, base: base, op: base} }

// stage is the norm as stages use it, nil for nil.
func (n *Norm) stage() *op.Norm {
	if n == nil {
		return nil
	}
	return &n.op
}

// Gain is the frozen gain [D], as the base's file has it: of NewNormPlus1 the weight.
func (n *Norm) Gain() []float32 {
	if n.less1 != nil {
		return n.less1
	}
	return n.base.Gain
}

// Bias is the frozen bias [D] of a layer norm, nil of an RMS norm.
func (n *Norm) Bias() []float32 { return n.base.Bias }

// SetGain puts g [D] in the place of what Gain gives. A Param without Grad is frozen.
func (n *Norm) SetGain(g *Param) {
	n.slots.gain = g
	n.op.Gain, n.op.DGain = g.Data, g.Grad
	if n.less1 != nil {
		n.op.Less1, n.op.Gain = g.Data, make([]float32, len(g.Data))
	}
	n.changed()
}

// SetBias puts b [D] in the place of the bias of a layer norm. A Param without Grad is frozen.
func (n *Norm) SetBias(b *Param) {
	n.slots.bias = b
	n.op.Bias, n.op.DBias = b.Data, b.Grad
	n.changed()
}

// changed lists the parameters again.
func (n *Norm) changed() { n.params = trainable(n.slots.gain, n.slots.bias) }

// ClearSlots takes every method's contribution out: the norm is the base's again.
func (n *Norm) ClearSlots() {
	n.op, n.slots.gain, n.slots.bias = n.base, nil, nil
	n.changed()
}

// Params are the trainable parameters in the norm's slots.
func (n *Norm) Params() []*Param { return n.params }

// suspend empties the slots until the returned function puts back what was in them.
func (n *Norm) suspend() (restore func()) {
	filled, slots, params := n.op, n.slots, n.params
	n.ClearSlots()
	return func() { n.op, n.slots, n.params = filled, slots, params }
}
