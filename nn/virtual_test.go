package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"ft/internal/kernels"
	"ft/internal/op"
	"ft/internal/testkit"
	"ft/internal/testkit/backend"
)

// addPrefix puts a prefix of n rows on a stack.
func addPrefix(s *Stack, n int) *Param {
	p := NewParam("prefix", n, 2*len(s.Blocks), kvHeads, head)
	copy(p.Data, newRandom(21).floats(p.Size(), 0, 1))
	s.SetPrefix(p)
	return p
}

// addPrompt puts n virtual tokens on a stack.
func addPrompt(s *Stack, n int) *Param {
	p := NewParam("prompt", n, dim)
	copy(p.Data, newRandom(22).floats(p.Size(), 0, 1))
	s.SetPrompt(p)
	return p
}

// behind is the task with the stack's virtual tokens in it, and its pass.
func (k task) behind(s *Stack, a *kernels.Arena) (task, *op.Pass) {
	out := task{}
	at := 0
	for _, n := range k.lengths {
		for i := range s.Prompt() {
			out.ids, out.labels = append(out.ids, Virtual(i)), append(out.labels, -100)
		}
		out.ids, out.labels = append(out.ids, k.ids[at:at+n]...), append(out.labels, k.labels[at:at+n]...)
		out.lengths = append(out.lengths, s.Prompt()+n)
		at += n
	}
	p := out.pass(a)
	for i := range p.Pos {
		p.Pos[i] += int32(s.Prefix())
	}
	return out, p
}

// trainBehind runs a training pass and returns the sum of losses.
func trainBehind(t *testing.T, s *Stack, k task) float64 {
	t.Helper()
	all, p := k.behind(s, newArena(t))
	losses := make([]float64, p.T)
	if err := s.Train(p, all.ids, all.labels, losses, 1); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, l := range losses {
		sum += l
	}
	return sum
}

// TestVirtual_gradients compares with finite differences, among slots and alone, and asks that recomputation and packing change
// nothing but rounding.
func TestVirtual_gradients(t *testing.T) {
	k := newTask(3, 5, 40, 1)
	for name, add := range map[string]func(*Stack, int) *Param{"prefix": addPrefix, "prompt": addPrompt} {
		for _, n := range []int{1, 37} {
			t.Run(fmt.Sprintf("%s of %d", name, n), func(t *testing.T) {
				s := newStack(3, 2)
				p := add(s, n)
				for _, l := range s.Linears() {
					addSlot(l, true, 0)
				}
				trainBehind(t, s, k)
				want := slices.Clone(p.Grad)
				r := newRandom(9)
				for _, d := range [][]float32{want, r.floats(p.Size(), 0, 1)} {
					testkit.Near(t, "gradient", []float64{dot(want, d)}, []float64{slopeAlong(t, s, k, p, d)}, 0, math.Sqrt(dot(d, d))*(0.003*math.Sqrt(dot(want, want))+1e-4))
				}
				alone := newStack(3, 2)
				q := add(alone, n)
				trainBehind(t, alone, k)
				testkit.Near(t, "gradient alone", q.Grad, want, 1e-6, 0)
				q.ZeroGrad()
				alone.Recompute = true
				trainBehind(t, alone, k)
				testkit.Near(t, "gradient with recomputation", q.Grad, want, 1e-6, 0)
				q.ZeroGrad()
				for _, one := range k.split() {
					trainBehind(t, alone, one)
				}
				testkit.Near(t, "gradient sample by sample", q.Grad, want, 1e-5, 0)
			})
		}
	}
}

// slopeAlong is the derivative of the loss along d, from both sides.
func slopeAlong(t *testing.T, s *Stack, k task, p *Param, d []float32) float64 {
	at, grad := slices.Clone(p.Data), slices.Clone(p.Grad)
	h := 0.004 / math.Sqrt(dot(d, d))
	side := func(h float64) float64 {
		for i := range p.Data {
			p.Data[i] = at[i] + float32(h*float64(d[i]))
		}
		return trainBehind(t, s, k)
	}
	up, down := side(h), side(-h)
	copy(p.Data, at)
	copy(p.Grad, grad)
	return (up - down) / (2 * h)
}

