package nn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"ft/internal/op"
	"ft/internal/testkit"
)

// TestTrain_gradients compares every parameter's gradient with central differences of the loss along the gradient
// itself and along a random direction. (The stages have a float64 reference of their own; here it is their order.)
func TestTrain_gradients(t *testing.T) {
	s, k := newStack(1, 2), newTask(1, 5, 9)
	for _, l := range s.Linears() {
		addSlot(l, false, 0)
	}
	const scale = 0.5
	mustTrain(t, s, k, scale)
	r := newRandom(8)
	for _, l := range s.Linears() {
		for _, p := range l.Params() {
			norm := math.Sqrt(dot(p.Grad, p.Grad))
			for what, d := range map[string][]float32{"along itself": slices.Clone(p.Grad), "along a random direction": r.floats(p.Size(), 0, 1)} {
				size := math.Sqrt(dot(d, d))
				at := slices.Clone(p.Data)
				side := func(h float64) float64 {
					for i := range p.Data {
						p.Data[i] = at[i] + float32(h*float64(d[i])/size)
					}
					return scale * loss(t, s, k)
				}
				const h = 0.004
				got, want := dot(p.Grad, d)/size, (side(h)-side(-h))/(2*h)
				copy(p.Data, at)
				if math.Abs(got-want) > 0.003*norm+1e-4 {
					t.Errorf("%v %s: gradient %g, finite differences %g (norm %g)", p, what, got, want, norm)
				}
			}
		}
	}
}

func dot(a, b []float32) (s float64) {
	for i, v := range a {
		s += float64(v) * float64(b[i])
	}
	return s
}

// TestTrain_single: a slot that is alone gets the gradients that it has among slots on all layers, bit for bit, though
// other parts of the backward pass are left out. The other slots' B is zero, so the forward pass is the same.
func TestTrain_single(t *testing.T) {
	k := newTask(2, 4, 70, 3)
	n := len(newStack(2, 2).Linears())
	for i := range n {
		all, one := newStack(2, 2), newStack(2, 2)
		for j, l := range all.Linears() {
			addSlot(l, j != i, 0)
		}
		alone := one.Linears()[i]
		addSlot(alone, false, 0)
		lossAll, lossOne := mustTrain(t, all, k, 1), mustTrain(t, one, k, 1)
		if !slices.Equal(lossAll, lossOne) {
			t.Errorf("%s: losses differ", alone.Name)
		}
		for j, p := range alone.Params() {
			if want := all.Linears()[i].Params()[j].Grad; !slices.Equal(p.Grad, want) {
				diff, size := testkit.MaxDiff(p.Grad, want)
				t.Errorf("%v alone: gradient differs by %g of %g", p, diff, size)
			} else if slices.Max(want) == 0 && slices.Min(want) == 0 {
				t.Errorf("%v: no gradient", p)
			}
		}
	}
}

// watch fills a layer's slot without telling the graph: it stays zero-valued in the forward pass, and its sinks show
// whether the layer's backward pass ran.
func watch(l *Linear) *op.LowRank {
	addSlot(l, false, 0)
	l.params = nil
	return l.op.Delta
}

// TestTrain_lowest: nothing is computed below the lowest trainable parameter.
func TestTrain_lowest(t *testing.T) {
	for _, c := range []struct {
		trained string
		ran     []string // watched layers whose backward pass must run
		idle    []string
	}{
		{"layers.2.q", []string{"layers.2.o", "layers.2.down", "layers.3.q", "layers.3.down"}, []string{"layers.0.", "layers.1."}},
		{"layers.1.o", []string{"layers.1.down", "layers.2.q"}, []string{"layers.0.", "layers.1.q", "layers.1.k", "layers.1.v"}},
		{"layers.3.down", nil, []string{"layers.0.", "layers.1.", "layers.2.", "layers.3.q", "layers.3.k", "layers.3.v", "layers.3.o"}},
		{"lm_head", nil, []string{"layers."}},
	} {
		t.Run(c.trained, func(t *testing.T) {
			s := newStack(3, 4)
			sinks := map[string]*op.LowRank{}
			for _, l := range s.Linears() {
				if l.Name == c.trained {
					addSlot(l, false, 0)
				} else {
					sinks[l.Name] = watch(l)
				}
			}
			mustTrain(t, s, newTask(3, 6, 3), 1)
			for name, d := range sinks {
				ran := false
				for _, g := range d.DB {
					ran = ran || g != 0
				}
				if slices.Contains(c.ran, name) && !ran {
					t.Errorf("no backward pass of %s", name)
				}
				for _, prefix := range c.idle {
					if strings.HasPrefix(name, prefix) && ran {
						t.Errorf("%s has a backward pass", name)
					}
				}
			}
		})
	}
}

