package op

import (
	"fmt"
	"slices"
	"testing"

	"ft/internal/kernels"
	"ft/internal/testkit"
)

// addPrefix puts a prefix of n rows before a's sequences. Its keys and values lie among others, as they do in a Param of all blocks.
func (f *fixture) addPrefix(a *attention, n int) {
	width := a.KVHeads * a.HeadDim
	x := &Prefix{Rows: n, Stride: 2*width + 3}
	all, grads := f.floats(n*x.Stride, 1), f.floats(n*x.Stride, 1)
	x.K, x.V, x.DK, x.DV = all[1:], all[1+width:], grads[1:], grads[1+width:]
	a.Prefix = x
	for i := range f.p.Pos {
		f.p.Pos[i] += int32(n)
	}
}

// withPrefix is the pass in which the prefix's rows are tokens like others: rows are put before each sample's of x [T,width].
func withPrefix(p *Pass, n int, x []float64, width int, row func(r int) []float32) []float64 {
	var out []float64
	for s := range len(p.Starts) - 1 {
		for r := range n {
			for c := range width {
				v := 0.0
				if row != nil {
					v = float64(row(r)[c])
				}
				out = append(out, v)
			}
		}
		out = append(out, x[int(p.Starts[s])*width:int(p.Starts[s+1])*width]...)
	}
	return out
}

// withoutPrefix undoes withPrefix, and adds up the prefix's rows.
func withoutPrefix(p *Pass, n int, x []float64, width int) (own, prefix []float64) {
	prefix = make([]float64, n*width)
	for s := range len(p.Starts) - 1 {
		for i := range prefix {
			prefix[i] += x[i]
		}
		x = x[n*width:]
		own = append(own, x[:p.length(int32(s))*width]...)
		x = x[p.length(int32(s))*width:]
	}
	return own, prefix
}

var prefixCases = []struct {
	rows, window int
	lengths      []int
	d            int
	softCap      float32
}{
	{rows: 1, lengths: []int{5, 1, 33}, d: 6},
	{rows: 20, lengths: []int{5, 1, 70}, d: 10},
	{rows: 32, lengths: []int{64, 31, 2}, d: 32},
	{rows: 33, lengths: []int{40, 95}, d: 14, softCap: 2},
	{rows: 20, lengths: []int{60, 3}, d: 6, window: 8}, // most of the prefix is seen by some alone
	{rows: 100, lengths: []int{50}, d: 6, window: 9},   // some of it by nobody
	{rows: 530, lengths: []int{40, 1}, d: 6},           // more than one task's part
}

// TestAttention_prefix: a prefix's rows are what tokens before each sample would be, but for RoPE and gradients, which add up over
// samples.
func TestAttention_prefix(t *testing.T) {
	eachPrecision(t, func(t *testing.T, prec kernels.Precision) {
		for _, c := range prefixCases {
			t.Run(fmt.Sprint(c), func(t *testing.T) {
				f := newFixture(t, 2, c.lengths...)
				f.p.Prec = prec
				a := f.attention(4, 2, c.d)
				a.Window, a.SoftCap = c.window, c.softCap
				f.addPrefix(a, c.rows)
				testPrefix(f, a)
			})
		}
	})
}

func testPrefix(f *fixture, a *attention) {
	p, x, n := f.p, a.Prefix, a.Prefix.Rows
	wideQ, width := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	lengths := make([]int, len(p.Starts)-1)
	for s := range lengths {
		lengths[s] = n + p.length(int32(s))
	}
	whole := packed(lengths...)
	q := withPrefix(p, n, a.rotate(p, wide(a.q), a.Heads), wideQ, nil)
	k := withPrefix(p, n, a.rotate(p, wide(a.k), a.KVHeads), width, func(r int) []float32 { return x.K[r*x.Stride:] })
	v := withPrefix(p, n, wide(a.v), width, func(r int) []float32 { return x.V[r*x.Stride:] })
	near := func(name string, got []float32, want []float64, tol float64) {
		f.t.Helper()
		if p.Prec == kernels.BF16 {
			nearNorm(f.t, name, got, want, 1e-2)
			return
		}
		testkit.Near(f.t, name, got, want, tol, 0)
	}
	out, st := a.forward(p)
	want, _ := withoutPrefix(p, n, refAttention(whole, &a.Attention, q, k, v), wideQ)
	near("out", f.rows("out", out), want, forwardTol)

	dout := f.floats(p.T*wideQ, 1)
	dq, dk, dv := refAttentionBackward(whole, &a.Attention, q, k, v, withPrefix(p, n, wide(dout), wideQ, nil))
	dq, _ = withoutPrefix(p, n, dq, wideQ)
	dk, dpk := withoutPrefix(p, n, dk, width)
	dv, dpv := withoutPrefix(p, n, dv, width)
	a.rotateBack(p, dq, a.Heads)
	a.rotateBack(p, dk, a.KVHeads)
	before := slices.Clone(x.DK)
	gotQ, gotK, gotV := a.backward(p, &st, dout)
	near("dq", f.rows("dq", gotQ), dq, gradTol)
	near("dk", f.rows("dk", gotK), dk, gradTol)
	near("dv", f.rows("dv", gotV), dv, gradTol)
	added := make([][]float32, 2)
	for r := range n {
		for c := range 2 * width {
			at := r*x.Stride + c
			added[c/width] = append(added[c/width], x.DK[at]-before[at])
		}
	}
	near("the prefix's dk", added[0], dpk, 2*gradTol)
	near("the prefix's dv", added[1], dpv, 2*gradTol)
	for r := range n - 1 {
		for at := r*x.Stride + 2*width; at < (r+1)*x.Stride; at++ {
			if x.DK[at] != before[at] {
				f.t.Fatalf("row %d: a gradient beside the prefix's", r)
			}
		}
	}
}

// TestAttention_prefixThreads compares numbers of threads, bit for bit.
func TestAttention_prefixThreads(t *testing.T) {
	run := func(threads int) []float32 {
		was := kernels.Threads()
		defer kernels.SetThreads(was)
		kernels.SetThreads(threads)
		f := newFixture(t, 8, 100, 30, 70)
		a := f.attention(heads, kvHeads, 64)
		dout := f.floats(len(a.q), 1)
		f.addPrefix(a, 45)
		f.results(a, dout)
		return a.Prefix.DK
	}
	if one, many := run(1), run(5); !slices.Equal(one, many) {
		t.Error("another gradient with 5 threads")
	}
}
