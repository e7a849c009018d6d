package trainer

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ft/base"
	"ft/dataset"
	"ft/internal/kernels"
	"ft/internal/op"
	"ft/internal/testkit"
	"ft/lora"
	"ft/model"
	"ft/model/family"
	"ft/nn"
)

// facts opens a fresh tiny llama with LoRA on all its layers and makes a trainer of it: 40 facts to train on, 20 to validate.
func facts(t *testing.T, dropout float64) (*Trainer, *recorder) {
	t.Helper()
	dir := t.TempDir()
	testkit.TinyLlama{Seed: 7}.Write(t, dir)
	b, err := base.Open(dir, []*model.Family{&family.Llama})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	method := lora.Default()
	method.Dropout = dropout
	a, err := lora.Method{Config: method, Seed: 3}.Attach(b.Model)
	if err != nil {
		t.Fatal(err)
	}
	format, err := b.Format()
	if err != nil {
		t.Fatal(err)
	}
	var rows []dataset.Row
	for _, f := range testkit.Facts() {
		rows = append(rows, dataset.Row{ID: f.ID, Messages: []dataset.Message{{Role: "user", Content: f.Question}}, Answer: f.Answer})
	}
	samples, err := dataset.Samples(dataset.NewTable(rows...).View(), dataset.Default(), format, &dataset.Report{})
	if err != nil {
		t.Fatal(err)
	}
	var train, val []dataset.Sample
	for i, s := range samples {
		if i%3 == 0 {
			val = append(val, s)
		} else {
			train = append(train, s)
		}
	}
	r := &recorder{}
	return &Trainer{
		Config: Config{Steps: 6, Batch: 16, MicroTokens: 256, LR: 0.01, Schedule: "cosine", Warmup: 0.4, Clip: 1, Seed: 5, Recompute: "off"},
		Model:  b.Model, Params: a.Params(), Train: dataset.List(train), Val: dataset.List(val), Pack: true,
		EvalEvery: 0.8, Best: "loss", Observers: []Observer{r},
	}, r
}

// stir gives every parameter a random value, as after training: B is no longer zero, so that A has a gradient.
func stir(params []*nn.Param) {
	for _, p := range params {
		r := rand.New(rand.NewPCG(op.ModuleKey(p.Name), 1))
		for i := range p.Data {
			p.Data[i] += float32(0.05 * r.NormFloat64())
		}
	}
}

