// Package trainer is the training loop: it takes samples and parameters, and leaves the parameters at their best.
// It knows nothing of methods, files or terminals; what it does is told to observers.
package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"ft/dataset"
	"ft/model"
	"ft/nn"
	"ft/optim"
)

// Model is what training needs of a model.Model.
type Model interface {
	Train(b *dataset.Batch, o model.TrainOptions) (model.Loss, error)
	Loss(b *dataset.Batch) (model.Loss, error)
}

// StepEvent tells of one optimizer step.
type StepEvent struct {
	Step      int     // 1 is the first
	Epoch     float64 // of the training rows, after this step
	Loss      float64 // nats per label token, before the update
	LR        float64
	GradNorm  float64 // before clipping
	Tokens    int     // of this step, without padding
	PerSecond float64 // tokens
	Seconds   float64 // since the start of training
}

// EvalEvent tells of one evaluation on the validation part.
type EvalEvent struct {
	Step   int // optimizer steps done; 0 is the base
	Epoch  float64
	Loss   float64            // nats per label token
	Scores map[string]float64 // of generated answers, by metric; may be empty
	Best   bool               // the weights were kept as the best so far
}

// Observer is told what happens, in order. An error stops the run.
type Observer interface {
	Step(StepEvent) error
	Eval(EvalEvent) error
}

// ErrInterrupted is returned when the context ended; the step under way was finished.
var ErrInterrupted = errors.New("interrupted")

// Trainer is one run. Fill in all fields but the optional ones.
type Trainer struct {
	Config Config
	Model  Model
	Params []*nn.Param
	Train  []dataset.Sample
	Val    []dataset.Sample // may be empty: then the last weights are the best
	Pack   bool             // several samples in a forward pass

	EvalEvery float64 // epochs between evaluations; 0: only at the end
	Best      string  // "loss", or a key of what Score returns; larger is better there
	// Score answers validation rows and scores them; optional.
	Score func(ctx context.Context) (map[string]float64, error)
	// Keep is called when the present weights are the best so far.
	Keep      func() error
	Observers []Observer
}

// Result is what a run came to.
type Result struct {
	Steps   int
	Stopped bool // early, for want of a better score
	// BaseLoss and BestLoss are on the validation part, in nats per label token; NaN without one.
	BaseLoss, BestLoss float64
	BestStep           int
	Tokens             int // trained on, without padding
	Seconds            float64
}

// TotalSteps is the number of optimizer steps of a run over n samples.
func (c Config) TotalSteps(n int) int {
	steps := int(math.Ceil(c.Epochs * float64(n) / float64(c.Batch)))
	if c.Steps > 0 && (c.Steps < steps || c.Epochs == 0) {
		steps = c.Steps
	}
	return steps
}

// loop is the state of a run.
type loop struct {
	*Trainer
	adam      *optim.AdamW
	lr        optim.Schedule
	tensors   []optim.Param
	grads     [][]float32
	total     int
	evalEvery int // steps; 0: only at the end
	start     time.Time
	order     []int // of the epoch under way
	epoch     int   // that order belongs to
	best      float64
	kept      [][]float32 // the best weights
	waited    int         // evaluations without a better score
	result    Result
}

// Run trains until all steps are done, no better score comes for Patience evaluations, or ctx ends. The parameters are then the
// best ones; after an interruption they are the last ones, and the error is ErrInterrupted.
func (t *Trainer) Run(ctx context.Context) (Result, error) {
	l, err := t.newLoop()
	if err != nil {
		return Result{}, err
	}
	if err := l.evaluate(ctx, 0); err != nil {
		return l.result, err
	}
	for step := 1; step <= l.total; step++ {
		if err := l.step(step); err != nil {
			return l.result, err
		}
		if ctx.Err() != nil {
			return l.result, ErrInterrupted
		}
		if step == l.total || l.evalEvery > 0 && step%l.evalEvery == 0 {
			if err := l.evaluate(ctx, step); err != nil {
				return l.result, err
			}
			if t.Config.Patience > 0 && l.waited >= t.Config.Patience {
				l.result.Stopped = step < l.total
				break
			}
		}
	}
	for i, p := range t.Params {
		copy(p.Data, l.kept[i])
	}
	return l.result, nil
}