// TestTrain_memory: blocks below the lowest trainable parameter keep nothing for a backward pass.
func TestTrain_memory(t *testing.T) {
	const blocks, tokens = 6, 40
	held := func(lowest int) int {
		s, a := newStack(4, blocks), newArena(t)
		addSlot(s.Blocks[lowest].linears[0], false, 0)
		k := newTask(4, tokens)
		p := k.pass(a)
		first := a.Floats(1)
		if err := s.Train(p, k.ids, k.labels, make([]float64, tokens), 1); err != nil {
			t.Fatal(err)
		}
		next := a.Floats(1) // lies behind what the pass still holds, in the arena's first chunk
		return int(uintptr(unsafe.Pointer(&next[0]))-uintptr(unsafe.Pointer(&first[0]))) / 4
	}
	// A block that is trained keeps at least its two MLP inputs and its queries and attention output.
	least := tokens * (2*ff + 2*heads*head)
	one := 0
	for lowest := range blocks - 1 {
		now, above := held(lowest), held(lowest+1)
		if one = now - above; one < least {
			t.Errorf("lowest trained block %d: %d values held, only %d more than with %d", lowest, now, one, lowest+1)
		}
	}
	if last, most := held(blocks-1), tokens*(blocks+4)*dim+one*3/2; last > most {
		t.Errorf("with the last block trained %d values are held, more than %d", last, most)
	}
}

// TestTrain_recompute: losses and gradients are the same when blocks are computed twice, and the state is a fraction.
func TestTrain_recompute(t *testing.T) {
	k := newTask(12, 40, 3)
	run := func(again bool) ([]float64, *Stack) {
		s := newStack(12, 3)
		s.Recompute = again
		for _, l := range s.Linears() {
			addSlot(l, false, 0.3)
		}
		return mustTrain(t, s, k, 1), s
	}
	losses, kept := run(false)
	again, s := run(true)
	if !slices.Equal(losses, again) {
		t.Error("losses differ")
	}
	for i, l := range s.Linears() {
		for j, p := range l.Params() {
			if !slices.Equal(p.Grad, kept.Linears()[i].Params()[j].Grad) {
				t.Errorf("%v: another gradient", p)
			}
		}
	}
	p := k.pass(newArena(t))
	if few, all := s.StateBytes(p), kept.StateBytes(p); few <= 0 || few >= 2*all/3 {
		t.Errorf("%d bytes of state, %d when everything is kept", few, all)
	}
}

// TestTrain_plain: a stack with nothing to train still tells its losses, those of Losses.
func TestTrain_plain(t *testing.T) {
	s, k := newStack(5, 2), newTask(5, 8, 2)
	sum := 0.0
	for _, l := range mustTrain(t, s, k, 1) {
		sum += l
	}
	if want := loss(t, s, k); sum != want || sum <= 0 {
		t.Errorf("loss %g, without training %g", sum, want)
	}
}

