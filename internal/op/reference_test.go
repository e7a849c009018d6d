package op

import (
	"math"
	"math/rand/v2"
	"testing"

	"ft/internal/kernels"
	"ft/internal/testkit"
)

// The reference in this file is the arithmetic of the papers, token by token in float64, with no care for speed. Each
// stage under test is run on float32 buffers, and the reference on the same values.

// sizes are odd on purpose: no width is a multiple of 16, and head_dim/2 is odd.
const (
	dim, ff, vocab       = 22, 27, 37
	heads, kvHeads, head = 4, 2, 6
	rank                 = 3
)

// fixture is one pass and a source of random values.
type fixture struct {
	t    testing.TB
	p    *Pass
	rand *rand.Rand

	scaled bool // values and gradients are rounded to bfloat16 before and after a scale: twice as often
}

// newFixture makes a pass over samples of the given lengths.
func newFixture(t testing.TB, seed uint64, lengths ...int) *fixture {
	f := &fixture{t: t, p: packed(lengths...), rand: rand.New(rand.NewPCG(seed, 1))}
	t.Cleanup(func() {
		if err := f.p.Arena.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// packed is a training pass over samples of the given lengths, with the keys 100, 101, …
func packed(lengths ...int) *Pass {
	p := &Pass{Starts: []int32{0}, Train: true, Seed: 5, Step: 7, Arena: kernels.NewArena()}
	for s, n := range lengths {
		for i := range n {
			p.Pos = append(p.Pos, int32(i))
		}
		p.T += n
		p.Starts = append(p.Starts, int32(p.T))
		p.Keys = append(p.Keys, uint64(100+s))
	}
	return p
}

func (f *fixture) floats(n int, std float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(std * f.rand.NormFloat64())
	}
	return v
}

func (f *fixture) gain(n int) []float32 {
	v := f.floats(n, 0.3)
	for i := range v {
		v[i]++
	}
	return v
}

func wide(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// ref is a Linear in float64.
type ref struct {
	out, in, r    int
	w, bias, a, b []float64
	gout, gin     []float64 // output and input scales, or nil
	scale         float64
	mask          []float64 // [T,in] what dropout multiplies the slot's input with; nil without
	l             *Linear
}

// reference takes over l's values, and the mask that l's dropout has for the tokens of p: its values are not the
// reference's business, what forward and backward do with them is.
func (f *fixture) reference(p *Pass, l *Linear) *ref {
	r := &ref{out: l.W.Rows, in: l.W.Cols, l: l, w: make([]float64, 0, l.W.Rows*l.W.Cols)}
	row := make([]float32, r.in)
	for i := range r.out {
		l.W.Row(row, i)
		r.w = append(r.w, wide(row)...)
	}
	if l.Bias != nil {
		r.bias = wide(l.Bias)
	}
	if l.Out != nil {
		r.gout = wide(l.Out.G)
	}
	if l.In != nil {
		r.gin = wide(l.In.G)
	}
	if d := l.Delta; d != nil {
		r.r, r.a, r.b, r.scale = d.R, wide(d.A), wide(d.B), float64(d.Scale)
		if p.Train && d.Dropout > 0 {
			r.mask = wide(p.mask(l).Factors(r.in))
		}
	}
	return r
}

// apply is the layer's output, by the formula of its slots.
func (r *ref) apply(x []float64) []float64 {
	t := len(x) / r.in
	y := make([]float64, t*r.out)
	for i := range t {
		xi, yi := append([]float64(nil), x[i*r.in:(i+1)*r.in]...), y[i*r.out:(i+1)*r.out]
		for j := range r.gin {
			xi[j] *= r.gin[j]
		}
		for o := range yi {
			yi[o] = dot(xi, r.w[o*r.in:(o+1)*r.in])
		}
		r.addSlot(yi, xi, i)
		for o := range yi {
			bias, g := 0.0, 1.0
			if r.bias != nil {
				bias = r.bias[o]
			}
			if r.gout != nil {
				g = r.gout[o]
			}
			if r.gout != nil && r.l.Out.WithBias {
				yi[o] = g * (yi[o] + bias)
			} else {
				yi[o] = g*yi[o] + bias
			}
		}
	}
	return y
}

// addSlot adds scale·drop(x)·Aᵀ·Bᵀ for the pass's i-th token.
func (r *ref) addSlot(y, x []float64, i int) {
	for j := range r.mask[:min(len(r.mask), r.in)] {
		x[j] *= r.mask[i*r.in+j]
	}
	for k := range r.r {
		u := dot(x, r.a[k*r.in:(k+1)*r.in])
		for o := range y {
			y[o] += r.scale * u * r.b[o*r.r+k]
		}
	}
}

func dot(a, b []float64) (s float64) {
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

func refNorm[G float32 | float64](x []float64, gain []G, eps float32) []float64 {
	d := len(gain)
	out := make([]float64, len(x))
	for i := 0; i < len(x); i += d {
		row := x[i : i+d]
		inv := 1 / math.Sqrt(dot(row, row)/float64(d)+float64(eps))
		for j, v := range row {
			out[i+j] = v * inv * float64(gain[j])
		}
	}
	return out
}

// refRope turns the pairs (i, i+headDim/2) of each head by pos·freq.
func refRope(p *Pass, x []float64, width int, freq []float64, factor float64) {
	half := len(freq)
	for t := range p.T {
		for h := 0; h < width; h += 2 * half {
			v := x[t*width+h:]
			for i, f := range freq {
				s, c := math.Sincos(float64(p.Pos[t]) * f)
				a, b := v[i], v[i+half]
				v[i], v[i+half] = (a*c-b*s)*factor, (b*c+a*s)*factor
			}
		}
	}
}

// refAttention is causal attention inside each sample, after RoPE.
func refAttention(p *Pass, a *Attention, q, k, v []float64) []float64 {
	d, nq, nk := a.HeadDim, a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	out := make([]float64, p.T*nq)
	refScores(p, a, q, k, func(i, j, h, kv int, w, _ float64) {
		for c := range d {
			out[i*nq+h*d+c] += w * v[j*nk+kv+c]
		}
	})
	return out
}

// refScores calls f for each query i of each head h and the keys j that it sees, at column kv, with their weights and
// the derivatives of the capped score with respect to the inner product.
func refScores(p *Pass, a *Attention, q, k []float64, f func(i, j, h, kv int, w, slope float64)) {
	d, nq, nk := a.HeadDim, a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	scale, limit := float64(a.Scale), float64(a.SoftCap)
	for s := 0; s+1 < len(p.Starts); s++ {
		lo, hi := int(p.Starts[s]), int(p.Starts[s+1])
		for i := lo; i < hi; i++ {
			first := lo
			if a.Window > 0 {
				first = max(lo, i+1-a.Window)
			}
			w, slope := make([]float64, i+1-first), make([]float64, i+1-first)
			for h := range a.Heads {
				kv := h * a.KVHeads / a.Heads * d
				sum := 0.0
				for j := range w {
					x := scale * dot(q[i*nq+h*d:i*nq+h*d+d], k[(first+j)*nk+kv:])
					slope[j] = scale
					if limit > 0 {
						t := math.Tanh(x / limit)
						x, slope[j] = limit*t, scale*(1-t*t)
					}
					w[j] = math.Exp(x)
					sum += w[j]
				}
				for j, e := range w {
					f(i, first+j, h, kv, e/sum, slope[j])
				}
			}
		}
	}
}

// refAttentionBackward is the gradient of refAttention: with p the weights and dp = dout·v, the inner product's is
// slope·p·(dp - Σp·dp).
func refAttentionBackward(p *Pass, a *Attention, q, k, v, dout []float64) (dq, dk, dv []float64) {
	d, nq, nk := a.HeadDim, a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	dq, dk, dv = make([]float64, len(q)), make([]float64, len(k)), make([]float64, len(v))
	out := refAttention(p, a, q, k, v)
	refScores(p, a, q, k, func(i, j, h, kv int, w, slope float64) {
		at, key := i*nq+h*d, j*nk+kv
		dp := dot(dout[at:at+d], v[key:]) - dot(dout[at:at+d], out[at:])
		for c := range d {
			dv[key+c] += w * dout[at+c]
			dq[at+c] += slope * w * dp * k[key+c]
			dk[key+c] += slope * w * dp * q[at+c]
		}
	})
	return dq, dk, dv
}

func refSwiGLU(gate, up []float64) []float64 {
	out := make([]float64, len(gate))
	for i, g := range gate {
		out[i] = g / (1 + math.Exp(-g)) * up[i]
	}
	return out
}

// refLoss is the sum of the cross-entropies at labelled rows; h are the rows' normed states.
func refLoss(logits []float64, v int, labels []int32) float64 {
	total := 0.0
	for i, l := range labels {
		sum := 0.0
		for _, z := range logits[i*v : (i+1)*v] {
			sum += math.Exp(z)
		}
		total += math.Log(sum) - logits[i*v+int(l)]
	}
	return total
}

// Tolerances: the stages round to float32 at every step, the reference does not.
const (
	forwardTol = 1e-5
	gradTol    = 1e-4
	bf16Tol    = 1.5e-2 // of the norm
)

// near compares with the reference: in float32 each value within tol of the largest, in bfloat16 all together. A value
// rounded to bfloat16 is off by 2⁻⁹ at most, by a third of that in the mean; a stage rounds each value on its way three
// or four times, and their sum's errors are independent.
func (f *fixture) near(name string, got []float32, want []float64, tol float64) {
	f.t.Helper()
	if f.p.Prec == kernels.F32 {
		testkit.Near(f.t, name, got, want, tol, 1e-7)
		return
	}
	var diff, size float64
	for i, w := range want {
		d := float64(got[i]) - w
		diff, size = diff+d*d, size+w*w
	}
	allowed := bf16Tol
	if f.scaled {
		allowed *= 3
	}
	if rel := math.Sqrt(diff / size); !(rel < allowed) || len(got) != len(want) {
		f.t.Errorf("%s: %d values for %d, off by %g of their norm, allowed %g", name, len(got), len(want), rel, allowed)
	}
}