func (t *Trainer) newLoop() (*loop, error) {
	c := t.Config
	if len(t.Train) == 0 {
		return nil, fmt.Errorf("trainer: no training samples")
	}
	if len(t.Params) == 0 {
		return nil, fmt.Errorf("trainer: nothing to train")
	}
	l := &loop{Trainer: t, total: c.TotalSteps(len(t.Train)), epoch: -1, start: time.Now()}
	l.result.BaseLoss, l.result.BestLoss = math.NaN(), math.NaN()
	sizes := make([]int, len(t.Params))
	for i, p := range t.Params {
		sizes[i] = p.Size()
		l.tensors = append(l.tensors, optim.Param{Data: p.Data, Grad: p.Grad, Decay: true})
		l.grads = append(l.grads, p.Grad)
	}
	adam := optim.DefaultAdamW()
	adam.WeightDecay = c.WeightDecay
	var err error
	if l.adam, err = optim.NewAdamW(adam, sizes); err != nil {
		return nil, err
	}
	l.lr, err = optim.NewSchedule(c.Schedule, optim.ScheduleConfig{
		LR: c.LR, Warmup: int(c.Warmup * float64(l.total)), Total: l.total,
	})
	if err != nil {
		return nil, err
	}
	if t.EvalEvery > 0 {
		l.evalEvery = max(1, int(math.Round(t.EvalEvery*float64(len(t.Train))/float64(c.Batch))))
	}
	return l, nil
}

// samples are those of a step. Epochs follow each other without a gap: a step may end one and begin the next. The last step of a
// run by epochs may be smaller.
func (l *loop) samples(step int) []dataset.Sample {
	n, batch := len(l.Train), l.Config.Batch
	lo, hi := (step-1)*batch, step*batch
	if l.Config.Epochs > 0 {
		hi = min(hi, max(lo+1, int(math.Round(l.Config.Epochs*float64(n)))))
	}
	out := make([]dataset.Sample, 0, hi-lo)
	for i := lo; i < hi; i++ {
		if e := i / n; e != l.epoch {
			l.order, l.epoch = dataset.Order(l.Train, l.Config.Seed, e), e
		}
		out = append(out, l.Train[l.order[i%n]])
	}
	return out
}

// step runs one optimizer step: all passes of its samples, clipping, the update.
func (l *loop) step(step int) error {
	begin := time.Now()
	samples := l.samples(step)
	labels, tokens := 0, 0
	for i := range samples {
		labels += samples[i].LabelTokens()
		tokens += len(samples[i].IDs)
	}
	if labels == 0 {
		return fmt.Errorf("trainer: step %d: no label token in samples %s", step, ids(samples))
	}
	for _, p := range l.Params {
		p.ZeroGrad()
	}
	loss, err := l.passes(step, samples, labels)
	if err != nil {
		return err
	}
	norm := optim.Clip(l.grads, l.Config.Clip)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("trainer: step %d: the gradient is not finite (norm %v); samples %s. Lower train.lr, or look at these rows", step, norm, ids(samples))
	}
	lr := l.lr(step - 1)
	if err := l.adam.Step(lr, l.tensors); err != nil {
		return err
	}
	l.result.Steps, l.result.Tokens = step, l.result.Tokens+tokens
	l.result.Seconds = time.Since(l.start).Seconds()
	e := StepEvent{
		Step: step, Epoch: l.epochAt(step), Loss: loss, LR: lr, GradNorm: norm, Tokens: tokens,
		PerSecond: float64(tokens) / time.Since(begin).Seconds(), Seconds: l.result.Seconds,
	}
	for _, o := range l.Observers {
		if err := o.Step(e); err != nil {
			return err
		}
	}
	return nil
}

// passes adds the step's gradients and returns its loss per label token. Every pass is scaled by the step's label tokens,
// so how the samples are packed changes rounding and nothing else.
func (l *loop) passes(step int, samples []dataset.Sample, labels int) (float64, error) {
	sum := 0.0
	for _, b := range l.pack(samples) {
		out, err := l.Model.Train(&b, model.TrainOptions{
			Scale: 1 / float32(labels), Seed: l.Config.Seed, Step: uint64(step),
		})
		if err != nil {
			return 0, fmt.Errorf("trainer: step %d: %w", step, err)
		}
		for s, v := range out.PerSample {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return 0, fmt.Errorf("trainer: step %d: the loss of sample %s is not finite (%v). Lower train.lr, or look at this row", step, idOf(samples, b.Keys[s]), v)
			}
		}
		sum += out.Sum
	}
	return sum / float64(labels), nil
}

func (l *loop) pack(samples []dataset.Sample) []dataset.Batch {
	if l.Pack {
		return dataset.Passes(samples, l.Config.MicroTokens)
	}
	return dataset.Passes(samples, 1)
}

// epochAt is how many times the training rows were gone over after a step.
func (l *loop) epochAt(step int) float64 {
	e := float64(step*l.Config.Batch) / float64(len(l.Train))
	if l.Config.Epochs > 0 {
		e = min(e, l.Config.Epochs)
	}
	return e
}

func idOf(samples []dataset.Sample, key uint64) string {
	for _, s := range samples {
		if s.Key == key {
			return fmt.Sprintf("%q", s.ID)
		}
	}
	return "unknown"
}

// ids names the first few samples.
func ids(samples []dataset.Sample) string {
	out := ""
	for i, s := range samples {
		if i == 8 {
			return out + fmt.Sprintf(" and %d more", len(samples)-i)
		}
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprintf("%q", s.ID)
	}
	return out
}
