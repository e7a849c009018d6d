package trainer

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"ft/dataset"
)

func TestConfig_TotalSteps(t *testing.T) {
	for _, c := range []struct {
		epochs          float64
		steps, batch, n int
		want            int
	}{
		{3, 0, 16, 100, 19},
		{1, 0, 16, 16, 1},
		{1, 0, 16, 17, 2},
		{0.5, 0, 4, 7, 1},     // 3.5 rows are 4
		{0.001, 0, 4, 10, 1},  // never none
		{1.1, 0, 1, 10, 11},   // 11.000000000000002 when computed
		{3, 0, 16, 5, 1},      // the data fit into a step three times
		{3, 0, 16, 6, 2},      // 18 rows
		{3, 5, 16, 100, 5},    // capped
		{3, 50, 16, 100, 19},  // a cap above the epochs
		{0, 50, 16, 100, 50},  // by steps alone
		{1e300, 7, 16, 10, 7}, // more than any integer
	} {
		config := Config{Epochs: c.epochs, Steps: c.steps, Batch: c.batch}
		if got := config.TotalSteps(c.n); got != c.want {
			t.Errorf("%g epochs of %d rows in batches of %d, at most %d steps: %d steps, want %d", c.epochs, c.n, c.batch, c.steps, got, c.want)
		}
	}
}

// TestRun_samples: every epoch goes over every row once, in dataset.Order; epochs follow each other without a gap; only the last
// step is smaller.
func TestRun_samples(t *testing.T) {
	for _, c := range []struct {
		epochs          float64
		steps, batch, n int
		visits          int
	}{
		{3, 0, 4, 10, 30}, {1, 0, 4, 12, 12}, {0.5, 0, 4, 10, 5}, {2.25, 0, 3, 8, 18}, {0.001, 0, 4, 10, 1},
		{3, 4, 4, 10, 16}, {0, 9, 4, 10, 36}, {3, 0, 16, 5, 15}, {4, 0, 16, 5, 20}, {1.1, 0, 1, 10, 11},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			tr := newTrial(c.n)
			tr.Config.Epochs, tr.Config.Steps, tr.Config.Batch, tr.EvalEvery = c.epochs, c.steps, c.batch, 0
			result := tr.run(t)
			var stream []uint64
			keys := tr.keys()
			for i, k := range keys {
				stream = append(stream, k...)
				if len(k) != c.batch && i < len(keys)-1 {
					t.Errorf("step %d has %d samples, not %d", i+1, len(k), c.batch)
				}
				if e := tr.steps[i]; e.Step != i+1 || e.Tokens != 3*len(k) || math.Abs(e.Epoch-float64(len(stream))/float64(c.n)) > 1e-12 {
					t.Errorf("step %d after %d samples: told %+v", i+1, len(stream), e)
				}
				if norm := tr.steps[i].GradNorm; math.Abs(norm-1) > 1e-5 {
					t.Errorf("step %d: a gradient of norm %g, not of its own label tokens", i+1, norm)
				}
			}
			var want []uint64
			for e := range (c.visits + c.n - 1) / c.n {
				for _, i := range dataset.Order(tr.Train, tr.Config.Seed, e) {
					want = append(want, tr.Train.Key(i))
				}
			}
			if !slices.Equal(stream, want[:c.visits]) {
				t.Errorf("trained on %v\nwant      %v", stream, want[:c.visits])
			}
			if result.Steps != len(keys) || result.Tokens != 3*c.visits || len(keys) != tr.Config.TotalSteps(c.n) {
				t.Errorf("%d steps: result %+v", len(keys), result)
			}
		})
	}
}

// TestRun_order: the order of an epoch is a draw of its own, and the seed's.
func TestRun_order(t *testing.T) {
	order := func(seed uint64) []uint64 {
		tr := newTrial(20)
		tr.Config.Epochs, tr.Config.Batch, tr.Config.Seed = 2, 40, seed
		tr.run(t)
		return tr.keys()[0]
	}
	one := order(1)
	if slices.Equal(one[:20], one[20:]) {
		t.Errorf("two epochs in the same order: %v", one)
	}
	if !slices.Equal(one, order(1)) || slices.Equal(one, order(2)) {
		t.Error("the order does not follow the seed")
	}
}

// TestRun_passes: without packing every sample has a pass; with it, as many as fit. Either way all passes are scaled by the step's
// labels, and the loss is per label token.
func TestRun_passes(t *testing.T) {
	for pack, want := range map[bool]int{false: 8, true: 3} {
		tr := newTrial(8)
		tr.Config.Batch, tr.Config.MicroTokens, tr.Pack = 8, 9, pack
		tr.run(t)
		if got := len(tr.fake.passes[1]); got != want {
			t.Errorf("packing %v: %d passes, want %d", pack, got, want)
		}
		if got, want := tr.steps[0].Loss, 28.0/16; got != want { // the fake's losses are 0 to 7
			t.Errorf("packing %v: loss %g, want %g", pack, got, want)
		}
	}
}