func run(t *testing.T, tr *Trainer) Result {
	t.Helper()
	r, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRun_microBatches: a step over 16 samples has the loss and gradient of one pass, of 16 passes and of what fits into a pass,
// up to rounding, dropout included, and so the parameters.
func TestRun_microBatches(t *testing.T) {
	step := func(pack bool, microTokens int) (StepEvent, []*nn.Param, [][]float32) {
		tr, r := facts(t, 0.1)
		stir(tr.Params)
		tr.Config.Steps, tr.Config.Warmup, tr.Config.Clip = 1, 0, 0
		tr.Pack, tr.Config.MicroTokens, tr.Val = pack, microTokens, nil
		var before [][]float32
		for _, p := range tr.Params {
			before = append(before, slices.Clone(p.Data))
		}
		run(t, tr)
		return r.steps[0], tr.Params, before
	}
	event, want, before := step(true, 1<<20)
	for name, c := range map[string]struct {
		pack        bool
		microTokens int
	}{"one by one": {false, 1 << 20}, "one by one, packed": {true, 1}, "a few at a time": {true, 150}} {
		e, params, _ := step(c.pack, c.microTokens)
		testkit.Near(t, name+": loss and norm", []float64{e.Loss, e.GradNorm}, []float64{event.Loss, event.GradNorm}, 1e-6, 0)
		var off, moved float64
		for i, p := range params {
			testkit.Near(t, name+": gradient of "+p.Name, p.Grad, want[i].Grad, 2e-5, 1e-9)
			for j, v := range p.Data {
				off += math.Abs(float64(v - want[i].Data[j]))
				moved += math.Abs(float64(want[i].Data[j] - before[i][j]))
			}
		}
		// AdamW's first step is the gradient's sign, which rounding may turn where the gradient is almost zero.
		if moved == 0 || off > 1e-3*moved {
			t.Errorf("%s: parameters differ by %g in all, the step moved them by %g", name, off, moved)
		}
	}
}

// outcome is all that a run came to, in bits.
type outcome struct {
	Losses, Norms, Evals []float64
	Params               []float32
}

func (o *outcome) equal(p *outcome) bool {
	return slices.Equal(o.Losses, p.Losses) && slices.Equal(o.Norms, p.Norms) && slices.Equal(o.Evals, p.Evals) && slices.Equal(o.Params, p.Params)
}

func outcomeOf(tr *Trainer, r *recorder) *outcome {
	o := &outcome{}
	for _, e := range r.steps {
		o.Losses, o.Norms = append(o.Losses, e.Loss), append(o.Norms, e.GradNorm)
	}
	for _, e := range r.evals {
		o.Evals = append(o.Evals, e.Loss)
	}
	for _, p := range tr.Params {
		o.Params = append(o.Params, p.Data...)
	}
	return o
}

// TestRun_deterministic: the same run gives the same bits, on one thread or several.
func TestRun_deterministic(t *testing.T) {
	defer kernels.SetThreads(kernels.Threads())
	var outcomes []*outcome
	for _, threads := range []int{2, 2, 1, 5} {
		kernels.SetThreads(threads)
		tr, r := facts(t, 0.1)
		run(t, tr)
		outcomes = append(outcomes, outcomeOf(tr, r))
		if !outcomes[0].equal(outcomes[len(outcomes)-1]) {
			t.Errorf("run %d, on %d threads, differs from the first, on 2", len(outcomes), threads)
		}
	}
	tr, r := facts(t, 0.1)
	tr.Config.Seed++
	if run(t, tr); outcomes[0].equal(outcomeOf(tr, r)) {
		t.Error("the seed changes nothing")
	}
}

// TestRun_dropout: it changes training and no evaluation.
func TestRun_dropout(t *testing.T) {
	var losses, evals []float64
	for _, dropout := range []float64{0, 0.5} {
		tr, r := facts(t, dropout)
		stir(tr.Params)
		small, large := meanLoss(t, tr, 64), meanLoss(t, tr, 2048)
		if math.Abs(small-large) > 1e-9*small {
			t.Errorf("dropout %g: a loss of %g in small passes, %g in large ones", dropout, small, large)
		}
		tr.Config.Steps = 1
		run(t, tr)
		losses, evals = append(losses, r.steps[0].Loss), append(evals, large)
	}
	if evals[0] != evals[1] || losses[0] == losses[1] {
		t.Errorf("without and with dropout: evaluations %v, training losses %v", evals, losses)
	}
}

// TestRun_base: the base's loss is that of the model without slots, though it is measured after steps, and training goes on from where
// it was.
func TestRun_base(t *testing.T) {
	tr, r := facts(t, 0)
	var base float64
	err := tr.Model.WithoutSlots(func() error { base = meanLoss(t, tr, tr.Config.MicroTokens); return nil })
	if err != nil {
		t.Fatal(err)
	}
	stir(tr.Params)
	tr.Config.Steps = 2
	tr.EvalEvery = 1e-9 // after every step
	result := run(t, tr)
	if result.BaseLoss != base || r.evals[0].Step != 0 || r.evals[0].Loss != base || r.evals[1].Loss == base {
		t.Errorf("base %g, told %+v, result %+v", base, r.evals, result)
	}
	without, w := facts(t, 0)
	stir(without.Params)
	without.Config.Steps, without.EvalEvery = 2, 0
	if run(t, without); w.steps[1].Loss != r.steps[1].Loss {
		t.Errorf("step 2 has a loss of %g after an evaluation, %g without", r.steps[1].Loss, w.steps[1].Loss)
	}
}

// meanLoss is MeanLoss over the trainer's validation part.
func meanLoss(t *testing.T, tr *Trainer, microTokens int) float64 {
	t.Helper()
	loss, err := MeanLoss(context.Background(), tr.Model, dataset.All(tr.Val), microTokens)
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

// TestRun_learns: validation loss falls far, and the parameters in the end have the loss that the result tells.
func TestRun_learns(t *testing.T) {
	tr, _ := facts(t, 0.05)
	tr.Config.Steps, tr.Config.Warmup, tr.Config.LR = 80, 0.05, 0.02
	result := run(t, tr)
	if result.BestLoss > 0.5*result.BaseLoss {
		t.Errorf("validation loss fell from %g to %g only", result.BaseLoss, result.BestLoss)
	}
	loss, err := MeanLoss(context.Background(), tr.Model, dataset.All(tr.Val), tr.Config.MicroTokens)
	if err != nil || loss != result.BestLoss {
		t.Errorf("a loss of %g (%v) in the end, %g at the best step, %d", loss, err, result.BestLoss, result.BestStep)
	}
}

// TestRun_interruptedModel: an interrupted run leaves the parameters of a run that ends with that step.
func TestRun_interruptedModel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tr, r := facts(t, 0.1)
	tr.Config.Schedule = "constant" // the others depend on the length
	r.onStep = func(e StepEvent) error {
		if e.Step == 3 {
			cancel()
		}
		return nil
	}
	if result, err := tr.Run(ctx); !errors.Is(err, ErrInterrupted) || result.Steps != 3 {
		t.Fatalf("%+v, %v", result, err)
	}
	short, _ := facts(t, 0.1)
	short.Config.Schedule, short.Config.Steps, short.EvalEvery = "constant", 3, 0
	run(t, short)
	if got, want := outcomeOf(tr, r).Params, outcomeOf(short, r).Params; !slices.Equal(got, want) {
		t.Error("the parameters are not those after three steps")
	}
}
