package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ft/internal/kernels"
	"ft/internal/op"
)

// Sizes of the stack under test: grouped queries, no width a multiple of 16.
const (
	dim, ff, vocab       = 20, 26, 33
	heads, kvHeads, head = 4, 2, 6
)

type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 2))} }

func (r random) floats(n int, mean, std float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(mean + std*r.NormFloat64())
	}
	return v
}

func (r random) linear(name string, out, in int) *Linear {
	w := kernels.FromFloat32(out, in, r.floats(out*in, 0, 1/math.Sqrt(float64(in))))
	return NewLinear(name, w, r.floats(out, 0, 0.1))
}

// newStack makes a stack without slots; the same seed gives the same weights.
func newStack(seed uint64, blocks int) *Stack {
	r := newRandom(seed)
	s := &Stack{Norm: NewNorm("norm", r.floats(dim, 1, 0.1), 1e-5)}
	rope := op.NewRope([]float64{1, 0.2, 0.01}, 1)
	for i := range blocks {
		c := BlockConfig{
			Heads: heads, KVHeads: kvHeads, HeadDim: head, Scale: op.DefaultScale(head), Rope: rope,
			AttnNorm: NewNorm("attn", r.floats(dim, 1, 0.1), 1e-5), MLPNorm: NewNorm("mlp", r.floats(dim, 1, 0.1), 1e-5),
		}
		l := func(name string, out, in int) *Linear { return r.linear(fmt.Sprintf("layers.%d.%s", i, name), out, in) }
		c.Q, c.K, c.V, c.O = l("q", heads*head, dim), l("k", kvHeads*head, dim), l("v", kvHeads*head, dim), l("o", dim, heads*head)
		c.Gate, c.Up, c.Down = l("gate", ff, dim), l("up", ff, dim), l("down", dim, ff)
		s.Blocks = append(s.Blocks, NewBlock(c))
	}
	s.Head = r.linear("lm_head", vocab, dim)
	s.Embed = NewEmbedding("embed", kernels.FromFloat32(vocab, dim, r.floats(vocab*dim, 0, 1)))
	return s
}

// addSlot fills a layer's slot. A depends on the layer's name alone; B is random too, or zero, which leaves the
// layer's output as it is.
func addSlot(l *Linear, zeroB bool, dropout float32) {
	const rank = 3
	r := newRandom(op.ModuleKey(l.Name))
	a, b := NewParam(l.Name+".A", rank, l.In()), NewParam(l.Name+".B", l.Out(), rank)
	copy(a.Data, r.floats(a.Size(), 0, 0.3))
	if !zeroB {
		copy(b.Data, r.floats(b.Size(), 0, 0.3))
	}
	l.SetLowRank(a, b, 1.5, dropout)
}

// task is a packed pass with its tokens.
type task struct {
	lengths []int
	ids     []int32
	labels  []int32
}

// newTask makes samples of the given lengths; every third token has no label.
func newTask(seed uint64, lengths ...int) task {
	k := task{lengths: lengths}
	n := 0
	for _, l := range lengths {
		n += l
	}
	r := newRandom(seed)
	for i := range n {
		k.ids = append(k.ids, int32(r.IntN(vocab)))
		k.labels = append(k.labels, int32(r.IntN(vocab)))
		if i%3 == 2 {
			k.labels[i] = -100
		}
	}
	return k
}

// split gives each sample as a task of its own.
func (k task) split() []task {
	var out []task
	at := 0
	for _, n := range k.lengths {
		out = append(out, task{[]int{n}, k.ids[at : at+n], k.labels[at : at+n]})
		at += n
	}
	return out
}

// pass makes the op.Pass.
func (k task) pass(a *kernels.Arena) *op.Pass {
	a.Reset()
	p := &op.Pass{Starts: []int32{0}, Train: true, Arena: a}
	for s, n := range k.lengths {
		for i := range n {
			p.Pos = append(p.Pos, int32(i))
		}
		p.T += n
		p.Starts, p.Keys = append(p.Starts, int32(p.T)), append(p.Keys, uint64(s))
	}
	return p
}

func newArena(t testing.TB) *kernels.Arena {
	a := kernels.NewArena()
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// mustTrain runs one training pass and returns the losses.
func mustTrain(t testing.TB, s *Stack, k task, scale float32) []float64 {
	t.Helper()
	losses, err := tryTrain(t, s, k, scale)
	if err != nil {
		t.Fatal(err)
	}
	return losses
}

func tryTrain(t testing.TB, s *Stack, k task, scale float32) ([]float64, error) {
	p := k.pass(newArena(t))
	losses := make([]float64, p.T)
	return losses, s.Train(p, k.ids, k.labels, losses, scale)
}

// loss is the sum of the losses, without gradients.
func loss(t testing.TB, s *Stack, k task) float64 {
	p := k.pass(newArena(t))
	p.Train = false
	losses := make([]float64, p.T)
	s.Losses(p, k.ids, k.labels, losses)
	sum := 0.0
	for _, l := range losses {
		sum += l
	}
	return sum
}
