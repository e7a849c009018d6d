package op

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/internal/testkit/backend"
)

// attention is a stage with its inputs, queries and keys before RoPE.
type attention struct {
	Attention
	rope    *Rope
	freq    []float64
	q, k, v []float32
}

func (f *fixture) attention(heads, kvHeads, d int) *attention {
	a := &attention{
		Attention: Attention{Heads: heads, KVHeads: kvHeads, HeadDim: d, Scale: DefaultScale(d)},
		q:         f.floats(f.p.T*heads*d, 1), k: f.floats(f.p.T*kvHeads*d, 1), v: f.floats(f.p.T*kvHeads*d, 1),
	}
	for i := range d / 2 {
		a.freq = append(a.freq, math.Pow(100, -2*float64(i)/float64(d)))
	}
	a.rope = NewRope(a.freq, 1.1)
	return a
}

// rotate turns by RoPE in float64.
func (a *attention) rotate(p *Pass, x []float64, heads int) []float64 {
	x = slices.Clone(x)
	refRope(p, x, heads*a.HeadDim, a.freq, float64(float32(1.1)))
	return x
}

// rotated is rows of heads after RoPE, as a cache holds them.
func (a *attention) rotated(p *Pass, x []float32, heads int) []float32 {
	x = slices.Clone(x)
	cos, sin := a.rope.tables(p.Pos)
	kernels.RoPE(x, p.T, heads, a.HeadDim, heads*a.HeadDim, p.Pos, cos, sin, false)
	return x
}

// stale is an Act full of NaN, to see that all of it is written.
func stale(p *Pass, f int) kernels.Act {
	a := p.Arena.Act(p.T, f, p.Prec)
	for s := range a.Strips() {
		strip := a.Strip(s)
		for i := range strip {
			strip[i] = float32(math.NaN())
		}
	}
	return a
}

// rows is a's values; it fails the test if the padding is not zero.
func (f *fixture) rows(name string, a kernels.Act) []float32 {
	f.t.Helper()
	padded, all := a, 0.0
	padded.T, padded.F = a.Strips()*kernels.StripRows, (a.F+31)/32*32
	for t := range padded.T {
		for c := range padded.F {
			if t >= a.T || c >= a.F {
				all += math.Abs(float64(padded.At(t, c)))
			}
		}
	}
	if all != 0 {
		f.t.Errorf("%s: padding is not zero", name)
	}
	rows := make([]float32, 0, a.T*a.F)
	for t := range a.T {
		for c := range a.F {
			rows = append(rows, a.At(t, c))
		}
	}
	return rows
}

// forward runs the whole pass, on copies of the inputs.
func (a *attention) forward(p *Pass) (kernels.Act, AttentionState) {
	st, out := a.Room(p), stale(p, a.Heads*a.HeadDim)
	AttentionForward(p, &a.Attention, a.rope, &st, out, slices.Clone(a.q), slices.Clone(a.k), slices.Clone(a.v))
	return out, st
}

// backward is forward's.
func (a *attention) backward(p *Pass, st *AttentionState, dout []float32) (dq, dk, dv kernels.Act) {
	n := a.KVHeads * a.HeadDim
	dq, dk, dv = stale(p, a.Heads*a.HeadDim), stale(p, n), stale(p, n)
	AttentionBackward(p, &a.Attention, a.rope, st, dq, dk, dv, dout)
	return dq, dk, dv
}

var attentionCases = []struct {
	lengths           []int
	heads, kvHeads, d int
	window            int
	softCap           float32
}{
	{lengths: []int{5, 1, 7}, heads: heads, kvHeads: kvHeads, d: head},
	{lengths: []int{3, 4}, heads: 3, kvHeads: 1, d: 10},
	{lengths: []int{6, 40}, heads: 2, kvHeads: 2, d: 14, window: 5},
	{lengths: []int{70, 3, 65}, heads: 3, kvHeads: 1, d: 6}, // more than one strip
	{lengths: []int{70, 33}, heads: 2, kvHeads: 1, d: 32, softCap: 3},
	{lengths: []int{100}, heads: 2, kvHeads: 1, d: 64, window: 33},
	{lengths: []int{37, 2}, heads: 4, kvHeads: 2, d: 96, window: 20, softCap: 2},
	{lengths: []int{570}, heads: 1, kvHeads: 1, d: 6},              // more keys than one task's part
	{lengths: []int{1100}, heads: 1, kvHeads: 1, d: 6, window: 64}, // parts that a strip does not see
}

// eachPrecision runs f on every backend and in every precision.
func eachPrecision(t *testing.T, f func(t *testing.T, prec kernels.Precision)) {
	backend.Each(t, func(t *testing.T) {
		for _, prec := range []kernels.Precision{kernels.F32, kernels.BF16} {
			t.Run(prec.String(), func(t *testing.T) { f(t, prec) })
		}
	})
}

