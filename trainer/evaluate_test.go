package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"ft/dataset"
)

func TestRun_evalEvery(t *testing.T) {
	for _, c := range []struct {
		every    float64
		n, batch int
		epochs   float64
		want     []int
	}{
		{0, 16, 2, 1, []int{0, 8}},
		{0.25, 16, 2, 1, []int{0, 2, 4, 6, 8}},
		{1, 16, 2, 2, []int{0, 8, 16}}, // the last step has one evaluation
		{0.3, 10, 1, 1, []int{0, 3, 6, 9, 10}},
		{1, 24, 16, 3, []int{0, 2, 3, 5}}, // steps 1.5, 3 and 4.5
		{0.1, 10, 1, 1, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{0.001, 8, 2, 1, []int{0, 1, 2, 3, 4}},  // no more often than every step
		{1, 4, 16, 12, []int{0, 1, 2, 3}},       // several epochs in a step
		{0.07, 100, 7, 0.21, []int{0, 1, 2, 3}}, // 7.000000000000001 rows when computed
		{7, 16, 2, 1, []int{0, 8}},
		{1e300, 16, 2, 1, []int{0, 8}},
	} {
		tr := newTrial(c.n)
		tr.EvalEvery, tr.Config.Batch, tr.Config.Epochs = c.every, c.batch, c.epochs
		tr.run(t)
		if got := tr.evalSteps(); !slices.Equal(got, c.want) {
			t.Errorf("every %g of %g epochs, %d rows in batches of %d: after steps %v, want %v", c.every, c.epochs, c.n, c.batch, got, c.want)
		}
		if e := tr.evals[len(tr.evals)-1]; e.Epoch != c.epochs {
			t.Errorf("every %g: the last evaluation is at epoch %g of %g", c.every, e.Epoch, c.epochs)
		}
	}
}

// TestRun_best: the best trained weights are kept when they are found, and are there in the end, whatever the base's loss.
func TestRun_best(t *testing.T) {
	for _, c := range []struct {
		losses []float64 // the base's first
		best   []int     // the steps of new bests
	}{
		{[]float64{3, 2, 1, 1.5, 1.2}, []int{1, 2}},
		{[]float64{3, 2, 2, 2, 2}, []int{1}}, // as good is not better
		{[]float64{0, 2, 3, 1.9, 4}, []int{1, 3}},
		{[]float64{3, 4, 3, 2, 1}, []int{1, 2, 3, 4}},
		{[]float64{math.NaN(), 1, 2, 2, 2}, []int{1}}, // of the base's loss nothing depends
	} {
		tr := newTrial(4, c.losses...)
		var after []float32
		tr.onStep = func(StepEvent) error { after = append(after, tr.fake.param.Data[0]); return nil }
		result := tr.run(t)
		var want []float32
		var told []int
		for _, s := range c.best {
			want = append(want, after[s-1])
		}
		for i, e := range tr.evals {
			if e.Best {
				told = append(told, e.Step)
			}
			if e.Loss != c.losses[i] && !math.IsNaN(c.losses[i]) {
				t.Errorf("%v: evaluation %d told %g", c.losses, i, e.Loss)
			}
		}
		if !slices.Equal(tr.kept, want) || !slices.Equal(told, c.best) {
			t.Errorf("%v: kept %v, want %v; told of steps %v, want %v", c.losses, tr.kept, want, told, c.best)
		}
		last := c.best[len(c.best)-1]
		if got := tr.fake.param.Data[0]; got != after[last-1] {
			t.Errorf("%v: the parameter is %g in the end; after the best step it was %g", c.losses, got, after[last-1])
		}
		if result.BestStep != last || result.BestLoss != c.losses[last] || result.Steps != 4 || result.Stopped ||
			math.Float64bits(result.BaseLoss) != math.Float64bits(c.losses[0]) {
			t.Errorf("%v: %+v", c.losses, result)
		}
	}
}

// TestRun_reload: with Reload the best weights come from where Keep put them, and are asked for only if the last ones are not the best.
func TestRun_reload(t *testing.T) {
	for _, c := range []struct {
		losses []float64
		calls  int
	}{{[]float64{3, 2, 1, 1.5, 1.2}, 1}, {[]float64{3, 4, 3, 2, 1}, 0}} {
		tr := newTrial(4, c.losses...)
		calls := 0
		tr.Reload = func() error {
			calls++
			tr.fake.param.Data[0] = tr.kept[len(tr.kept)-1]
			return nil
		}
		tr.run(t)
		if got, want := tr.fake.param.Data[0], tr.kept[len(tr.kept)-1]; calls != c.calls || got != want {
			t.Errorf("%v: %d calls of Reload, want %d; the parameter is %g, the best was %g", c.losses, calls, c.calls, got, want)
		}
	}
	broken := errors.New("cannot read")
	tr := newTrial(4, 3, 2, 1, 1.5, 1.2)
	tr.Reload = func() error { return broken }
	if _, err := tr.Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("a Reload that fails: %v", err)
	}
	tr = newTrial(4, 3, 2, 1, 1.5, 1.2)
	tr.Keep, tr.Reload = nil, func() error { return nil }
	if _, err := tr.Run(t.Context()); err == nil {
		t.Error("Reload without Keep is no error")
	}
}

