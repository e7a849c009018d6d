package op

import (
	"fmt"
	"math"

	"ft/internal/kernels"
	"ft/internal/testkit"
)

// kind is a way that a layer comes. r = 0 is one without the low-rank slot.
type kind struct {
	name         string
	bias         bool // in the base
	r            int
	dropout      float32
	out, in      bool // scales
	withBias     bool // of the output scale
	tuned        bool // the bias and the norm's gain are trained
	weight, rows bool // the weight, three rows of it, are trained
	onlyA        bool // all but A is frozen
}

// linear makes a layer of the given kind.
func (f *fixture) linear(name string, out, in int, k kind) *Linear {
	l := &Linear{W: kernels.FromFloat32(out, in, f.floats(out*in, 1/math.Sqrt(float64(in)))), Key: ModuleKey(name)}
	sink := func(n int) []float32 {
		if k.onlyA {
			return nil
		}
		return make([]float32, n)
	}
	f.scaled = f.scaled || k.out || k.in
	if k.bias || k.tuned {
		l.Bias = f.floats(out, 0.5)
	}
	if k.tuned {
		l.DBias = sink(out)
	}
	if k.r > 0 {
		l.Delta = &LowRank{
			R: k.r, A: f.floats(k.r*in, 0.4), B: f.floats(out*k.r, 0.4), DA: make([]float32, k.r*in), DB: sink(out * k.r),
			Scale: 1.5, Dropout: k.dropout,
		}
	}
	if k.out {
		l.Out = &OutScale{G: f.gain(out), DG: sink(out), WithBias: k.withBias}
	}
	if k.in {
		l.In = &InScale{G: f.gain(in), DG: sink(in)}
	}
	if k.weight {
		l.DW = sink(out * in)
	}
	if k.rows {
		ids := []int32{int32(out) - 1, 0, 7}
		l.W = l.W.WithRows(ids, f.floats(len(ids)*in, 0.3))
		l.Rows = NewRows(ids, sink(len(ids)*in))
	}
	return l
}

// norm makes a norm, trained if the kind's are.
func (f *fixture) norm(k kind, eps float32) *Norm {
	n := &Norm{Gain: f.gain(dim), Eps: eps}
	if k.tuned && !k.onlyA {
		n.DGain = make([]float32, dim)
	}
	return n
}

// checkSlots compares the gradients in a layer's sinks with those of objective, which computes with r.
func (f *fixture) checkSlots(name string, r *ref, objective func() float64) {
	f.t.Helper()
	l := r.l
	if d := l.Delta; d != nil {
		f.checkSink(name+" dA", d.DA, r.a, objective)
		f.checkSink(name+" dB", d.DB, r.b, objective)
	}
	if l.Out != nil {
		f.checkSink(name+" d of the output scale", l.Out.DG, r.gout, objective)
	}
	if l.In != nil {
		f.checkSink(name+" d of the input scale", l.In.DG, r.gin, objective)
	}
	f.checkSink(name+" dbias", l.DBias, r.bias, objective)
	f.checkSink(name+" dW", l.DW, r.w, objective)
	if l.Rows != nil && l.Rows.Grad != nil {
		for i, id := range l.Rows.IDs {
			f.checkSink(name+" drows", l.Rows.Grad[i*r.in:(i+1)*r.in], r.w[int(id)*r.in:int(id+1)*r.in], objective)
		}
	}
}

// sinks are the places of the sinks that there are.
func sinks(n *Norm, ls ...*Linear) (all []*[]float32) {
	add := func(s *[]float32) {
		if *s != nil {
			all = append(all, s)
		}
	}
	if n != nil {
		add(&n.DGain)
	}
	for _, l := range ls {
		add(&l.DBias)
		add(&l.DW)
		if l.Delta != nil {
			add(&l.Delta.DA)
			add(&l.Delta.DB)
		}
		if l.Out != nil {
			add(&l.Out.DG)
		}
		if l.In != nil {
			add(&l.In.DG)
		}
		if l.Rows != nil {
			add(&l.Rows.Grad)
		}
	}
	return all
}

// same fails unless run puts the same gradients into empty sinks as are in them.
func (f *fixture) same(what string, all []*[]float32, run func()) {
	f.t.Helper()
	var before [][]float32
	for _, s := range all {
		before = append(before, *s)
		*s = make([]float32, len(*s))
	}
	run()
	for i, s := range all {
		testkit.Near(f.t, fmt.Sprintf("sink %d, %s", i, what), *s, before[i], 0, 0)
	}
}

// checkSink compares one sink with the gradient with respect to v, in 100 places at most. Nil sinks are of frozen values.
func (f *fixture) checkSink(name string, sink []float32, v []float64, objective func() float64) {
	f.t.Helper()
	if sink == nil {
		return
	}
	places := f.some(len(sink), 100)
	got := make([]float32, len(places))
	for i, at := range places {
		got[i] = sink[at]
	}
	f.near(name, got, testkit.Gradient(objective, v, 1e-5, places...), gradTol)
}