func TestAttention(t *testing.T) {
	eachPrecision(t, func(t *testing.T, prec kernels.Precision) {
		for _, c := range attentionCases {
			t.Run(fmt.Sprint(c), func(t *testing.T) {
				f := newFixture(t, 2, c.lengths...)
				f.p.Prec = prec
				a := f.attention(c.heads, c.kvHeads, c.d)
				a.Window, a.SoftCap = c.window, c.softCap
				testAttention(f, a)
			})
		}
	})
}

// testAttention compares with the reference. In bfloat16, whose values are 2⁻⁹ off on either side of each product,
// the whole of a result is within a hundredth of the reference's, in the Euclidean norm.
func testAttention(f *fixture, a *attention) {
	p := f.p
	q, k, v := a.rotate(p, wide(a.q), a.Heads), a.rotate(p, wide(a.k), a.KVHeads), wide(a.v)
	near := func(name string, got kernels.Act, want []float64, tol float64) {
		f.t.Helper()
		rows := f.rows(name, got)
		if p.Prec == kernels.BF16 {
			nearNorm(f.t, name, rows, want, 1e-2)
			return
		}
		testkit.Near(f.t, name, rows, want, tol, 0)
	}
	out, st := a.forward(p)
	near("out", out, refAttention(p, &a.Attention, q, k, v), forwardTol)

	dout := f.floats(p.T*a.Heads*a.HeadDim, 1)
	dq, dk, dv := refAttentionBackward(p, &a.Attention, q, k, v, wide(dout))
	a.rotateBack(p, dq, a.Heads)
	a.rotateBack(p, dk, a.KVHeads)
	gotQ, gotK, gotV := a.backward(p, &st, dout)
	near("dq", gotQ, dq, gradTol)
	near("dk", gotK, dk, gradTol)
	near("dv", gotV, dv, gradTol)
}

// rotateBack is the gradient of rotate, in place.
func (a *attention) rotateBack(p *Pass, x []float64, heads int) {
	back := slices.Clone(a.freq)
	for i := range back {
		back[i] = -back[i]
	}
	refRope(p, x, heads*a.HeadDim, back, float64(float32(1.1)))
}

// nearNorm fails the test unless the Euclidean norm of the difference is within tol of want's.
func nearNorm(t testing.TB, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	var diff, size float64
	for i, w := range want {
		d := float64(got[i]) - w
		diff, size = diff+d*d, size+w*w
	}
	if !(diff <= tol*tol*size) {
		t.Errorf("%s: norm of the difference %.3g of %.3g, allowed the %.3g-th part", what, math.Sqrt(diff), math.Sqrt(size), tol)
	}
}

// TestAttention_reference checks the reference's gradient by finite differences.
func TestAttention_reference(t *testing.T) {
	for _, c := range attentionCases[:3] {
		f := newFixture(t, 3, c.lengths...)
		a := f.attention(c.heads, c.kvHeads, c.d)
		a.Window, a.SoftCap = c.window, 2
		q, k, v, dout := wide(a.q), wide(a.k), wide(a.v), wide(f.floats(len(a.q), 1))
		objective := func() float64 {
			return dot(refAttention(f.p, &a.Attention, a.rotate(f.p, q, a.Heads), a.rotate(f.p, k, a.KVHeads), v), dout)
		}
		dq, dk, dv := refAttentionBackward(f.p, &a.Attention, a.rotate(f.p, q, a.Heads), a.rotate(f.p, k, a.KVHeads), v, dout)
		a.rotateBack(f.p, dq, a.Heads)
		a.rotateBack(f.p, dk, a.KVHeads)
		for _, g := range []struct {
			name   string
			x, got []float64
		}{{"dq", q, dq}, {"dk", k, dk}, {"dv", v, dv}} {
			testkit.Near(t, g.name, g.got, testkit.Gradient(objective, g.x, 1e-5), 1e-7, 0)
		}
	}
}

// part is the stage with some tokens' inputs alone.
func (a *attention) part(lo, hi int) *attention {
	one := *a
	n := a.KVHeads * a.HeadDim
	one.q, one.k, one.v = a.q[lo*a.Heads*a.HeadDim:hi*a.Heads*a.HeadDim], a.k[lo*n:hi*n], a.v[lo*n:hi*n]
	return &one
}

// TestAttention_packed compares samples in one pass with each alone, bit for bit.
func TestAttention_packed(t *testing.T) {
	eachPrecision(t, func(t *testing.T, prec kernels.Precision) {
		for _, window := range []int{0, 40} {
			f := newFixture(t, 6, 130, 1, 64, 65)
			f.p.Prec = prec
			a := f.attention(heads, kvHeads, 10)
			a.Window = window
			dout := f.floats(len(a.q), 1)
			whole := f.results(a, dout)
			for s := 0; s+1 < len(f.p.Starts); s++ {
				lo, hi := int(f.p.Starts[s]), int(f.p.Starts[s+1])
				one := newFixture(t, 6, hi-lo)
				one.p.Prec = prec
				alone := one.results(a.part(lo, hi), dout[lo*heads*10:hi*heads*10])
				for i, name := range resultNames {
					width := len(whole[i]) / f.p.T
					if !slices.Equal(alone[i], whole[i][lo*width:hi*width]) {
						t.Errorf("sample %d of %d tokens: %s differs", s, hi-lo, name)
					}
				}
			}
		}
	})
}

