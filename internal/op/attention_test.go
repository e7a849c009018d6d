package op

import (
	"fmt"
	"slices"
	"testing"

	"ft/internal/kernels"
	"ft/internal/testkit"
)

// attention is a stage with its inputs.
type attention struct {
	Attention
	q, k, v []float32
}

func (f *fixture) attention(tokens, heads, kvHeads, d int) *attention {
	return &attention{
		Attention{Heads: heads, KVHeads: kvHeads, HeadDim: d, Scale: DefaultScale(d)},
		f.floats(tokens*heads*d, 1), f.floats(tokens*kvHeads*d, 1), f.floats(tokens*kvHeads*d, 1),
	}
}

// part is one sequence's keys and values, tokens lo to hi.
func (a *attention) part(lo, hi int) KV {
	n := a.KVHeads * a.HeadDim
	return KV{K: a.k[lo*n : hi*n], V: a.v[lo*n : hi*n]}
}

// forward runs the whole pass.
func (a *attention) forward(p *Pass, lse []float32) []float32 {
	var kv []KV
	for s := 0; s+1 < len(p.Starts); s++ {
		kv = append(kv, a.part(int(p.Starts[s]), int(p.Starts[s+1])))
	}
	out := make([]float32, len(a.q))
	AttentionForward(p, &a.Attention, out, lse, a.q, kv)
	return out
}

func TestAttention(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		for _, c := range []struct {
			lengths           []int
			heads, kvHeads, d int
		}{
			{[]int{5, 1, 7}, heads, kvHeads, head},
			{[]int{3, 4}, 3, 1, 10},
			{[]int{6}, 2, 2, 14},
			{[]int{150, 3, 65}, 3, 1, 6}, // more than one block of queries
			{[]int{542}, 1, 1, 6},        // more keys than one product takes,
		} {
			t.Run(fmt.Sprint(c), func(t *testing.T) {
				f := newFixture(t, 2, c.lengths...)
				testAttention(f, f.attention(f.p.T, c.heads, c.kvHeads, c.d))
			})
		}
	})
}

func testAttention(f *fixture, a *attention) {
	p := f.p
	lse := make([]float32, p.T*a.Heads)
	out := a.forward(p, lse)
	q, k, v := wide(a.q), wide(a.k), wide(a.v)
	testkit.Near(f.t, "out", out, refAttention(p, &a.Attention, q, k, v), forwardTol, 0)

	dout := f.floats(len(out), 1)
	dq, dk, dv := f.floats(len(a.q), 9), f.floats(len(a.k), 9), f.floats(len(a.v), 9)
	AttentionBackward(p, &a.Attention, dq, dk, dv, dout, out, lse, a.q, a.k, a.v)
	c := wide(dout)
	objective := func() float64 { return dot(refAttention(p, &a.Attention, q, k, v), c) }
	for _, g := range []struct {
		name string
		x    []float64
		got  []float32
	}{{"dq", q, dq}, {"dk", k, dk}, {"dv", v, dv}} {
		n := len(g.x)
		if p.T > 50 { // the reference is slow
			n = 12
		}
		places := f.some(len(g.x), n)
		got := make([]float32, len(places))
		for i, at := range places {
			got[i] = g.got[at]
		}
		_, size := testkit.MaxDiff(g.got, g.got)
		testkit.Near(f.t, g.name, got, testkit.Gradient(objective, g.x, 1e-5, places...), 0, gradTol*size)
	}
}

// TestAttention_packed compares samples in one pass with each alone, bit for bit.
func TestAttention_packed(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		f := newFixture(t, 6, 130, 1, 64, 65)
		a := f.attention(f.p.T, heads, kvHeads, head)
		whole := a.forward(f.p, nil)
		for s := 0; s+1 < len(f.p.Starts); s++ {
			lo, hi := int(f.p.Starts[s]), int(f.p.Starts[s+1])
			one := packed(hi - lo)
			alone := make([]float32, (hi-lo)*heads*head)
			AttentionForward(one, &a.Attention, alone, nil, a.q[lo*heads*head:hi*heads*head], []KV{a.part(lo, hi)})
			if !slices.Equal(alone, whole[lo*heads*head:hi*heads*head]) {
				t.Errorf("sample %d of %d tokens differs", s, hi-lo)
			}
		}
	})
}

// TestAttention_cached continues a sequence in pieces whose keys and values reach back to the beginning: the result
// is that of one pass, bit for bit, also where the keys are more than one product takes.
func TestAttention_cached(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		const n = 778
		f := newFixture(t, 7, n)
		a := f.attention(n, 3, 1, 10)
		whole := a.forward(f.p, nil)
		width := a.Heads * a.HeadDim
		for _, cuts := range [][]int{{1, 2, 3, 4, 64, 65, 200, n - 1, n}, {257, 512, 513, 600, 601, n}} {
			lo := 0
			for _, hi := range cuts {
				p := packed(hi - lo)
				for i := range p.Pos {
					p.Pos[i] += int32(lo)
				}
				out := make([]float32, (hi-lo)*width)
				AttentionForward(p, &a.Attention, out, nil, a.q[lo*width:hi*width], []KV{a.part(0, hi)})
				if !slices.Equal(out, whole[lo*width:hi*width]) {
					t.Errorf("tokens %d to %d differ", lo, hi)
				}
				lo = hi
			}
		}
	})
}

// TestAttention_threads compares numbers of threads, bit for bit.
func TestAttention_threads(t *testing.T) {
	f := newFixture(t, 8, 100, 30)
	a := f.attention(f.p.T, heads, kvHeads, head)
	run := func(threads int) [][]float32 {
		was := kernels.Threads()
		defer kernels.SetThreads(was)
		kernels.SetThreads(threads)
		lse := make([]float32, f.p.T*heads)
		out := a.forward(f.p, lse)
		dq, dk, dv := make([]float32, len(a.q)), make([]float32, len(a.k)), make([]float32, len(a.v))
		AttentionBackward(f.p, &a.Attention, dq, dk, dv, out, out, lse, a.q, a.k, a.v)
		return [][]float32{out, lse, dq, dk, dv}
	}
	one, many := run(1), run(5)
	for i, name := range []string{"out", "lse", "dq", "dk", "dv"} {
		if !slices.Equal(one[i], many[i]) {
			t.Errorf("%s differs between 1 and 5 threads", name)
		}
	}
}
