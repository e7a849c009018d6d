package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"ft/internal/op"
	"ft/internal/testkit"
	"ft/internal/testkit/backend"
)

// filler puts a fresh parameter into a slot of p. What p does stays as it is, bit for bit, unless stir is set.
type filler struct {
	name string
	fill func(s *Stack, stir bool)
}

// fillers are all slots of a stack, each alone.
func fillers(s *Stack) (all []filler) {
	for i, l := range s.Linears() {
		all = append(all, linearFillers(i, l.Name)...)
	}
	for i := range s.Norms() {
		name := fmt.Sprint("norm ", i)
		all = append(all, filler{name, func(s *Stack, stir bool) {
			n := s.Norms()[i]
			n.SetGain(around(name, n.Gain(), stir, dim))
		}})
	}
	return append(all, tokenFillers()...)
}

// linearFillers are the slots of the i-th linear layer.
func linearFillers(i int, name string) []filler {
	with := func(what string, fill func(l *Linear, name string, stir bool)) filler {
		return filler{name + " " + what, func(s *Stack, stir bool) { fill(s.Linears()[i], name+"."+what, stir) }}
	}
	return []filler{
		with("slot", func(l *Linear, _ string, stir bool) { addSlot(l, !stir, 0) }),
		with("output scale", func(l *Linear, name string, stir bool) {
			l.SetOutScale(around(name, ones(l.Out()), stir, l.Out()), i%2 == 0)
		}),
		with("input scale", func(l *Linear, name string, stir bool) {
			l.SetInScale(around(name, ones(l.In()), stir, l.In()))
		}),
		with("bias", func(l *Linear, name string, stir bool) {
			l.SetBias(around(name, l.Bias(), stir, l.Out()))
		}),
		with("weight", func(l *Linear, name string, stir bool) {
			l.SetWeight(around(name, table(l.Weight().Row, l.Out(), l.In()), stir, l.Out(), l.In()))
		}),
	}
}

// tokenFillers are the slots for single tokens and those of the embedding.
func tokenFillers() []filler {
	rows := func(row func(dst []float32, i int)) (v []float32) {
		for _, id := range someRows {
			v = append(v, table(row, vocab, dim)[int(id)*dim:int(id+1)*dim]...)
		}
		return v
	}
	return []filler{
		{"lm_head rows", func(s *Stack, stir bool) {
			s.Head.SetRows(someRows, around("head.rows", rows(s.Head.Weight().Row), stir, 2, dim))
		}},
		{"embed rows", func(s *Stack, stir bool) {
			s.Embed.SetRows(someRows, around("embed.rows", rows(s.Embed.Table().Row), stir, 2, dim))
		}},
		{"embed weight", func(s *Stack, stir bool) {
			s.Embed.SetWeight(around("embed.weight", table(s.Embed.Table().Row, vocab, dim), stir, vocab, dim))
		}},
		{"embed slot", func(s *Stack, stir bool) {
			r := newRandom(77)
			a, b := NewParam("embed.A", 2, vocab), NewParam("embed.B", dim, 2)
			copy(a.Data, r.floats(a.Size(), 0, 0.5))
			if stir {
				copy(b.Data, r.floats(b.Size(), 0, 0.5))
			}
			s.Embed.SetLowRank(a, b, 1.5)
		}},
	}
}

var someRows = []int32{vocab - 1, 4}

// around is a parameter of the given values, or of values near them.
func around(name string, v []float32, stir bool, shape ...int) *Param {
	p := NewParam(name, shape...)
	copy(p.Data, v)
	if stir {
		for i, f := range newRandom(op.ModuleKey(name)).floats(len(v), 0, 0.1) {
			p.Data[i] += f
		}
	}
	return p
}

func ones(n int) []float32 { return slices.Repeat([]float32{1}, n) }

func table(row func(dst []float32, i int), rows, cols int) []float32 {
	v := make([]float32, rows*cols)
	for i := range rows {
		row(v[i*cols:(i+1)*cols], i)
	}
	return v
}

// fillAll fills every slot.
func fillAll(s *Stack, stir bool) {
	for _, f := range fillers(s) {
		f.fill(s, stir)
	}
}

// params are all parameters in the stack's slots.
func params(s *Stack) (ps []*Param) {
	ps = append(ps, s.Embed.Params()...)
	for _, l := range s.Linears() {
		ps = append(ps, l.Params()...)
	}
	for _, n := range s.Norms() {
		ps = append(ps, n.Params()...)
	}
	return ps
}