// TestVirtual_extend: sequences in pieces have the states of one pass, bit for bit; token by token within 1e-5 of the largest value. A cache
// that is used again begins anew.
func TestVirtual_extend(t *testing.T) {
	backend.Each(t, func(t *testing.T) {
		s := newStack(9, 2)
		addPrefix(s, 40)
		addPrompt(s, 3)
		k := newTask(4, 70)
		all, p := k.behind(s, newArena(t))
		p.Train = false
		want := slices.Clone(s.Hidden(p, all.ids))
		cache := NewPool(len(s.Blocks), kvHeads*head, kernels.F32).NewCache()
		for _, cuts := range [][]int{{73}, {4, 5, 40, 73}} {
			cache.Reset()
			if !slices.Equal(extendAll(t, s, cache, all.ids, cuts), want) {
				t.Errorf("cut at %v: other states", cuts)
			}
		}
		cache.Reset()
		caches := []*Cache{cache}
		var got []float32
		d := &op.Decoder{T: 1, Arena: newArena(t)}
		s.Begin(caches)
		for i := range all.ids {
			d.Arena.Reset()
			d.Pos = []int32{int32(cache.Len())}
			got = append(got, s.Decode(d, all.ids[i:i+1], caches)...)
		}
		testkit.Near(t, "decoded", got, want, 1e-5, 0)
	})
}

// extendAll feeds ids up to each cut to one cache, and returns all states.
func extendAll(t *testing.T, s *Stack, c *Cache, ids []int32, cuts []int) (all []float32) {
	t.Helper()
	arena, lo := newArena(t), 0
	for _, hi := range cuts {
		arena.Reset()
		s.Begin([]*Cache{c})
		p := &op.Pass{T: hi - lo, Starts: []int32{0, int32(hi - lo)}, Arena: arena}
		for i := range hi - lo {
			p.Pos = append(p.Pos, int32(c.Len()+i))
		}
		all = append(all, s.Extend(p, ids[lo:hi], []*Cache{c})...)
		lo = hi
	}
	return all
}

// TestVirtual_cleared: nothing is left of a prompt or prefix behind ClearSlots, and nothing while slots are suspended.
func TestVirtual_cleared(t *testing.T) {
	k := newTask(5, 8, 3)
	plain := trainBehind(t, newStack(5, 2), k)
	s := newStack(5, 2)
	addPrefix(s, 4)
	addPrompt(s, 2)
	full := trainBehind(t, s, k)
	failure := errors.New("from within")
	err := s.WithoutSlots(func() error {
		if got := trainBehind(t, s, k); got != plain || s.Prompt()+s.Prefix() != 0 {
			t.Errorf("loss %g without slots, the base has %g; %d and %d virtual positions", got, plain, s.Prompt(), s.Prefix())
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Error(err)
	}
	if got := trainBehind(t, s, k); got != full || full == plain || s.Prompt() != 2 || s.Prefix() != 4 {
		t.Errorf("loss %g once slots are back, was %g", got, full)
	}
	if s.ClearSlots(); trainBehind(t, s, k) != plain || s.Prompt()+s.Prefix() != 0 {
		t.Error("something is left")
	}
}

// TestCache_store: a prefix in a cache of BF16 is rounded.
func TestCache_store(t *testing.T) {
	const rows, width = 3, 64
	x := &op.Prefix{Rows: rows, Stride: 2 * width}
	all := newRandom(6).floats(rows*x.Stride, 0, 1)
	x.K, x.V = all, all[width:]
	c := NewPool(1, width, kernels.BF16).NewCache()
	c.store(0, x)
	c.Advance(rows)
	got := c.append(0, op.KV{}, newArena(t))
	for r := range rows {
		for i := range width {
			for _, v := range [][2]float32{{got.K[r*width+i], x.K[r*x.Stride+i]}, {got.V[r*width+i], x.V[r*x.Stride+i]}} {
				if d := v[0] - v[1]; d*d > v[1]*v[1]/(256*256) || v[0] == 0 {
					t.Fatalf("row %d: %g is stored as %g", r, v[1], v[0])
				}
			}
		}
	}
}