// TestTrain_accumulates: gradients add up over passes, and samples one by one give what they give packed.
func TestTrain_accumulates(t *testing.T) {
	k := newTask(6, 7, 1, 12, 66)
	grads := func(tasks ...task) map[string][]float32 {
		s := newStack(6, 2)
		for _, l := range s.Linears() {
			addSlot(l, false, 0)
		}
		for _, k := range tasks {
			mustTrain(t, s, k, 0.1)
		}
		out := map[string][]float32{}
		for _, l := range s.Linears() {
			for _, p := range l.Params() {
				out[p.Name] = p.Grad
			}
		}
		return out
	}
	once, twice, apart := grads(k), grads(k, k), grads(k.split()...)
	for name, g := range once {
		double := slices.Clone(g)
		for i := range double {
			double[i] *= 2
		}
		testkit.Near(t, name+" twice", twice[name], double, 1e-6, 0)
		testkit.Near(t, name+" in four passes", apart[name], g, 1e-5, 0)
	}
}

// TestTrain_panic: what goes wrong inside a stage, forward or in spago's backward goroutine, is an error that names
// the place; and the stack can be used again.
func TestTrain_panic(t *testing.T) {
	k := newTask(7, 5, 3)
	for _, c := range []struct {
		name, want string
		spoil      func(s *Stack) (mend func())
	}{
		{"forward", "block 1, forward", func(s *Stack) func() {
			gain := s.Blocks[1].mlp.Norm.Gain
			s.Blocks[1].mlp.Norm.Gain = gain[1:]
			return func() { s.Blocks[1].mlp.Norm.Gain = gain }
		}},
		{"backward", "block 0, backward", func(s *Stack) func() {
			d := s.Blocks[0].linears[1].op.Delta
			sink := d.DA
			d.DA = sink[1:]
			return func() { d.DA = sink }
		}},
		{"head", "head and loss", func(s *Stack) func() {
			b := s.Head.op.Delta.B
			s.Head.op.Delta.B = b[1:]
			return func() { s.Head.op.Delta.B = b }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStack(7, 2)
			for _, l := range s.Linears() {
				addSlot(l, false, 0)
			}
			mend := c.spoil(s)
			if _, err := tryTrain(t, s, k, 1); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, expected one with %q", err, c.want)
			}
			mend()
			for _, l := range s.Linears() {
				for _, p := range l.Params() {
					p.ZeroGrad()
				}
			}
			fresh := newStack(7, 2)
			for _, l := range fresh.Linears() {
				addSlot(l, false, 0)
			}
			got, want := mustTrain(t, s, k, 1), mustTrain(t, fresh, k, 1)
			if !slices.Equal(got, want) {
				t.Error("losses differ afterwards")
			}
			for i, l := range s.Linears() {
				for j, p := range l.Params() {
					if !slices.Equal(p.Grad, fresh.Linears()[i].Params()[j].Grad) {
						t.Errorf("%v: another gradient afterwards", p)
					}
				}
			}
		})
	}
}

// TestTrain_dropout: a pass is a function of seed and step, and dropout reaches losses and gradients.
func TestTrain_dropout(t *testing.T) {
	k := newTask(8, 6, 4)
	run := func(dropout float32, step uint64) ([]float64, []float32) {
		s := newStack(8, 2)
		for _, l := range s.Linears() {
			addSlot(l, false, dropout)
		}
		p := k.pass(newArena(t))
		p.Step = step
		losses := make([]float64, p.T)
		if err := s.Train(p, k.ids, k.labels, losses, 1); err != nil {
			t.Fatal(err)
		}
		return losses, s.Blocks[0].linears[0].Params()[0].Grad
	}
	l, g := run(0.5, 1)
	for _, c := range []struct {
		what    string
		dropout float32
		step    uint64
		same    bool
	}{{"again", 0.5, 1, true}, {"next step", 0.5, 2, false}, {"no dropout", 0, 1, false}} {
		l2, g2 := run(c.dropout, c.step)
		if slices.Equal(l, l2) != c.same || slices.Equal(g, g2) != c.same {
			t.Errorf("%s: losses the same %v, gradients the same %v", c.what, slices.Equal(l, l2), slices.Equal(g, g2))
		}
	}
}

func ExampleParam_String() {
	fmt.Println(NewParam("model.layers.0.self_attn.q_proj.lora_A.weight", 8, 64))
	// Output: model.layers.0.self_attn.q_proj.lora_A.weight[8 64]
}
