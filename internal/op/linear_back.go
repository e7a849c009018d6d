package op

import "ft/internal/kernels"

// trains reports whether the layer has gradients to add.
func (l *Linear) trains() bool {
	return l.DBias != nil || l.Out != nil && l.Out.DG != nil || l.Delta != nil && l.Delta.DB != nil || l.readsInput()
}

// readsInput reports whether a gradient needs the layer's input.
func (l *Linear) readsInput() bool {
	return l.DW != nil || l.Delta != nil && l.Delta.DA != nil || l.In != nil && l.In.DG != nil || l.Rows != nil && l.Rows.Grad != nil
}

// linearGrad is a layer on its way back: the gradients of its product's result dz [T,Out] and of its slot's inner product before
// the scale du [T,R], and the slot's dropout.
type linearGrad struct {
	l      *Linear
	dz, du kernels.Act
	mask   kernels.Mask
}

// gradients begins with dy, the gradient of the layer's output, and adds those of all that the input has no part in.
func (l *Linear) gradients(p *Pass, dy kernels.Act, st LinearState) linearGrad {
	dz := l.gradOut(p, dy, st.z)
	return linearGrad{l: l, dz: dz, du: l.gradInner(p, dz, st.u), mask: p.mask(l)}
}

// gradOut goes back through output scale and bias.
func (l *Linear) gradOut(p *Pass, dy, z kernels.Act) (dz kernels.Act) {
	o, dz := l.Out, dy
	if o != nil {
		if o.DG != nil {
			kernels.ColumnDots(o.DG, nil, dy, z)
		}
		dz = p.Act(p.T, dy.F)
		kernels.ScaleColumns(dz, dy, o.G)
		if o.WithBias {
			dy = dz
		}
	}
	if l.DBias != nil {
		kernels.ColumnSums(l.DBias, dy)
	}
	return dz
}

// gradInner is the gradient at the slot's inner product before its scale, du = Scale·dz·B [T,R], and adds dzᵀ·u to B's
// sink: u holds the scale already. The zero Act without a slot.
func (l *Linear) gradInner(p *Pass, dz, u kernels.Act) kernels.Act {
	d := l.Delta
	if d == nil {
		return kernels.Act{}
	}
	du := p.Act(p.T, d.R)
	g := p.product(p.T, d.R)
	g.Add(kernels.Acts(dz), kernels.Values(d.B, d.R, l.W.Rows, d.R, false), false)
	g.Sink = kernels.Sink{Kind: kernels.ToAct, Out: du, Alpha: d.Scale}
	g.Run()
	if d.DB == nil {
		return du
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	ut := p.Act(d.R, p.T)
	kernels.Transpose(ut, u)
	g = p.product(d.R, l.W.Rows)
	g.Add(kernels.Acts(ut), kernels.Tokens(dz, kernels.Mask{}), false)
	g.Sink = kernels.Sink{Kind: kernels.ToRowsT, Rows: d.DB, LD: d.R}
	g.Run()
	return du
}

// params adds the gradients of what multiplies the layer's input x [T,In]: A of the slot, the weight, rows of it. gain, if not nil,
// are factors of x's columns that x lacks.
func (b *linearGrad) params(p *Pass, x kernels.Act, gain []float32) {
	if !b.l.readsInput() {
		return
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	columns := b.l.columns(p, gain)
	if d := b.l.Delta; d != nil && d.DA != nil {
		gradTokens(p, d.DA, transposed(p, b.du), x, columns, b.mask)
	}
	r := b.l.Rows
	if b.l.DW != nil {
		restore := r.keep(p, b.l.DW, x.F)
		gradTokens(p, b.l.DW, transposed(p, b.dz), x, columns, kernels.Mask{})
		restore()
	}
	if r != nil && r.Grad != nil {
		gradTokens(p, r.Grad, chosen(p, b.dz, r.IDs), x, columns, kernels.Mask{})
	}
}

// keep returns what puts rows IDs of a gradient [Out,In] back as they are now: a replaced row of a weight has no gradient.
func (r *Rows) keep(p *Pass, grad []float32, in int) (restore func()) {
	if r == nil {
		return func() {}
	}
	kept := p.Floats(len(r.IDs) * in)
	for i, id := range r.IDs {
		copy(kept[i*in:(i+1)*in], grad[int(id)*in:])
	}
	return func() {
		for i, id := range r.IDs {
			copy(grad[int(id)*in:], kept[i*in:(i+1)*in])
		}
	}
}

// columns are the factors of the input's columns: gain and the input scale.
func (l *Linear) columns(p *Pass, gain []float32) []float32 {
	switch {
	case l.In == nil:
		return gain
	case gain == nil:
		return l.In.G
	}
	both := p.Floats(len(gain))
	for i, g := range gain {
		both[i] = g * l.In.G[i]
	}
	return both
}

// gradTokens adds dyᵀ·drop(x) to the sink [N,In], with columns as factors of x's columns. dyt is dyᵀ [N,T].
func gradTokens(p *Pass, sink []float32, dyt, x kernels.Act, columns []float32, m kernels.Mask) {
	g := p.product(dyt.T, x.F)
	g.Add(kernels.Acts(dyt), kernels.Tokens(x, m), false)
	g.Sink = kernels.Sink{Kind: kernels.ToRows, Rows: sink, LD: x.F, Add: true, First: kernels.Affine{Scale: columns}}
	g.Run()
}

func transposed(p *Pass, a kernels.Act) kernels.Act {
	t := p.Act(a.F, a.T)
	kernels.Transpose(t, a)
	return t
}

// chosen is some columns of a, transposed [len(columns),T].
func chosen(p *Pass, a kernels.Act, columns []int32) kernels.Act {
	t, row := p.Act(len(columns), a.T), p.Floats(a.T)
	t.ClearPadding()
	for i, c := range columns {
		for k := range row {
			row[k] = a.At(k, int(c))
		}
		t.SetRow(i, row)
	}
	return t
}

// terms appends dx = dz·W + drop(du·A) to a product: the gradient of the layer's input before an input scale.
func (b *linearGrad) terms(g *kernels.Product) {
	g.Add(kernels.Acts(b.dz), kernels.Weights(b.l.W), false)
	if d := b.l.Delta; d != nil {
		g.AddMasked(kernels.Acts(b.du), kernels.Values(d.A, b.l.W.Cols, d.R, b.l.W.Cols, false), b.mask)
	}
}

// input hands the gradient of the layer's input x [T,In] to a sink, and adds that of the input scale. x may be what the sink writes.
// gain is as for params.
func (b *linearGrad) input(p *Pass, sink kernels.Sink, x kernels.Act, gain []float32) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	in := b.l.In
	if in != nil {
		sink.First.Scale = in.G
		if in.DG != nil {
			sink.First.Keep = p.Act(p.T, b.l.W.Cols)
		}
	}
	g := p.product(p.T, b.l.W.Cols)
	b.terms(g)
	g.Sink = sink
	g.Run()
	if in != nil && in.DG != nil {
		kernels.ColumnDots(in.DG, gain, sink.First.Keep, x)
	}
}

// inputScale adds the gradient of the input scale alone.
func (b *linearGrad) inputScale(p *Pass, x kernels.Act, gain []float32) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	b.input(p, kernels.Sink{Kind: kernels.ToAct, Out: p.Act(p.T, b.l.W.Cols)}, x, gain)
}
