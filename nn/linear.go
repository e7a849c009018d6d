package nn

import (
	"ft/internal/kernels"
	"ft/internal/op"
)

// Linear is a frozen linear layer y = x·Wᵀ + b with the slots that methods fill. With all of them in use it is
//
//	y = g⊙(x'·Wᵀ + scale·drop(x')·Aᵀ·Bᵀ) + b with x' = s⊙x
//
// for an output scale g and an input scale s. W is [Out,In] in its file's number type and is never copied. Setters replace what was
// in their slot. A Param without Grad is frozen: its values are used, and it has no gradient.
type Linear struct {
	Name string // Hugging Face module path, such as "model.layers.0.self_attn.q_proj"
	Head bool   // the output head: "all-linear" leaves it out
	Tied bool   // W is the embedding's weight: changing it would change the embedding too

	// Transposed says that Hugging Face's model has Wᵀ [In,Out] in this layer (Conv1D), which PEFT calls fan_in_fan_out.
	Transposed bool

	base, op op.Linear // without and with what is in the slots
	parts    []linearPart
	slots    linearSlots
	params   []*Param
}

// linearPart is a range of a layer's outputs that stages use as a layer of its own.
type linearPart struct {
	lo, hi int
	op     *op.Linear
}

// linearSlots are the parameters in a layer's slots.
type linearSlots struct {
	a, b, outScale, inScale, bias, weight, rows *Param

	values *kernels.Matrix // of weight
	ids    []int32         // of rows
}

// NewLinear makes a layer from a frozen weight [Out,In] and an optional bias [Out].
func NewLinear(name string, w *kernels.Matrix, bias []float32) *Linear {
	base := op.Linear{W: w, Bias: bias, Key: op.ModuleKey(name)}
	return &Linear{Name: name, base: base, op: base}
}

// NewFused makes a layer of which stages use parts of as many outputs as sizes tells, one after the other: several projections that
// are stored, and that methods see, as one.
func NewFused(name string, w *kernels.Matrix, bias []float32, sizes ...int) *Linear {
	l := NewLinear(name, w, bias)
	lo := 0
	for _, n := range sizes {
		l.parts = append(l.parts, linearPart{lo, lo + n, new(op.Linear)})
		lo += n
	}
	l.slice()
	return l
}

// slice makes the parts anew.
func (l *Linear) slice() {
	for _, p := range l.parts {
		*p.op = l.op.Slice(p.lo, p.hi)
	}
}

// Fused reports whether stages use the layer in parts.
func (l *Linear) Fused() bool { return len(l.parts) > 0 }

// In is the number of input features.
func (l *Linear) In() int { return l.base.W.Cols }

// Out is the number of output features.
func (l *Linear) Out() int { return l.base.W.Rows }

// Weight is the frozen weight [Out,In].
func (l *Linear) Weight() *kernels.Matrix { return l.base.W }

// Bias is the frozen bias [Out], nil if the base has none.
func (l *Linear) Bias() []float32 { return l.base.Bias }

// SetLowRank fills the low-rank slot: y += scale·drop(x)·Aᵀ·Bᵀ with A [R,In], B [Out,R] (Hu et al. 2021,
// arXiv:2106.09685, §4.1). Dropout is the probability that an input feature of the slot is zero in training; the rest
// is scaled by 1/(1-dropout).
func (l *Linear) SetLowRank(a, b *Param, scale, dropout float32) {
	l.op.Delta = &op.LowRank{
		R: a.Shape[0], A: a.Data, B: b.Data, DA: a.Grad, DB: b.Grad, Scale: scale, Dropout: dropout,
	}
	l.slots.a, l.slots.b = a, b
	l.changed()
}

// SetOutScale multiplies the layer's output with g [Out]: y = g⊙(x·Wᵀ + low rank) + b, or with withBias, as IA³ has it (Liu et al.
// 2022, arXiv:2205.05638, §3.3), y = g⊙(x·Wᵀ + low rank + b).
func (l *Linear) SetOutScale(g *Param, withBias bool) {
	l.op.Out = &op.OutScale{G: g.Data, DG: g.Grad, WithBias: withBias}
	l.slots.outScale = g
	l.changed()
}

// SetInScale multiplies the layer's input with g [In], for the weight and for the low-rank slot.
func (l *Linear) SetInScale(g *Param) {
	l.op.In = &op.InScale{G: g.Data, DG: g.Grad}
	l.slots.inScale = g
	l.changed()
}

// SetBias puts b [Out] in the place of the layer's bias, which the base need not have.
func (l *Linear) SetBias(b *Param) {
	l.op.Bias, l.op.DBias = b.Data, b.Grad
	l.slots.bias = b
	l.changed()
}

// SetWeight puts w [Out,In] in the place of the weight.
func (l *Linear) SetWeight(w *Param) { l.SetWeightAs(w, kernels.FromFloat32(l.Out(), l.In(), w.Data)) }

// SetWeightAs is SetWeight with a matrix of its own that the products read, such as a rounded copy that the method keeps in step with w
// (Derived). The gradient goes to w.
func (l *Linear) SetWeightAs(w *Param, values *kernels.Matrix) {
	l.slots.weight, l.slots.values = w, values
	l.weigh()
}

// SetRows puts the rows of rows [n,In] in the place of the weight's rows ids, which differ from each other: for an output head, the
// logits of these tokens. Of a weight in SetWeight's slot those rows have no part and no gradient.
func (l *Linear) SetRows(ids []int32, rows *Param) {
	l.slots.ids, l.slots.rows = ids, rows
	l.weigh()
}

// weigh makes the weight in use of the base's and of those in slots.
func (l *Linear) weigh() {
	l.op.W, l.op.DW, l.op.Rows = l.base.W, nil, nil
	if w := l.slots.weight; w != nil {
		l.op.W, l.op.DW = l.slots.values, w.Grad
	}
	if r := l.slots.rows; r != nil {
		l.op.W = l.op.W.WithRows(l.slots.ids, r.Data)
		l.op.Rows = op.NewRows(l.slots.ids, r.Grad)
	}
	l.changed()
}

// changed lists the parameters again.
func (l *Linear) changed() {
	s := &l.slots
	l.params = trainable(s.a, s.b, s.outScale, s.inScale, s.bias, s.weight, s.rows)
	l.slice()
}

// ClearSlots takes every method's contribution out: the layer is the base's again.
func (l *Linear) ClearSlots() {
	l.op, l.slots, l.params = l.base, linearSlots{}, nil
	l.slice()
}

// Params are the trainable parameters in the layer's slots.
func (l *Linear) Params() []*Param { return l.params }

// suspend empties the slots until the returned function puts back what was in them.
func (l *Linear) suspend() (restore func()) {
	filled, slots, params := l.op, l.slots, l.params
	l.ClearSlots()
	return func() {
		l.op, l.slots, l.params = filled, slots, params
		l.slice()
	}
}
