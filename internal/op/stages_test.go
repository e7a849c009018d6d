package op

import (
	"fmt"
	"math"
	"testing"

	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/internal/testkit/backend"
)

// kinds are the ways a layer comes. The last ones have everything.
var kinds = []kind{
	{name: "plain"},
	{name: "slot", r: rank},
	{name: "bias and slot", bias: true, r: rank},
	{name: "dropout", r: rank, dropout: 0.3},
	{name: "bias, wide slot, dropout", bias: true, r: 17, dropout: 0.5},
	{name: "output scale", bias: true, out: true},
	{name: "input scale", in: true},
	{name: "trained vectors", tuned: true},
	{name: "weight and vectors", weight: true, tuned: true},
	{name: "frozen but for A", bias: true, r: rank, out: true, in: true, tuned: true, rows: true, onlyA: true},
	{name: "scaled with bias, weight, slot", withBias: true, r: rank, dropout: 0.3, out: true, in: true, tuned: true, weight: true},
	{name: "scaled without bias, rows, slot", r: rank, dropout: 0.3, out: true, in: true, tuned: true, rows: true},
}

// onAll is how many of kinds run on backends other than the best.
const onAll = 2

// eachKind runs f on every kind of layer.
func eachKind(t *testing.T, lengths []int, f func(f *fixture, k kind)) {
	best := kernels.Backend()
	backend.Each(t, func(t *testing.T) {
		for i, k := range kinds {
			if i >= len(kinds)-onAll || kernels.Backend() == best {
				t.Run(k.name, func(t *testing.T) { f(newFixture(t, uint64(i), lengths...), k) })
				t.Run(k.name+"/bfloat16", func(t *testing.T) {
					fix := newFixture(t, uint64(i), lengths...)
					fix.p.Prec = kernels.BF16
					f(fix, k)
				})
			}
		}
	})
}

func TestQKV(t *testing.T) { eachKind(t, []int{5, 1, 3}, testQKV) }

func testQKV(f *fixture, k kind) {
	p := f.p
	w := &QKV{
		Norm: f.norm(k, 1e-5),
		Q:    f.linear("q", heads*head, dim, k), K: f.linear("k", kvHeads*head, dim, k),
		V: f.linear("v", kvHeads*head, dim, k),
	}
	x := f.floats(p.T*dim, 1)
	rq, rk, rv, x64, gain := f.reference(p, w.Q), f.reference(p, w.K), f.reference(p, w.V), wide(x), wide(w.Norm.Gain)
	forward := func() (q, k, v []float64) {
		h := refNorm(x64, gain, w.Norm.Eps)
		return rq.apply(h), rk.apply(h), rv.apply(h)
	}
	st := w.Room(p)
	gotQ, gotK, gotV := p.Floats(p.T*heads*head), p.Floats(p.T*kvHeads*head), p.Floats(p.T*kvHeads*head)
	QKVForward(p, w, &st, gotQ, gotK, gotV, x)
	q, keys, v := forward()
	f.near("q", gotQ, q, forwardTol)
	f.near("k", gotK, keys, forwardTol)
	f.near("v", gotV, v, forwardTol)

	dq, dk, dv, dx := f.floats(len(q), 1), f.floats(len(keys), 1), f.floats(len(v), 1), f.floats(len(x), 1)
	cq, ck, cv, cx := wide(dq), wide(dk), wide(dv), wide(dx)
	objective := func() float64 { // dx holds the gradient of the residual on entry
		q, k, v := forward()
		return dot(q, cq) + dot(k, ck) + dot(v, cv) + dot(x64, cx)
	}
	aq, ak, av := f.act(dq), f.act(dk), f.act(dv)
	QKVBackward(p, w, &st, dx, aq, ak, av)
	f.near("dx", dx, testkit.Gradient(objective, x64, 1e-5), gradTol)
	f.checkSlots("q", rq, objective)
	f.checkSlots("k", rk, objective)
	f.checkSlots("v", rv, objective)
	f.checkSink("dgain", w.Norm.DGain, gain, objective)
	f.same("without dx", sinks(w.Norm, w.Q, w.K, w.V), func() { QKVBackward(p, w, &st, nil, aq, ak, av) })
}

// act rounds rows of the pass's tokens to an activation matrix.
func (f *fixture) act(rows []float32) kernels.Act {
	a := f.p.Act(f.p.T, len(rows)/f.p.T)
	kernels.Rounded(a, rows)
	return a
}