// TestTrain_slots: a parameter that is alone gets the gradient that it has when all slots are filled, though other parts of the
// backward pass are left out, and with Recompute the same bits.
func TestTrain_slots(t *testing.T) {
	const blocks = 2
	k, all := newTask(13, 40, 3), newStack(13, blocks)
	fillAll(all, false)
	want, losses := map[string][]float32{}, mustTrain(t, all, k, 1)
	for _, p := range params(all) {
		want[p.Name] = p.Grad
	}
	for _, f := range fillers(all) {
		if f.name == "lm_head weight" || f.name == "embed weight" {
			continue // among all, rows take the gradients of some of theirs
		}
		one, again := newStack(13, blocks), newStack(13, blocks)
		f.fill(one, false)
		f.fill(again, false)
		again.Recompute = true
		if got := mustTrain(t, one, k, 1); !slices.Equal(got, losses) {
			t.Errorf("%s: other losses", f.name)
		}
		mustTrain(t, again, k, 1)
		ps := params(one)
		if len(ps) == 0 {
			t.Errorf("%s: no parameters", f.name)
		}
		for i, p := range ps {
			testkit.Near(t, p.Name+" alone", p.Grad, want[p.Name], 1e-4, 1e-7)
			if !slices.Equal(params(again)[i].Grad, p.Grad) {
				t.Errorf("%v: another gradient with Recompute", p)
			}
			if p.Name[len(p.Name)-1] != 'A' && slices.Max(p.Grad) == 0 && slices.Min(p.Grad) == 0 {
				t.Errorf("%v: no gradient", p)
			}
		}
	}
}

// TestStack_stateBytes: what an output scale multiplied is kept for its gradient, [T,Out] more, unless the scale is frozen.
func TestStack_stateBytes(t *testing.T) {
	p := newTask(1, 64).pass(newArena(t))
	s := newStack(1, 2)
	base := s.StateBytes(p)
	g := NewParam("g", ff)
	s.Blocks[1].linears[4].SetOutScale(g, false)
	if more := s.StateBytes(p) - base; more < 64*4*ff || more > 2*64*4*ff {
		t.Errorf("%d bytes more for [64,%d]", more, ff)
	}
	g.Grad = nil
	s.Blocks[1].linears[4].SetOutScale(g, false)
	if more := s.StateBytes(p) - base; more != 0 {
		t.Errorf("%d bytes more for a frozen scale", more)
	}
}

// TestTrain_slotGradients compares the gradients of all slots at once with finite differences. Embedding and head have one weight.
func TestTrain_slotGradients(t *testing.T) {
	s, k := newStack(14, 2), newTask(14, 6, 9)
	fillAll(s, true)
	s.Embed.SetWeight(s.Head.slots.weight)
	mustTrain(t, s, k, 1)
	checked := map[*Param]bool{}
	for _, p := range params(s) {
		if !checked[p] {
			checked[p] = true
			checkGradient(t, s, k, p)
		}
	}
}

// checkGradient compares one parameter's gradient with central differences of the loss along itself and along a random direction.
func checkGradient(t *testing.T, s *Stack, k task, p *Param) {
	t.Helper()
	for what, d := range map[string][]float32{
		"along itself": slices.Clone(p.Grad), "along a random direction": newRandom(8).floats(p.Size(), 0, 1),
	} {
		norm, size := math.Sqrt(dot(p.Grad, p.Grad)), math.Sqrt(dot(d, d))
		at := slices.Clone(p.Data)
		side := func(h float64) float64 {
			for i := range p.Data {
				p.Data[i] = at[i] + float32(h*float64(d[i])/size)
			}
			return loss(t, s, k)
		}
		slope := func(h float64) float64 { return (side(h) - side(-h)) / (2 * h) }
		const h = 0.001
		got, want := dot(p.Grad, d)/size, (4*slope(h)-slope(2*h))/3 // without the error of order h²
		copy(p.Data, at)
		if math.Abs(got-want) > 0.004*norm+2e-4 {
			t.Errorf("%v %s: gradient %g, finite differences %g (norm %g)", p, what, got, want, norm)
		}
	}
}

// TestTrain_lowestSlot: nothing is computed below norms and the embedding.
func TestTrain_lowestSlot(t *testing.T) {
	for _, c := range []struct {
		fill func(s *Stack)
		ran  []string
		idle []string
	}{
		{func(s *Stack) { s.Blocks[1].Norms()[0].SetGain(NewParam("g", dim)) }, []string{"layers.1.q", "layers.2.q"}, []string{"layers.0.q", "layers.0.down"}},
		{func(s *Stack) { s.Blocks[1].Norms()[1].SetGain(NewParam("g", dim)) }, []string{"layers.1.gate", "layers.2.q"}, []string{"layers.0.down", "layers.1.q", "layers.1.o"}},
		{func(s *Stack) { s.Norm.SetGain(NewParam("g", dim)) }, []string{"lm_head"}, []string{"layers.2.down"}},
		{func(s *Stack) { s.Blocks[2].linears[6].SetInScale(NewParam("g", ff)) }, []string{"layers.2.down"}, []string{"layers.2.o", "layers.1.down"}},
		{func(s *Stack) { s.Embed.SetWeight(NewParam("w", vocab, dim)) }, []string{"layers.0.q", "layers.2.q"}, nil},
	} {
		s := newStack(15, 3)
		c.fill(s)
		for _, p := range params(s) {
			copy(p.Data, newRandom(3).floats(p.Size(), 1, 0.1))
		}
		sinks := map[string]*op.LowRank{}
		for _, l := range s.Linears() {
			own := l.params
			sinks[l.Name] = watch(l)
			l.params = own
		}
		mustTrain(t, s, newTask(3, 6, 3), 1)
		ran := func(name string) bool {
			return slices.ContainsFunc(sinks[name].DB, func(g float32) bool { return g != 0 })
		}
		for _, name := range c.ran {
			if !ran(name) {
				t.Errorf("%v: no backward pass of %s", params(s), name)
			}
		}
		for _, name := range c.idle {
			if ran(name) {
				t.Errorf("%v: %s has a backward pass", params(s), name)
			}
		}
	}
}

