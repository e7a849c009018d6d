package nn

import (
	"ft/internal/kernels"
	"ft/internal/op"
)

// Linear is a frozen linear layer y = x·Wᵀ + b with the slots that methods fill.
// W is [Out,In] in its file's number type and is never copied.
type Linear struct {
	Name string // Hugging Face module path, such as "model.layers.0.self_attn.q_proj"
	Head bool   // the output head: "all-linear" leaves it out
	Tied bool   // W is the embedding's weight: changing it would change the embedding too

	op     op.Linear
	params []*Param
}

// NewLinear makes a layer from a frozen weight [Out,In] and an optional bias [Out].
func NewLinear(name string, w *kernels.Matrix, bias []float32) *Linear {
	return &Linear{Name: name, op: op.Linear{W: w, Bias: bias, Key: op.ModuleKey(name)}}
}

// In is the number of input features.
func (l *Linear) In() int { return l.op.W.Cols }

// Out is the number of output features.
func (l *Linear) Out() int { return l.op.W.Rows }

// SetLowRank fills the low-rank slot: y += scale·drop(x)·Aᵀ·Bᵀ with A [R,In], B [Out,R] (Hu et al. 2021,
// arXiv:2106.09685, §4.1). Dropout is the probability that an input feature of the slot is zero in training; the rest
// is scaled by 1/(1-dropout). It replaces what was in the slot.
func (l *Linear) SetLowRank(a, b *Param, scale, dropout float32) {
	l.op.Delta = &op.LowRank{
		R: a.Shape[0], A: a.Data, B: b.Data, DA: a.Grad, DB: b.Grad, Scale: scale, Dropout: dropout,
	}
	l.params = []*Param{a, b}
}

// ClearSlots takes every method's contribution out: the layer is the base's again.
func (l *Linear) ClearSlots() {
	l.op.Delta = nil
	l.params = nil
}

// Params are the trainable parameters in the layer's slots.
func (l *Linear) Params() []*Param { return l.params }

// Weight is the frozen weight [Out,In].
func (l *Linear) Weight() *kernels.Matrix { return l.op.W }

// suspend empties the slots until the returned function puts back what was in them.
func (l *Linear) suspend() (restore func()) {
	delta, params := l.op.Delta, l.params
	l.ClearSlots()
	return func() { l.op.Delta, l.params = delta, params }
}