var resultNames = []string{"out", "dq", "dk", "dv"}

// results are the forward and backward pass's.
func (f *fixture) results(a *attention, dout []float32) [][]float32 {
	out, st := a.forward(f.p)
	dq, dk, dv := a.backward(f.p, &st, dout)
	var all [][]float32
	for i, r := range []kernels.Act{out, dq, dk, dv} {
		all = append(all, f.rows(resultNames[i], r))
	}
	return all
}

// TestAttentionExtend continues sequences in pieces whose keys and values reach back to the beginning: the result
// is that of one pass, bit for bit.
func TestAttentionExtend(t *testing.T) {
	eachPrecision(t, func(t *testing.T, prec kernels.Precision) {
		for _, window := range []int{0, 70} {
			const n, d = 778, 10
			f := newFixture(t, 7, n)
			f.p.Prec = prec
			a := f.attention(3, 1, d)
			a.Window = window
			out, _ := a.forward(f.p)
			whole := f.rows("out", out)
			q, k := a.rotated(f.p, a.q, a.Heads), a.rotated(f.p, a.k, a.KVHeads)
			for _, cuts := range [][]int{{1, 2, 3, 4, 64, 65, 200, n - 1, n}, {257, 512, 513, 600, 601, n}} {
				lo := 0
				for _, hi := range cuts {
					one := newFixture(t, 1, hi-lo, hi) // a second sequence from its beginning
					one.p.Prec = prec
					for i := range hi - lo {
						one.p.Pos[i] += int32(lo)
					}
					out := stale(one.p, 3*d)
					in := slices.Concat(q[lo*3*d:hi*3*d], q[:hi*3*d])
					kv := KV{K: k[:hi*d], V: a.v[:hi*d]}
					AttentionExtend(one.p, &a.Attention, out, in, []KV{kv, kv})
					if !slices.Equal(one.rows("out", out), slices.Concat(whole[lo*3*d:hi*3*d], whole[:hi*3*d])) {
						t.Errorf("tokens %d to %d differ", lo, hi)
					}
					lo = hi
				}
			}
		}
	})
}

// TestAttention_threads compares numbers of threads, bit for bit.
func TestAttention_threads(t *testing.T) {
	for _, prec := range []kernels.Precision{kernels.F32, kernels.BF16} {
		f := newFixture(t, 8, 100, 30, 70)
		f.p.Prec = prec
		a := f.attention(heads, kvHeads, 64)
		dout := f.floats(len(a.q), 1)
		run := func(threads int) [][]float32 {
			was := kernels.Threads()
			defer kernels.SetThreads(was)
			kernels.SetThreads(threads)
			return f.results(a, dout)
		}
		one, many := run(1), run(5)
		for i, name := range resultNames {
			if !slices.Equal(one[i], many[i]) {
				t.Errorf("%v: %s differs between 1 and 5 threads", prec, name)
			}
		}
	}
}

// BenchmarkAttention has SmolLM2-135M's heads. The rate counts the products of what causal attention needs: 2 in the
// forward pass, 5 in the backward pass.
func BenchmarkAttention(b *testing.B) {
	for _, prec := range []kernels.Precision{kernels.BF16, kernels.F32} {
		for _, n := range []int{512, 4096} {
			f := newFixture(b, 1, n)
			f.p.Prec = prec
			a := f.attention(9, 3, 64)
			dout := f.floats(len(a.q), 1)
			flops := float64(n) * float64(n+1) / 2 * 2 * 64 * 9
			rate := func(b *testing.B, products float64) {
				b.ReportMetric(products*flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			}
			a.rope = NewRope(a.freq, 1) // the benchmark turns the same rows again and again
			st, out := a.Room(f.p), stale(f.p, len(a.q)/n)
			q, k, v := slices.Clone(a.q), slices.Clone(a.k), slices.Clone(a.v)
			AttentionForward(f.p, &a.Attention, a.rope, &st, out, q, k, v) // for the backward pass, should it run alone
			b.Run(fmt.Sprintf("%v/%d/forward", prec, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					AttentionForward(f.p, &a.Attention, a.rope, &st, out, q, k, v)
				}
				rate(b, 2)
			})
			dq, dk, dv := stale(f.p, len(a.q)/n), stale(f.p, len(a.k)/n), stale(f.p, len(a.v)/n)
			b.Run(fmt.Sprintf("%v/%d/backward", prec, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					AttentionBackward(f.p, &a.Attention, a.rope, &st, dq, dk, dv, dout)
				}
				rate(b, 5)
			})
		}
	}
}