// TestDecode_slots: with all slots filled, decoding token by token gives the states and logits of a pass.
func TestDecode_slots(t *testing.T) {
	backend.Each(t, func(t *testing.T) {
		s := newStack(16, 2)
		fillAll(s, true)
		const n = 40
		q := newSequences(t, s, n)
		for at := range n {
			q.decode(at, 0)
		}
		k := task{lengths: []int{n}, ids: q.ids[0]}
		p := k.pass(newArena(t))
		p.Train = false
		x := s.Hidden(p, k.ids)
		testkit.Near(t, "states", q.out[0], x, 2e-5, 0)
		want := map[int][]float32{}
		s.Logits(p, x, []int32{7}, func(i int, logits []float32) { want[i] = slices.Clone(logits) })
		s.DecodeLogits(&op.Decoder{T: 1, Arena: p.Arena}, x[7*dim:8*dim], func(i int, logits []float32) {
			testkit.Near(t, "logits", logits, want[i], 1e-5, 0)
		})
	})
}

// TestStack_slots: slots change the losses, also later changes of their values; WithoutSlots and ClearSlots give the base back.
func TestStack_slots(t *testing.T) {
	s, k := newStack(17, 2), newTask(17, 9)
	base := loss(t, s, k)
	for _, f := range fillers(s) {
		if f.fill(s, true); loss(t, s, k) == base {
			t.Errorf("%s changes nothing", f.name)
		}
		before := loss(t, s, k)
		for _, p := range params(s) {
			for i := range p.Data {
				p.Data[i] += 0.01 * float32(i%7)
			}
		}
		if loss(t, s, k) == before {
			t.Errorf("%s: later changes are not seen", f.name)
		}
		s.ClearSlots()
		if got := loss(t, s, k); got != base || len(params(s)) != 0 {
			t.Fatalf("%s cleared: %g, base %g", f.name, got, base)
		}
	}
	fillAll(s, true)
	d := &halved{p: NewParam("p", dim), slot: s.Norm.params[0]}
	s.Derive(d)
	with, ps, calls := loss(t, s, k), params(s), d.forward
	broken := errors.New("broken")
	err := s.WithoutSlots(func() error {
		if got := loss(t, s, k); got != base || len(params(s)) != 0 || d.forward != calls {
			t.Errorf("without slots: %g, base %g", got, base)
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got := loss(t, s, k); got != with || !slices.Equal(params(s), ps) || d.forward == calls {
		t.Errorf("slots put back: %g, before %g", got, with)
	}
	if s.ClearSlots(); loss(t, s, k) != base {
		t.Error("cleared slots leave something")
	}
}

// TestParam_frozen: a parameter without a gradient is used and not trained.
func TestParam_frozen(t *testing.T) {
	s, k := newStack(19, 1), newTask(19, 9)
	fillAll(s, true)
	want := loss(t, s, k)
	fixed := newStack(19, 1)
	fillAll(fixed, true)
	for _, p := range params(fixed) {
		p.Grad = nil
	}
	l, e, n := fixed.Blocks[0].linears[0], fixed.Embed, fixed.Norm
	l.SetLowRank(l.slots.a, l.slots.b, 1.5, 0)
	l.SetOutScale(l.slots.outScale, true)
	l.SetInScale(l.slots.inScale)
	l.SetBias(l.slots.bias)
	l.SetWeight(l.slots.weight)
	e.SetRows(e.slots.ids, e.slots.rows)
	e.SetLowRank(e.slots.a, e.slots.b, 1.5)
	n.SetGain(n.params[0])
	for _, p := range []interface{ Params() []*Param }{l, e, n} {
		if len(p.Params()) != 0 {
			t.Errorf("%v are trained", p.Params())
		}
	}
	if got := loss(t, fixed, k); got != want {
		t.Errorf("loss %g, expected %g", got, want)
	}
}