func TestRun_schedule(t *testing.T) {
	wave := func(progress float64) float64 { return (1 + math.Cos(math.Pi*progress)) / 2 }
	for _, c := range []struct {
		schedule      string
		warmup        float64
		epochs, steps int
		want          []float64 // of the peak
	}{
		{"cosine", 0.25, 1, 8, []float64{0, 0.5, 1, wave(1. / 6), wave(2. / 6), wave(3. / 6), wave(4. / 6), wave(5. / 6)}},
		{"cosine", 0, 1, 4, []float64{1, wave(0.25), wave(0.5), wave(0.75)}},
		{"cosine", 0.03, 1, 3, []float64{1, wave(1. / 3), wave(2. / 3)}}, // less than a step of warm-up is none
		{"constant_with_warmup", 1, 1, 4, []float64{0, 0.25, 0.5, 0.75}},
		{"linear", 0, 0, 2, []float64{1, 0.5}},
	} {
		tr := newTrial(8)
		tr.Config.Epochs, tr.Config.Steps, tr.Config.Schedule, tr.Config.Warmup = float64(c.epochs), c.steps, c.schedule, c.warmup
		var values []float32 // of the parameter after each step
		tr.onStep = func(StepEvent) error { values = append(values, tr.fake.param.Data[0]); return nil }
		tr.run(t)
		var got []float64
		for _, e := range tr.steps {
			got = append(got, e.LR/tr.Config.LR)
		}
		if !sameFloats(got, c.want) {
			t.Errorf("%s, warm-up %g: %v, want %v", c.schedule, c.warmup, got, c.want)
		}
		if moved := values[0] != 0; moved != (c.want[0] > 0) {
			t.Errorf("%s, warm-up %g: the first step moves the parameter: %v", c.schedule, c.warmup, moved)
		}
	}
}

// TestRun_warmup: a part that is a whole number of steps is that number, however its binary fraction is rounded.
func TestRun_warmup(t *testing.T) {
	for warmup, want := range map[float64]int{0.29: 29, 0.07: 7, 0.295: 29, 1: 100} {
		tr := newTrial(100)
		tr.Config.Schedule, tr.Config.Warmup, tr.EvalEvery = "constant_with_warmup", warmup, 0
		tr.run(t)
		rising := 0
		for _, e := range tr.steps {
			if e.LR < tr.Config.LR {
				rising++
			}
		}
		if rising != want {
			t.Errorf("warm-up of %g of 100 steps: %d steps, want %d", warmup, rising, want)
		}
	}
}

// TestRun_settings: the seed, clipping and weight decay reach whom they are for.
func TestRun_settings(t *testing.T) {
	tr := newTrial(1)
	tr.Config.Seed, tr.Config.WeightDecay, tr.Config.Clip, tr.Config.NEFTuneAlpha = 77, 0.5, 0.25, 5
	tr.fake.param.Data[0] = 10
	tr.run(t)
	if got, want := float64(tr.fake.param.Data[0]), 10*(1-0.1*0.5)-0.1; math.Abs(got-want) > 1e-5 {
		t.Errorf("after a step with weight decay the parameter is %g, want %g", got, want)
	}
	if got := tr.fake.param.Grad[0]; math.Abs(float64(got)-0.25) > 1e-5 || math.Abs(tr.steps[0].GradNorm-1) > 1e-5 {
		t.Errorf("a gradient of norm %g was clipped to %g, want 1 and 0.25", tr.steps[0].GradNorm, got)
	}
	if !slices.Equal(tr.fake.seeds, []uint64{77}) {
		t.Errorf("dropout has the seeds %v", tr.fake.seeds)
	}
	if !slices.Equal(tr.fake.noise, []float64{5}) {
		t.Errorf("the model was told of noise %v, want 5", tr.fake.noise)
	}
}

// TestRun_param: a parameter's own factor on the learning rate counts, for its weight decay too, unless it has none.
func TestRun_param(t *testing.T) {
	for noDecay, want := range map[bool]float64{false: 10*(1-0.3*0.5) - 0.3, true: 10 - 0.3} {
		tr := newTrial(1)
		tr.Config.WeightDecay = 0.5
		p := tr.fake.param
		p.Data[0], p.LRScale, p.NoDecay = 10, 3, noDecay
		tr.run(t)
		if got := float64(p.Data[0]); math.Abs(got-want) > 1e-5 {
			t.Errorf("no decay %v: after a step the parameter is %g, want %g", noDecay, got, want)
		}
	}
}

// TestRun_recompute: the model is told before the first step.
func TestRun_recompute(t *testing.T) {
	for _, on := range []bool{true, false} {
		tr := newTrial(2)
		tr.Recompute, tr.fake.again = on, !on
		if tr.run(t); tr.fake.again != on {
			t.Errorf("recompute %v: the model was told otherwise", on)
		}
	}
}