func TestProject(t *testing.T) { eachKind(t, []int{4, 5}, testProject) }

func testProject(f *fixture, k kind) {
	p := f.p
	o := f.linear("o", dim, heads*head, k)
	x, a := f.floats(p.T*dim, 1), f.floats(p.T*heads*head, 1)
	ro, a64 := f.reference(p, o), wide(a)
	want := wide(x)
	for i, v := range ro.apply(a64) {
		want[i] += v
	}
	w, act := &Project{Out: o}, f.act(a)
	st := w.Room(p)
	ProjectForward(p, w, &st, x, act)
	f.near("out", x, want, forwardTol)

	dout := f.floats(len(x), 1)
	objective := func() float64 { return dot(wide(dout), ro.apply(a64)) }
	da := make([]float32, len(a))
	ProjectBackward(p, w, da, dout, act, &st)
	f.near("da", da, testkit.Gradient(objective, a64, 1e-5), gradTol)
	f.checkSlots("o", ro, objective)
	f.same("without da", sinks(nil, o), func() { ProjectBackward(p, w, nil, dout, act, &st) })
}

func TestMLP(t *testing.T) { eachKind(t, []int{3, 4, 2}, testMLP) }

func testMLP(f *fixture, k kind) {
	p := f.p
	w := &MLP{
		Norm: f.norm(k, 1e-6), Gate: f.linear("gate", ff, dim, k),
		Up: f.linear("up", ff, dim, k), Down: f.linear("down", dim, ff, k),
	}
	x := f.floats(p.T*dim, 1)
	rg, ru, rd, x64, gain := f.reference(p, w.Gate), f.reference(p, w.Up), f.reference(p, w.Down), wide(x), wide(w.Norm.Gain)
	forward := func() []float64 {
		h := refNorm(x64, gain, w.Norm.Eps)
		y := rd.apply(refSwiGLU(rg.apply(h), ru.apply(h)))
		for i, v := range x64 {
			y[i] += v
		}
		return y
	}
	st := w.Room(p)
	MLPForward(p, w, &st, x)
	f.near("out", x, forward(), forwardTol)

	dx := f.floats(len(x), 1)
	c := wide(dx)
	objective := func() float64 { return dot(forward(), c) }
	dy := append([]float32(nil), dx...)
	MLPBackward(p, w, &st, dx, true)
	f.near("dx", dx, testkit.Gradient(objective, x64, 1e-5), gradTol)
	f.checkSlots("gate", rg, objective)
	f.checkSlots("up", ru, objective)
	f.checkSlots("down", rd, objective)

	f.checkSink("dgain", w.Norm.DGain, gain, objective)
	f.same("without dx", sinks(w.Norm, w.Gate, w.Up, w.Down), func() { MLPBackward(p, w, &st, dy, false) })
}

// TestMLP_downOnly takes the short way of a block whose only slots are on the down projection.
func TestMLP_downOnly(t *testing.T) {
	for _, k := range []kind{{r: rank, dropout: 0.2}, {weight: true}, {in: true}, {out: true}} {
		f := newFixture(t, 3, 3, 4)
		w := &MLP{
			Norm: f.norm(kind{}, 1e-6), Gate: f.linear("gate", ff, dim, kind{}), Up: f.linear("up", ff, dim, kind{}), Down: f.linear("down", dim, ff, k),
		}
		x, dy := f.floats(f.p.T*dim, 1), f.floats(f.p.T*dim, 1)
		st := w.Room(f.p)
		MLPForward(f.p, w, &st, x)
		MLPBackward(f.p, w, &st, append([]float32(nil), dy...), true)
		all := sinks(w.Norm, w.Down)
		f.same("without dx", all, func() { MLPBackward(f.p, w, &st, dy, false) })
		for i, s := range all {
			if diff, _ := testkit.MaxDiff(*s, make([]float32, len(*s))); diff == 0 {
				t.Errorf("%+v: sink %d is zero", k, i)
			}
		}
	}
}

func TestHeadLoss(t *testing.T) {
	eachKind(t, []int{4, 6, 1, 5}, func(f *fixture, k kind) { testHead(f, k, 0.7) })
}

// TestHeadLoss_chunks has more labels than one chunk of logits.
func TestHeadLoss_chunks(t *testing.T) {
	testHead(newFixture(t, 9, 2*headChunk+20, 40), kind{r: rank, dropout: 0.3, weight: true}, 0.95)
}

