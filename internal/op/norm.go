package op

import "ft/internal/kernels"

// Norm is a normalisation with its gain: RMS norm (Zhang and Sennrich 2019, arXiv:1910.07467) or, with a bias, layer norm (Ba et al. 2016,
// arXiv:1607.06450).
type Norm struct {
	Gain  []float32 // [D]
	DGain []float32 // gradient sink, or nil
	Bias  []float32 // [D], or nil: RMS norm
	DBias []float32 // gradient sink, or nil
	Eps   float32

	// Less1, if not nil, is the gain less one, of which every forward pass computes Gain anew: the trained weight of families whose
	// norms multiply with one more than their weight.
	Less1 []float32
}

// trains reports whether the norm, which may be nil, has gradients to add.
func (n *Norm) trains() bool { return n != nil && (n.DGain != nil || n.DBias != nil) }

// ready brings Gain up to date.
func (n *Norm) ready() {
	for i, v := range n.Less1 {
		n.Gain[i] = 1 + v
	}
}

// rows normalises rows of float32 x [t,D] into dst, which may be x, for decoding.
func (n *Norm) rows(dst, x []float32, t int) {
	n.ready()
	if n.Bias != nil {
		kernels.LayerNormRows(dst, x, n.Gain, n.Bias, t, len(n.Gain), n.Eps)
		return
	}
	kernels.NormRows(dst, x, n.Gain, t, len(n.Gain), n.Eps)
}

// normState is the input of layers side by side, as their backward pass needs it.
type normState struct {
	xhat kernels.Act // [T,D] normalised, before gain and bias; without a norm the input itself
	h    kernels.Act // [T,D] behind the bias of a layer norm
	inv  []float32   // [T]
}

// room is memory for the state, for rows of d values; n may be nil.
func (n *Norm) room(p *Pass, d int) normState {
	st := normState{xhat: p.Act(p.T, d)}
	if n == nil {
		return st
	}
	st.inv = p.Floats(p.T)
	if n.Bias != nil {
		st.h = p.Act(p.T, d)
	}
	return st
}

// forward is x [T,D] normalised, or as it is if n is nil, as an Act in the arena or in the state.
func (n *Norm) forward(p *Pass, st *normState, x []float32) kernels.Act {
	if n == nil {
		kernels.Rounded(st.xhat, x)
		return st.xhat
	}
	n.ready()
	if n.Bias != nil {
		kernels.LayerNorm(st.h, st.xhat, st.inv, x, n.Gain, n.Bias, n.Eps)
		return st.h
	}
	h := p.Act(p.T, st.xhat.F)
	kernels.Norm(h, st.xhat, st.inv, x, n.Gain, n.Eps)
	return h
}

// input is what forward gave, as an Act and factors of its columns that it lacks, which may be nil.
func (n *Norm) input(st *normState) (x kernels.Act, gain []float32) {
	switch {
	case n == nil:
		return st.xhat, nil
	case n.Bias != nil:
		return st.h, nil
	}
	return st.xhat, n.Gain
}

// backward adds the gradient of the norm's input to dx [T,D], unless dx is nil, and those of gain and bias, from dh [T,D], the gradient
// of its output.
func (n *Norm) backward(st *normState, dx, dh []float32) {
	if n.DGain != nil {
		kernels.ColumnDotsRows(n.DGain, dh, st.xhat)
	}
	if n.DBias != nil {
		kernels.ColumnSumsRows(n.DBias, dh)
	}
	switch {
	case dx == nil:
	case n.Bias != nil:
		kernels.LayerNormGrad(dx, dh, st.xhat, st.inv, n.Gain)
	default:
		kernels.NormGrad(dx, dh, st.xhat, st.inv, n.Gain)
	}
}

// inPlaceRoom is memory for the state of inPlace for x of n values; n may be nil.
func (n *Norm) inPlaceRoom(p *Pass, size int) normState {
	if n == nil {
		return normState{}
	}
	d := len(n.Gain)
	return normState{xhat: p.Act(size/d, d), inv: p.Floats(size / d)}
}

// inPlace normalises x, rows of as many values as n has gains; n is an RMS norm, or nil.
func (n *Norm) inPlace(st *normState, x []float32) {
	if n == nil {
		return
	}
	n.ready()
	kernels.NormKeep(x, st.xhat, st.inv, n.Gain, n.Eps)
}

// inPlaceBackward is the gradient of inPlace's input, in the arena, from dy, that of its output, and adds the gain's.
func (n *Norm) inPlaceBackward(p *Pass, st *normState, dy []float32) (dx []float32) {
	dx = p.Arena.FloatsZero(len(dy))
	n.backward(st, dx, dy)
	return dx
}

// branch is one of the layers that read the same input: the gradient of its output and its state.
type branch struct {
	l  *Linear
	dy kernels.Act
	st LinearState
}

// back goes back through layers side by side and the norm before them, which may be nil. dx [T,D], unless nil, is added to.
func (n *Norm) back(p *Pass, st *normState, dx []float32, branches ...branch) {
	x, gain := n.input(st)
	dh := dx // without a norm
	if n != nil {
		dh = nil
		if dx != nil || n.trains() {
			dh = p.Floats(p.T * x.F)
		}
	}
	g := p.sum(p.T, x.F)
	sink := kernels.Sink{Kind: kernels.ToRows, Rows: dh, LD: x.F, Add: n == nil}
	for _, b := range branches {
		back := b.l.gradients(p, b.dy, b.st)
		back.params(p, x, gain)
		switch in := b.l.In; {
		case in == nil:
			back.terms(g)
		case dh != nil: // a sum of its own, since its columns have factors
			back.input(p, sink, x, gain)
			sink.Add = true
		case in.DG != nil:
			back.inputScale(p, x, gain)
		}
	}
	if dh == nil {
		return
	}
	g.Sink = sink
	g.Run()
	if n != nil {
		n.backward(st, dx, dh)
	}
}
