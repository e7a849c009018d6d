package trainer

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"ft/dataset"
	"ft/model"
	"ft/nn"
)

// fake is a model of one parameter whose gradient is the mean over the step's labels of 1, so that every step with a learning rate moves it.
type fake struct {
	param  *nn.Param
	losses []float64                  // of the evaluations to come, the base's first; 1 when there are no more
	onLoss func()                     // called by Loss
	bad    map[uint64]float64         // the training loss of the samples with these keys
	grad   float32                    // if not 0, the gradient
	err    error                      // of Train
	passes map[uint64][]dataset.Batch // what Train was given, by step
	seeds  []uint64                   // of dropout, by pass
	noise  []float64                  // on the embeddings, by pass
	again  bool                       // what SetRecompute was told
}

func newFake(losses ...float64) *fake {
	return &fake{param: nn.NewParam("p", 1), losses: losses, passes: map[uint64][]dataset.Batch{}}
}

func (f *fake) Train(b *dataset.Batch, o model.TrainOptions) (model.Loss, error) {
	f.passes[o.Step] = append(f.passes[o.Step], *b)
	f.seeds = append(f.seeds, o.Seed)
	f.noise = append(f.noise, o.NEFTuneAlpha)
	l := model.Loss{Tokens: b.LabelTokens()}
	f.param.Grad[0] += o.Scale * float32(l.Tokens)
	if f.grad != 0 {
		f.param.Grad[0] = f.grad
	}
	for _, k := range b.Keys {
		v, ok := f.bad[k]
		if !ok {
			v = float64(k)
		}
		l.PerSample = append(l.PerSample, v)
		l.Sum += v
	}
	return l, f.err
}

func (f *fake) Loss(b *dataset.Batch) (model.Loss, error) {
	if f.onLoss != nil {
		f.onLoss()
	}
	v := 1.0
	if len(f.losses) > 0 {
		v, f.losses = f.losses[0], f.losses[1:]
	}
	n := b.LabelTokens()
	return model.Loss{Sum: v * float64(n), Tokens: n}, nil
}

func (f *fake) SetRecompute(on bool) { f.again = on }
func (f *fake) Virtual() int         { return 0 }

// WithoutSlots shows the base while f runs: the parameter is as it was made.
func (f *fake) WithoutSlots(do func() error) error {
	was := f.param.Data[0]
	defer func() { f.param.Data[0] = was }()
	f.param.Data[0] = 0
	return do()
}

// samples makes n samples s0, s1, … of three tokens, two of them labels, with the keys 0, 1, ….
func samples(n int) dataset.List {
	out := make(dataset.List, n)
	for i := range out {
		out[i] = dataset.Sample{ID: fmt.Sprintf("s%d", i), Key: uint64(i), IDs: []int32{1, 2, 3}, Labels: []int32{dataset.Ignore, 2, 3}, Prompt: 1}
	}
	return out
}

// recorder is an observer that keeps what it was told.
type recorder struct {
	steps  []StepEvent
	evals  []EvalEvent
	onStep func(StepEvent) error
	onEval func(EvalEvent) error
}

func (r *recorder) Step(e StepEvent) error {
	r.steps = append(r.steps, e)
	if r.onStep != nil {
		return r.onStep(e)
	}
	return nil
}

func (r *recorder) Eval(e EvalEvent) error {
	r.evals = append(r.evals, e)
	if r.onEval != nil {
		return r.onEval(e)
	}
	return nil
}

// evalSteps are the steps at which evaluations were told of.
func (r *recorder) evalSteps() []int {
	var out []int
	for _, e := range r.evals {
		out = append(out, e.Step)
	}
	return out
}

// trial is a trainer on a fake model and everything that it told and kept.
type trial struct {
	*Trainer
	recorder
	fake *fake
	kept []float32 // the parameter at each call of Keep
}

// newTrial makes a trial of one epoch over n training rows, one a step, with an evaluation after every step.
func newTrial(n int, losses ...float64) *trial {
	tr := &trial{fake: newFake(losses...)}
	tr.Trainer = &Trainer{
		Config: Config{Epochs: 1, Batch: 1, MicroTokens: 100, LR: 0.1, Schedule: "constant", Seed: 1, Recompute: "auto"},
		Model:  tr.fake, Params: []*nn.Param{tr.fake.param}, Train: samples(n), Val: samples(1), Pack: true,
		EvalEvery: 1 / float64(n), Best: "loss",
		Keep:      func() error { tr.kept = append(tr.kept, tr.fake.param.Data[0]); return nil },
		Observers: []Observer{&tr.recorder},
	}
	return tr
}

func (tr *trial) run(t *testing.T) Result {
	t.Helper()
	r, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// keys are the samples of each step, in the order of training.
func (tr *trial) keys() [][]uint64 {
	out := make([][]uint64, len(tr.fake.passes))
	for i := range out {
		for _, b := range tr.fake.passes[uint64(i+1)] {
			out[i] = append(out[i], b.Keys...)
		}
	}
	return out
}

func sameFloats(got, want []float64) bool {
	return slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) <= 1e-12 })
}