func TestRun_patience(t *testing.T) {
	for _, c := range []struct {
		patience int
		losses   []float64
		steps    int
		stopped  bool
	}{
		{2, []float64{3, 2, 3, 3, 1, 1, 1}, 3, true},
		{2, []float64{3, 2, 3, 1, 3, 3, 1}, 5, true}, // an improvement begins anew
		{1, []float64{3, 2, 2, 1, 1, 1, 1}, 2, true},
		{3, []float64{3, 2, 1, 0, 1, 1, 1}, 6, false}, // it was the last step anyway
		{0, []float64{3, 1, 2, 2, 2, 2, 2}, 6, false},
	} {
		tr := newTrial(6, c.losses...)
		tr.Config.Patience = c.patience
		result := tr.run(t)
		if result.Steps != c.steps || result.Stopped != c.stopped || len(tr.steps) != c.steps {
			t.Errorf("patience %d, losses %v: %+v, want %d steps, stopped %v", c.patience, c.losses, result, c.steps, c.stopped)
		}
		if got, want := tr.fake.param.Data[0], tr.kept[len(tr.kept)-1]; got != want {
			t.Errorf("patience %d, losses %v: the parameter is %g, the best was %g", c.patience, c.losses, got, want)
		}
	}
}

// TestRun_metric: by a metric the largest score is the best; the base is not scored.
func TestRun_metric(t *testing.T) {
	tr := newTrial(4, 3, 2, 1, 0.5, 0.1)
	scores, calls := []float64{10, 30, 30, 20}, 0
	tr.Best = "bleu"
	tr.Score = func(context.Context) (map[string]float64, error) {
		calls++
		return map[string]float64{"bleu": scores[calls-1], "other": 1}, nil
	}
	result := tr.run(t)
	if calls != 4 || result.BestStep != 2 || result.BestLoss != 1 || len(tr.kept) != 2 {
		t.Errorf("%d calls, kept %v, %+v", calls, tr.kept, result)
	}
	for i, e := range tr.evals {
		if i == 0 && e.Scores != nil || i > 0 && (e.Scores["bleu"] != scores[i-1] || e.Scores["other"] != 1) {
			t.Errorf("evaluation %d has scores %v", i, e.Scores)
		}
	}
}

// TestRun_lowerMetric: of an error rate the smallest is the best.
func TestRun_lowerMetric(t *testing.T) {
	tr := newTrial(4, 3, 2, 1, 0.5, 0.1)
	scores, calls := []float64{30, 10, 10, 20}, 0
	tr.Best, tr.Lower = "ter", true
	tr.Score = func(context.Context) (map[string]float64, error) {
		calls++
		return map[string]float64{"ter": scores[calls-1]}, nil
	}
	if result := tr.run(t); result.BestStep != 2 || len(tr.kept) != 2 {
		t.Errorf("kept %v, %+v", tr.kept, result)
	}
}

