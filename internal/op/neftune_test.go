package op

import (
	"math"
	"slices"
	"testing"
)

// TestNEFTune: the noise of a sample is uniform up to alpha/√(L·D), has no mean, and depends on seed, step, sample and position
// alone.
func TestNEFTune(t *testing.T) {
	const d, alpha = 50, 5
	noise := func(p *Pass) map[uint64][]float32 {
		x := make([]float32, p.T*d)
		NEFTune(p, x, 0, alpha)
		out := map[uint64][]float32{}
		for s, key := range p.Keys {
			out[key] = x[int(p.Starts[s])*d : int(p.Starts[s+1])*d]
		}
		return out
	}
	f := newFixture(t, 2, 40, 7, 333)
	base := noise(f.p)
	for key, v := range base {
		bound := alpha / math.Sqrt(float64(len(v)))
		var most, sum, squares float64
		for _, x := range v {
			most = max(most, math.Abs(float64(x)))
			sum += float64(x)
			squares += float64(x) * float64(x)
		}
		n := float64(len(v))
		if most > bound || most < 0.95*bound || math.Abs(sum/n) > 5*bound/math.Sqrt(3*n) || math.Abs(squares/n/(bound*bound/3)-1) > 5/math.Sqrt(n) {
			t.Errorf("sample %d: largest %g, mean %g, variance %g for U(±%g)", key, most, sum/n, squares/n, bound)
		}
	}
	turned := packed(333, 40, 7)
	turned.Keys = []uint64{102, 100, 101}
	for key, v := range noise(turned) {
		if !slices.Equal(v, base[key]) {
			t.Errorf("sample %d: other noise in another pass", key)
		}
	}
	for what, change := range map[string]func(*Pass){
		"seed": func(p *Pass) { p.Seed++ }, "step": func(p *Pass) { p.Step++ },
	} {
		p := packed(40, 7, 333)
		p.Keys = f.p.Keys
		change(p)
		for key, v := range noise(p) {
			if slices.Equal(v, base[key]) {
				t.Errorf("sample %d: the same noise with another %s", key, what)
			}
		}
	}
	if slices.Equal(base[100][:d], base[100][d:2*d]) || slices.Equal(base[100][:d], base[101][:d]) {
		t.Error("two tokens have the same noise")
	}

	const ahead = 3 // virtual tokens have none, and do not count
	x := make([]float32, f.p.T*d)
	NEFTune(f.p, x, ahead, alpha)
	for s := range f.p.Keys {
		virtual, text := x[int(f.p.Starts[s])*d:][:ahead*d], x[(int(f.p.Starts[s])+ahead)*d:int(f.p.Starts[s+1])*d]
		bound := float32(alpha / math.Sqrt(float64(len(text))))
		if slices.Max(virtual) != 0 || slices.Min(virtual) != 0 || slices.Max(text) > bound || slices.Max(text) < 0.95*bound {
			t.Errorf("sample %d: noise up to %g on virtual tokens and %g on others, the bound is %g", s, slices.Max(virtual), slices.Max(text), bound)
		}
	}
}
