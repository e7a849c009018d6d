package nn

import (
	"ft/internal/kernels"
	"ft/internal/op"
)

// Embedding is the frozen table of token embeddings [V,D] with the slots that methods fill: x = W[t] + scale·B·A[:,t]. Setters replace
// what was in their slot. A Param without Grad is frozen.
type Embedding struct {
	Name string // Hugging Face module path, such as "model.embed_tokens"

	base, op op.Embedding // without and with what is in the slots
	slots    embeddingSlots
	params   []*Param
}

// embeddingSlots are the parameters in an embedding's slots.
type embeddingSlots struct {
	a, b, weight, rows, prompt *Param

	values *kernels.Matrix // of weight
	ids    []int32         // of rows
}

// NewEmbedding makes an embedding from a frozen table [V,D].
func NewEmbedding(name string, table *kernels.Matrix) *Embedding {
	base := op.Embedding{W: table}
	return &Embedding{Name: name, base: base, op: base}
}

// Multiply has tokens' embeddings, slots included, multiplied with a factor that belongs to the base.
func (e *Embedding) Multiply(factor float32) { e.base.Times, e.op.Times = factor, factor }

// Table is the frozen table [V,D].
func (e *Embedding) Table() *kernels.Matrix { return e.base.W }

// Row writes the base's embedding of a token into dst [D].
func (e *Embedding) Row(dst []float32, id int32) {
	e.base.W.Row(dst, int(id))
	if e.base.Times != 0 {
		kernels.Scale(dst, e.base.Times)
	}
}

// SetLowRank adds scale·B·A[:,t] to the embedding of token t, with A [R,V] and B [D,R].
func (e *Embedding) SetLowRank(a, b *Param, scale float32) {
	e.op.Delta = &op.LowRank{R: a.Shape[0], A: a.Data, B: b.Data, DA: a.Grad, DB: b.Grad, Scale: scale}
	e.slots.a, e.slots.b = a, b
	e.changed()
}

// SetWeight puts w [V,D] in the place of the table. A head that is tied to the table keeps the base's: fill its slot with the same
// Param, which then gets both gradients.
func (e *Embedding) SetWeight(w *Param) {
	e.SetWeightAs(w, kernels.FromFloat32(e.base.W.Rows, e.base.W.Cols, w.Data))
}

// SetWeightAs is SetWeight with a matrix of its own that is read, such as a rounded copy that the method keeps in step with w. The
// gradient goes to w.
func (e *Embedding) SetWeightAs(w *Param, values *kernels.Matrix) {
	e.slots.weight, e.slots.values = w, values
	e.weigh()
}

// SetRows puts the rows of rows [n,D] in the place of the table's rows ids, which differ from each other. Of a table in SetWeight's slot
// those rows have no part and no gradient.
func (e *Embedding) SetRows(ids []int32, rows *Param) {
	e.slots.ids, e.slots.rows = ids, rows
	e.weigh()
}

// setPrompt fills the slot for virtual tokens' rows [n,D].
func (e *Embedding) setPrompt(p *Param) {
	e.op.Prompt, e.op.DPrompt = p.Data, p.Grad
	e.slots.prompt = p
	e.changed()
}

// prompt is the number of virtual tokens.
func (e *Embedding) prompt() int { return len(e.op.Prompt) / e.op.W.Cols }

// weigh makes the table in use of the base's and of those in slots.
func (e *Embedding) weigh() {
	e.op.W, e.op.DW, e.op.Rows = e.base.W, nil, nil
	if w := e.slots.weight; w != nil {
		e.op.W, e.op.DW = e.slots.values, w.Grad
	}
	if r := e.slots.rows; r != nil {
		e.op.W = e.op.W.WithRows(e.slots.ids, r.Data)
		e.op.Rows = op.NewRows(e.slots.ids, r.Grad)
	}
	e.changed()
}

// changed lists the parameters again.
func (e *Embedding) changed() {
	s := &e.slots
	e.params = trainable(s.a, s.b, s.weight, s.rows, s.prompt)
}

// ClearSlots takes every method's contribution out: the embedding is the base's again.
func (e *Embedding) ClearSlots() { e.op, e.slots, e.params = e.base, embeddingSlots{}, nil }

// Params are the trainable parameters in the embedding's slots.
func (e *Embedding) Params() []*Param { return e.params }

// suspend empties the slots until the returned function puts back what was in them.
func (e *Embedding) suspend() (restore func()) {
	filled, slots, params := e.op, e.slots, e.params
	e.ClearSlots()
	return func() { e.op, e.slots, e.params = filled, slots, params }
}