func TestRun_noValidation(t *testing.T) {
	tr := newTrial(4)
	tr.Val, tr.Config.Patience = nil, 1
	result := tr.run(t)
	if len(tr.kept) != 4 || result.BestStep != 4 || tr.fake.param.Data[0] != tr.kept[3] {
		t.Errorf("kept %v, the parameter is %v, %+v", tr.kept, tr.fake.param.Data, result)
	}
	if !math.IsNaN(result.BaseLoss) || !math.IsNaN(result.BestLoss) || !math.IsNaN(tr.evals[4].Loss) {
		t.Errorf("a loss without a validation part: %+v, %+v", result, tr.evals)
	}
	tr = newTrial(2)
	tr.Keep = nil
	if tr.run(t); tr.fake.param.Data[0] == 0 {
		t.Error("without Keep nothing is trained")
	}
}

// TestRun_observers: what happens is told to all observers in their order, an evaluation after its weights are kept. The base's is the first one.
func TestRun_observers(t *testing.T) {
	tr := newTrial(2, 3, 2, 1)
	var log []string
	note := func(who string) *recorder {
		return &recorder{
			onStep: func(e StepEvent) error { log = append(log, fmt.Sprintf("%s step %d", who, e.Step)); return nil },
			onEval: func(e EvalEvent) error { log = append(log, fmt.Sprintf("%s eval %d", who, e.Step)); return nil },
		}
	}
	tr.Keep = func() error { log = append(log, "keep"); return nil }
	tr.Observers = []Observer{note("a"), note("b")}
	tr.run(t)
	want := "a step 1, b step 1, a eval 0, b eval 0, keep, a eval 1, b eval 1, a step 2, b step 2, keep, a eval 2, b eval 2"
	if got := strings.Join(log, ", "); got != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
}

func TestRun_errors(t *testing.T) {
	mine := errors.New("mine")
	for name, c := range map[string]struct {
		change func(tr *trial)
		want   string
		steps  int // done before the error
	}{
		"step observer":  {func(tr *trial) { tr.onStep = func(StepEvent) error { return mine } }, "mine", 1},
		"eval observer":  {func(tr *trial) { tr.onEval = func(EvalEvent) error { return mine } }, "mine", 1},
		"keep":           {func(tr *trial) { tr.Keep = func() error { return mine } }, "mine", 1},
		"score":          {func(tr *trial) { tr.Score = func(context.Context) (map[string]float64, error) { return nil, mine } }, "mine", 1},
		"model":          {func(tr *trial) { tr.fake.err = mine }, "trainer: step 1: mine", 0},
		"no such score":  {func(tr *trial) { tr.Best, tr.Score = "bleu", noScores }, `best is "bleu", but the evaluation has no such score`, 1},
		"nothing scored": {func(tr *trial) { tr.Best = "bleu" }, `best is "bleu", but no answers are scored`, 0},
		"no samples":     {func(tr *trial) { tr.Train = nil }, "no training samples", 0},
		"no parameters":  {func(tr *trial) { tr.Params = nil }, "nothing to train", 0},
		"config":         {func(tr *trial) { tr.Config.Batch = 0 }, "trainer: batch: must be at least 1", 0},
		"no label": {func(tr *trial) {
			tr.Train.(dataset.List)[0].Labels, tr.Config.Batch = []int32{5, -100, -100}, 4 // the first token is never predicted
			tr.Train = tr.Train.(dataset.List)[:1]
		}, `step 1: no label token in samples "s0", "s0", "s0", "s0"`, 0},
		"no label in validation": {func(tr *trial) { tr.Val.(dataset.List)[0].Labels = []int32{5, -100, -100} }, "no label token among 1 samples", 1},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(3)
			tr.Config.Epochs = 4
			c.change(tr)
			result, err := tr.Run(context.Background())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(c.want, "mine") != errors.Is(err, mine) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if result.Steps != c.steps {
				t.Errorf("%d steps before the error, want %d", result.Steps, c.steps)
			}
		})
	}
}

func noScores(context.Context) (map[string]float64, error) { return nil, nil }

