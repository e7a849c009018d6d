package optim

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ft/internal/kernels"
)

// adamRef is AdamW in float64, written from the paper's algorithm 2.
func adamRef(c AdamWConfig, lr float64, decay bool, w, m, v []float64, g []float32, step int) {
	for i := range w {
		if decay {
			w[i] -= lr * c.WeightDecay * w[i]
		}
		gi := float64(g[i])
		m[i] = c.Beta1*m[i] + (1-c.Beta1)*gi
		v[i] = c.Beta2*v[i] + (1-c.Beta2)*gi*gi
		mHat := m[i] / (1 - math.Pow(c.Beta1, float64(step)))
		vHat := v[i] / (1 - math.Pow(c.Beta2, float64(step)))
		w[i] -= lr * mHat / (math.Sqrt(vHat) + c.Eps)
	}
}

func randomSlice(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func TestAdamWAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	cfg := AdamWConfig{Beta1: 0.9, Beta2: 0.99, Eps: 1e-6, WeightDecay: 0.1}
	sizes := []int{7, 0, 2*spanSize + 3}
	scales, decays := []float64{0, 1, 16}, []bool{true, false, false}
	o, err := NewAdamW(cfg, sizes)
	if err != nil {
		t.Fatal(err)
	}
	params := make([]Param, len(sizes))
	ref := make([][3][]float64, len(sizes))
	for i, n := range sizes {
		params[i] = Param{Data: randomSlice(r, n), LRScale: scales[i], Decay: decays[i]}
		for k := range ref[i] {
			ref[i][k] = make([]float64, n)
		}
		for j, x := range params[i].Data {
			ref[i][0][j] = float64(x)
		}
	}
	for step := 1; step <= 10; step++ {
		lr := 0.01 / float64(step)
		for i, n := range sizes {
			params[i].Grad = randomSlice(r, n)
			adamRef(cfg, lr*max(scales[i], 1), decays[i], ref[i][0], ref[i][1], ref[i][2], params[i].Grad, step)
		}
		if err := o.Step(lr, params); err != nil {
			t.Fatal(err)
		}
	}
	for i := range params {
		for j, got := range params[i].Data {
			if want := ref[i][0][j]; math.Abs(float64(got)-want) > 2e-6*(1+math.Abs(want)) {
				t.Fatalf("tensor %d element %d: %g, want %g", i, j, got, want)
			}
		}
	}
}

func TestAdamW_restoredGoesOnAlike(t *testing.T) {
	run := func(interruptAt int) []float32 {
		r := rand.New(rand.NewPCG(3, 4))
		p := []Param{{Data: randomSlice(r, 50), Decay: true}}
		o, _ := NewAdamW(DefaultAdamW(), []int{50})
		for step := range 8 {
			if step == interruptAt {
				s := o.State()
				o, _ = NewAdamW(DefaultAdamW(), []int{50})
				if err := o.Restore(s); err != nil {
					t.Fatal(err)
				}
			}
			p[0].Grad = randomSlice(r, 50)
			if err := o.Step(0.1, p); err != nil {
				t.Fatal(err)
			}
		}
		return p[0].Data
	}
	if whole, parts := run(-1), run(5); !slices.Equal(whole, parts) {
		t.Error("a restored optimizer gives other weights")
	}
}

func TestAdamW_refuses(t *testing.T) {
	for _, c := range []AdamWConfig{{Beta1: 1, Beta2: 0.9}, {Beta1: 0.9, Beta2: -1}, {Eps: math.NaN()}, {WeightDecay: math.Inf(1)}} {
		if _, err := NewAdamW(c, nil); err == nil {
			t.Errorf("%+v accepted", c)
		}
	}
	if _, err := NewAdamW(DefaultAdamW(), []int{-1}); err == nil {
		t.Error("negative size accepted")
	}
	o, err := NewAdamW(DefaultAdamW(), []int{2, 3})
	if err != nil {
		t.Fatal(err)
	}
	two, three := make([]float32, 2), make([]float32, 3)
	for name, p := range map[string][]Param{
		"too few":        {{Data: two, Grad: two}},
		"other order":    {{Data: three, Grad: three}, {Data: two, Grad: two}},
		"short gradient": {{Data: two, Grad: two}, {Data: three, Grad: two}},
	} {
		if err := o.Step(0.1, p); err == nil {
			t.Errorf("Step: %s accepted", name)
		}
	}
	for name, s := range map[string]State{
		"too few":  {M: [][]float32{two}, V: [][]float32{two}},
		"sizes":    {M: [][]float32{two, three}, V: [][]float32{two, two}},
		"negative": {Step: -1, M: [][]float32{two, three}, V: [][]float32{two, three}},
	} {
		if err := o.Restore(s); err == nil {
			t.Errorf("Restore: %s accepted", name)
		}
	}
}

func TestClip(t *testing.T) {
	grads := [][]float32{{3}, {}, {0, 4}}
	if norm := Clip(grads, 10); norm != 5 || grads[0][0] != 3 {
		t.Errorf("below the limit: norm %g, gradient %g", norm, grads[0][0])
	}
	if norm := Clip(grads, 0); norm != 5 || grads[0][0] != 3 {
		t.Errorf("no limit: norm %g, gradient %g", norm, grads[0][0])
	}
	if norm := Clip(grads, 1); norm != 5 || math.Abs(GlobalNorm(grads)-1) > 1e-6 {
		t.Errorf("above the limit: norm %g, then %g", norm, GlobalNorm(grads))
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
		grads := [][]float32{{bad, 7}}
		norm := Clip(grads, 1)
		if !math.IsNaN(norm) && !math.IsInf(norm, 1) || grads[0][1] != 7 {
			t.Errorf("%g: norm %g, neighbour %g", bad, norm, grads[0][1])
		}
	}
}

func TestGlobalNorm_sameWithAnyThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	grads := [][]float32{randomSlice(r, 5*spanSize+1), randomSlice(r, 3)}
	defer kernels.SetThreads(kernels.Threads())
	kernels.SetThreads(1)
	one := GlobalNorm(grads)
	kernels.SetThreads(4)
	if four := GlobalNorm(grads); one != four {
		t.Errorf("%v with one thread, %v with four", one, four)
	}
	var sum float64
	for _, g := range grads {
		for _, x := range g {
			sum += float64(x) * float64(x)
		}
	}
	if want := math.Sqrt(sum); math.Abs(one-want) > 1e-9*want {
		t.Errorf("%v, want %v", one, want)
	}
}
