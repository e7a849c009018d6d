package op

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// masks are what dropout multiplies each sample's rows with, by sample key.
func masks(p *Pass, l *Linear) map[uint64][]float32 {
	d := l.W.Cols
	mask := p.mask(l).Factors(d)
	out := map[uint64][]float32{}
	for s, key := range p.Keys {
		out[key] = mask[int(p.Starts[s])*d : int(p.Starts[s+1])*d]
	}
	return out
}

func TestDropout_rate(t *testing.T) {
	f := newFixture(t, 1, 300, 200)
	for _, prob := range []float32{0.01, 0.1, 0.5, 0.9} {
		l := f.linear("x", 1, 61, kind{r: 1, dropout: prob})
		dropped, n := 0, 0
		columns := make([]int, 61)
		for _, m := range masks(f.p, l) {
			for i, v := range m {
				n++
				if v == 0 {
					dropped++
					columns[i%61]++
				} else if v != 1/(1-prob) {
					t.Fatalf("probability %g: a factor of %g", prob, v)
				}
			}
		}
		q := float64(prob)
		if got, sigma := float64(dropped)/float64(n), math.Sqrt(q*(1-q)/float64(n)); math.Abs(got-q) > 5*sigma {
			t.Errorf("probability %g: %g dropped", prob, got)
		}
		for c, k := range columns { // also in each feature
			if sigma := math.Sqrt(q * (1 - q) * 500); math.Abs(float64(k)-500*q) > 6*sigma {
				t.Errorf("probability %g: feature %d dropped %d times of 500", prob, c, k)
			}
		}
	}
}

// TestDropout_keys: the mask depends on seed, step, module, sample and position, and not on where in a pass a
// sample lies.
func TestDropout_keys(t *testing.T) {
	f := newFixture(t, 2, 40, 7, 33)
	l, other := f.linear("a", 1, 50, kind{r: 1, dropout: 0.5}), f.linear("b", 1, 50, kind{r: 1, dropout: 0.5})
	p := f.p
	base := masks(p, l)
	turned := packed(33, 40, 7)
	turned.Keys = []uint64{102, 100, 101}
	for key, m := range masks(turned, l) {
		if !slices.Equal(m, base[key]) {
			t.Errorf("sample %d: the mask depends on the order of samples", key)
		}
	}
	seed, step := *p, *p
	seed.Seed++
	step.Step++
	for name, m := range map[string][]float32{
		"seed": masks(&seed, l)[100], "step": masks(&step, l)[100], "module": masks(p, other)[100],
		"sample": base[102], "position": base[100][50:],
	} {
		n := min(len(m), len(base[100]))
		same := 0
		for i, v := range m[:n] {
			if v == base[100][i] {
				same++
			}
		}
		if got := float64(same) / float64(n); math.Abs(got-0.5) > 5*0.5/math.Sqrt(float64(n)) {
			t.Errorf("another %s: %.3f of the mask is the same, chance is 0.5", name, got)
		}
	}
}

// TestDropout_pinned holds the mask to the formula in dropout.go, computed by other means: a run must resume with
// the masks it began with.
func TestDropout_pinned(t *testing.T) {
	f := newFixture(t, 1, 4)
	mask := masks(f.p, f.linear("a", 1, 32, kind{r: 1, dropout: 0.5}))[100][3*32:]
	got := make([]byte, len(mask))
	for i, v := range mask {
		if got[i] = '.'; v != 0 {
			got[i] = 'x'
		}
	}
	if want := "xx..xxx.x.x.x..xxx...x.xxxx.x..."; string(got) != want {
		t.Errorf("mask %s, expected %s", got, want)
	}
}

// TestDropout_chosenTokens: a stage that sees only some tokens drops what it would if it saw all.
func TestDropout_chosenTokens(t *testing.T) {
	f := newFixture(t, 3, 4, 6, 2, 5)
	l := f.linear("lm_head", 1, 30, kind{r: 1, dropout: 0.5})
	all := f.p.mask(l).Factors(30)
	tokens := []int32{1, 3, 4, 8, 12, 16} // none of the third sample's
	some := f.p.at(tokens).mask(l).Factors(30)
	for i, tok := range tokens {
		if !slices.Equal(some[i*30:(i+1)*30], all[tok*30:(tok+1)*30]) {
			t.Errorf("token %d", tok)
		}
	}
}

// TestDropout_off: without training the slot sees everything.
func TestDropout_off(t *testing.T) {
	f := newFixture(t, 4, 6, 5)
	l, x := f.linear("a", 9, 50, kind{r: 3, dropout: 0.9}), f.floats(11*50, 1)
	run := func(train bool, dropout float32) []float32 {
		f.p.Train, l.Delta.Dropout = train, dropout
		y := make([]float32, 11*9)
		linearRows(f.p, l, l.room(f.p), y, nil, f.act(x))
		return y
	}
	plain := run(true, 0)
	if !slices.Equal(run(false, 0.9), plain) {
		t.Error("an evaluation pass drops")
	}
	if slices.Equal(run(true, 0.9), plain) {
		t.Error("a training pass does not drop")
	}
}

// TestDropout_mean: the expected output over steps is the output without dropout.
func TestDropout_mean(t *testing.T) {
	f := newFixture(t, 5, 3)
	l, x := f.linear("a", 4, 40, kind{r: 3, dropout: 0.3}), f.floats(3*40, 1)
	var sum, square [12]float64
	const steps = 4000
	for step := range steps {
		f.p.Step = uint64(step)
		y := make([]float32, 12)
		mark := f.p.Arena.Mark()
		linearRows(f.p, l, l.room(f.p), y, nil, f.act(x))
		f.p.Arena.Release(mark)
		for i, v := range y {
			sum[i] += float64(v)
			square[i] += float64(v) * float64(v)
		}
	}
	f.p.Train = false
	want := make([]float32, 12)
	linearRows(f.p, l, l.room(f.p), want, nil, f.act(x))
	for i, w := range want {
		mean := sum[i] / steps
		sigma := math.Sqrt((square[i]/steps - mean*mean) / steps)
		if math.Abs(mean-float64(w)) > 5*sigma {
			t.Errorf("output %d: mean %g, expected %g ± %g", i, mean, w, sigma)
		}
	}
}

func ExampleModuleKey() {
	fmt.Printf("%#x\n", ModuleKey("model.layers.0.self_attn.q_proj"))
	// Output: 0x64d1886c869e6d2b
}