// testHead labels each position with the given chance.
func testHead(f *fixture, k kind, chance float64) {
	p := f.p
	h := &Head{Norm: f.norm(k, 1e-5), Out: f.linear("lm_head", vocab, dim, k)}
	x, labels := f.floats(p.T*dim, 1), make([]int32, p.T)
	var rows, at []int32
	for t := range labels {
		labels[t] = -100
		if f.rand.Float64() < chance {
			labels[t] = int32(f.rand.IntN(vocab))
			rows, at = append(rows, int32(t)), append(at, labels[t])
		}
	}
	out, x64, gain := f.reference(p, h.Out), wide(x), wide(h.Norm.Gain)
	loss := func() float64 {
		logits := out.apply(refNorm(x64, gain, h.Norm.Eps))
		chosen := make([]float64, 0, len(rows)*vocab)
		for _, t := range rows {
			chosen = append(chosen, logits[int(t)*vocab:(int(t)+1)*vocab]...)
		}
		return refLoss(chosen, vocab, at)
	}
	const scale = 0.25
	losses, dx := make([]float64, p.T), f.floats(p.T*dim, 1)
	HeadLoss(p, h, x, labels, losses, dx, scale)
	sum := 0.0
	for t, l := range losses {
		if sum += l; labels[t] < 0 && l != 0 {
			f.t.Errorf("token %d has no label, but a loss of %g", t, l)
		}
	}
	if f.p.Prec == kernels.F32 {
		testkit.Near(f.t, "loss", []float64{sum}, []float64{loss()}, 1e-6, 0)
	} else {
		testkit.Near(f.t, "loss", []float64{sum}, []float64{loss()}, 5e-3, 0)
	}
	objective := func() float64 { return scale * loss() }
	places := f.some(len(x), 150)
	got := make([]float32, len(places))
	for i, at := range places {
		got[i] = dx[at]
	}
	f.near("dx", got, testkit.Gradient(objective, x64, 1e-5, places...), gradTol)
	f.checkSlots("lm_head", out, objective)
	f.checkSink("dgain", h.Norm.DGain, gain, objective)

	again := make([]float64, p.T)
	HeadLoss(p, h, x, labels, again, nil, 0)
	testkit.Near(f.t, "losses without a gradient", again, losses, 0, 0)
}

// some chooses at most n of the places 0 to m-1.
func (f *fixture) some(m, n int) []int { return f.rand.Perm(m)[:min(m, n)] }

func TestHeadLogits(t *testing.T) {
	f := newFixture(t, 4, 5, headChunk+30)
	f.p.Train = false
	h := &Head{Norm: f.norm(kind{}, 1e-5), Out: f.linear("lm_head", vocab, dim, kind{bias: true, r: rank, dropout: 0.5})}
	x := f.floats(f.p.T*dim, 1)
	want := f.reference(f.p, h.Out).apply(refNorm(wide(x), h.Norm.Gain, h.Norm.Eps))
	rows := []int32{3, 0, 3} // any order, and twice
	for i := range int32(headChunk + 3) {
		rows = append(rows, i+2)
	}
	got := make([][]float32, len(rows))
	HeadLogits(f.p, h, x, rows, func(i int, logits []float32) {
		if got[i] != nil {
			t.Errorf("row %d came twice", i)
		}
		got[i] = append([]float32(nil), logits...)
		clear(logits) // the callee's to change
	})
	for i, r := range rows {
		testkit.Near(t, fmt.Sprintf("logits %d of token %d", i, r), got[i], want[int(r)*vocab:(int(r)+1)*vocab], forwardTol, 1e-5)
	}
}

// TestRope_grows asks for tables step by step; values of a position stay.
func TestRope_grows(t *testing.T) {
	freq := []float64{1, 0.1, 1e-3}
	r := NewRope(freq, 0.8)
	for _, n := range []int{1, 2, 3, 40, 7, 41} {
		cos, sin := r.Tables(n)
		if len(cos) < n*3 || len(sin) != len(cos) {
			t.Fatalf("%d positions: tables of %d and %d values", n, len(cos), len(sin))
		}
		for p := range n {
			for i, f := range freq {
				s, c := math.Sincos(float64(p) * f)
				testkit.Near(t, fmt.Sprintf("position %d, pair %d", p, i),
					[]float32{cos[p*3+i], sin[p*3+i]}, []float64{0.8 * c, 0.8 * s}, 0, 3e-6)
			}
		}
	}
}