// TestRun_notFinite: a loss or gradient that is not finite stops the run before it reaches the parameters, and is told with step and
// samples.
func TestRun_notFinite(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		change func(tr *trial)
		want   []string
	}{
		{func(tr *trial) { tr.fake.bad = map[uint64]float64{3: nan} }, []string{"step 2: ", `sample "s3"`, "(NaN)"}},
		{func(tr *trial) { tr.fake.bad = map[uint64]float64{3: inf} }, []string{"step 2: ", `sample "s3"`, "(+Inf)"}},
		{func(tr *trial) { tr.onStep = func(StepEvent) error { tr.fake.grad = float32(nan); return nil } },
			[]string{"step 2: the gradient is not finite (norm NaN)", `"s1", `, `"s3", `, " and 2 more"}},
		{func(tr *trial) { tr.fake.losses = []float64{1, nan} }, []string{"step 1: the validation loss is not finite (NaN)"}},
		{func(tr *trial) { tr.fake.losses = []float64{1, inf} }, []string{"step 1: the validation loss is not finite (+Inf)"}},
	} {
		tr := newTrial(20)
		tr.Config.Batch = 10
		// A seed with s1 and s3 among the first eight samples of the second step: those are named.
		for tr.Config.Seed = 0; !slices.Contains(tr.secondStep(t)[:8], 1) || !slices.Contains(tr.secondStep(t)[:8], 3); tr.Config.Seed++ {
		}
		c.change(tr)
		_, err := tr.Run(context.Background())
		for _, w := range c.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v, want %q in it", err, w)
			}
		}
		if v := tr.fake.param.Data[0]; math.IsNaN(float64(v)) || v == 0 {
			t.Errorf("%v: the parameter is %g", err, v)
		}
	}
}

// TestRun_interrupt: the step under way is finished and the parameter is the last one, wherever the context ends.
func TestRun_interrupt(t *testing.T) {
	for name, c := range map[string]struct {
		change func(tr *trial, cancel func())
		steps  int
	}{
		"before the run":                   {func(_ *trial, cancel func()) { cancel() }, 0},
		"before a run without validation":  {func(tr *trial, cancel func()) { tr.Val = nil; cancel() }, 0},
		"in a step":                        {func(tr *trial, cancel func()) { tr.atStep(3, cancel) }, 3},
		"in a step without evaluation":     {func(tr *trial, cancel func()) { tr.EvalEvery = 0; tr.atStep(3, cancel) }, 3},
		"in the last step":                 {func(tr *trial, cancel func()) { tr.atStep(6, cancel) }, 6},
		"while the base is evaluated":      {func(tr *trial, cancel func()) { tr.fake.onLoss = cancel }, 1},
		"between two passes of evaluation": {func(tr *trial, cancel func()) { tr.atEval(2, cancel) }, 2},
		"while answers are scored": {func(tr *trial, cancel func()) {
			tr.Score = func(ctx context.Context) (map[string]float64, error) { cancel(); return nil, ctx.Err() }
		}, 1},
		"after an evaluation": {func(tr *trial, cancel func()) {
			tr.onEval = func(e EvalEvent) error {
				if e.Step == 2 {
					cancel()
				}
				return nil
			}
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			tr := newTrial(6, 9, 1) // the first trained loss is the best
			tr.Val, tr.Config.MicroTokens = samples(3), 1
			tr.fake.losses = []float64{9, 9, 9, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}
			c.change(tr, cancel)
			result, err := tr.Run(ctx)
			if !errors.Is(err, ErrInterrupted) {
				t.Fatalf("error %v", err)
			}
			if result.Steps != c.steps || len(tr.steps) != c.steps {
				t.Errorf("%d steps, told of %d, want %d", result.Steps, len(tr.steps), c.steps)
			}
			whole := newTrial(6)
			whole.Val, whole.Config.Steps = nil, max(1, c.steps)
			whole.run(t)
			want := whole.fake.param.Data[0]
			if c.steps == 0 {
				want = 0
			}
			if got := tr.fake.param.Data[0]; got != want {
				t.Errorf("the parameter is %g, after %d steps it is %g", got, c.steps, want)
			}
		})
	}
}

// atStep calls f at the end of a step.
func (tr *trial) atStep(step int, f func()) {
	tr.onStep = func(e StepEvent) error {
		if e.Step == step {
			f()
		}
		return nil
	}
}

// atEval calls f in the first pass of the evaluation after a step.
func (tr *trial) atEval(step int, f func()) {
	tr.atStep(step, func() { tr.fake.onLoss = f })
}

// secondStep is what a run of the trial's settings trains on in its second step.
func (tr *trial) secondStep(t *testing.T) []uint64 {
	t.Helper()
	again := newTrial(tr.Train.Len())
	again.Config = tr.Config
	again.run(t)
	return again.keys()[1]
}
