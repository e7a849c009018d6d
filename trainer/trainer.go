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
	"ft/internal/profile"
	"ft/model"
	"ft/nn"
	"ft/optim"
)

// Model is what training needs of a model.Model.
type Model interface {
	Train(b *dataset.Batch, o model.TrainOptions) (model.Loss, error)
	Loss(b *dataset.Batch) (model.Loss, error)
	SetRecompute(on bool)
	// Virtual is the number of positions in front of every sample, which count in a pass.
	Virtual() int
	// WithoutSlots runs f while the model is the base alone.
	WithoutSlots(f func() error) error
}

// StepEvent tells of one optimizer step.
type StepEvent struct {
	Step      int     // 1 is the first
	Epoch     float64 // of the training rows, after this step
	Loss      float64 // nats per label token, before the update; with the method's own term, if it has one
	LR        float64
	GradNorm  float64 // before clipping
	Tokens    int     // of this step, without padding
	PerSecond float64 // tokens
	Seconds   float64 // since the start of training
}

// EvalEvent tells of one evaluation on the validation part. That of the base comes right before the first one of trained weights.
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

// Hooks are what some methods do around the optimizer's steps, beside the gradient of the data's loss.
type Hooks interface {
	// Begin is called before the first step with the number of steps of the run, maybe more than once. Its error is one of
	// the method's settings, which the run is too short for.
	Begin(steps int) error
	// Penalty adds the gradient of the method's own term of the loss to the parameters and returns the term. It is called once a
	// step, behind all passes and before clipping.
	Penalty() float64
	// Updated is called behind the update of step t, 0 the first, while the parameters still have the clipped gradient of that step.
	Updated(t int)
}

// ErrInterrupted is returned when the context ended; the step under way was finished.
var ErrInterrupted = errors.New("interrupted")

// Trainer is one run. Fill in all fields but the optional ones.
type Trainer struct {
	Config Config
	Model  Model
	Params []*nn.Param
	Hooks  Hooks // optional
	Train  dataset.Set
	Val    dataset.Set // may be nil or empty: then the last weights are the best
	Pack   bool        // several samples in a forward pass

	Recompute bool    // what Config.Recompute came to on this machine
	EvalEvery float64 // epochs between evaluations; 0: only at the end
	Best      string  // "loss", or a key of what Score returns
	Lower     bool    // the lower of two scores is the better one; the loss is so anyway
	// Score answers validation rows and scores them; optional.
	Score func(ctx context.Context) (map[string]float64, error)
	// Keep is called when the present weights are the best so far.
	Keep func() error
	// Reload puts the weights of the last Keep back into Params; optional. Without it the trainer holds a copy of the best weights,
	// which for a whole model is as much memory as the model itself.
	Reload    func() error
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
	// Fill is the part of all passes' micro_tokens that was in use; a pass of one longer sample is full. 0 without packing.
	Fill    float64
	Seconds float64
}

// TotalSteps is the number of optimizer steps of a run over n samples.
func (c Config) TotalSteps(n int) int {
	if c.Epochs == 0 {
		return c.Steps
	}
	steps := (c.visits(n) + c.Batch - 1) / c.Batch
	if c.Steps > 0 {
		steps = min(steps, c.Steps)
	}
	return steps
}

// visits is how many samples a run by epochs goes over, each time that it comes to one counted: at least one, and no more
// than an int can hold.
func (c Config) visits(n int) int {
	const most = 1 << 40
	return int(max(1, min(most, math.Round(c.Epochs*float64(n)))))
}

// loop is the state of a run.
type loop struct {
	*Trainer
	adam    *optim.AdamW
	lr      optim.Schedule
	tensors []optim.Param
	grads   [][]float32
	total   int
	start   time.Time
	order   []int // of the epoch under way
	epoch   int   // that order belongs to
	best    float64
	found   bool        // there is a best
	kept    [][]float32 // the best weights, unless Reload has them
	waited  int         // evaluations without a better score
	based   bool        // the base was measured
	result  Result

	used, room int // positions in use in all passes, and what they had room for
}

// Run trains until all steps are done, no better score comes for Patience evaluations, or ctx ends. The parameters are then the
// best ones; after an interruption they are the last ones, and the error is ErrInterrupted.
func (t *Trainer) Run(ctx context.Context) (Result, error) {
	l, err := t.newLoop()
	if err != nil {
		return Result{}, err
	}
	l.start = time.Now()
	for step := 1; step <= l.total; step++ {
		if ctx.Err() != nil {
			return l.result, ErrInterrupted
		}
		if err := l.step(step); err != nil {
			return l.result, err
		}
		if l.evalDue(step) {
			if err := l.evaluateBase(ctx); err != nil {
				return l.result, err
			}
			if err := l.evaluate(ctx, step); err != nil {
				return l.result, err
			}
			if t.Config.Patience > 0 && l.waited >= t.Config.Patience {
				l.result.Stopped = step < l.total
				break
			}
		}
	}
	return l.result, l.restore()
}

// restore puts the best weights back.
func (l *loop) restore() error {
	switch {
	case l.result.BestStep == l.result.Steps:
		return nil // they are the last ones
	case l.Reload != nil:
		return l.Reload()
	}
	for i, p := range l.Params {
		copy(p.Data, l.kept[i])
	}
	return nil
}

func (t *Trainer) newLoop() (*loop, error) {
	c := t.Config
	switch err := c.Validate(); {
	case err != nil:
		return nil, fmt.Errorf("trainer: %w", err)
	case t.Train == nil || t.Train.Len() == 0:
		return nil, fmt.Errorf("trainer: no training samples")
	case len(t.Params) == 0:
		return nil, fmt.Errorf("trainer: nothing to train")
	case t.Reload != nil && t.Keep == nil:
		return nil, fmt.Errorf("trainer: nothing keeps what Reload would read")
	case t.Best != "loss" && t.Score == nil:
		return nil, fmt.Errorf("trainer: best is %q, but no answers are scored", t.Best)
	}
	total := c.TotalSteps(t.Train.Len())
	if t.Hooks != nil {
		if err := t.Hooks.Begin(total); err != nil {
			return nil, err
		}
	}
	t.Model.SetRecompute(t.Recompute)
	l := &loop{Trainer: t, total: total, epoch: -1}
	l.result.BaseLoss, l.result.BestLoss = math.NaN(), math.NaN()
	sizes := make([]int, len(t.Params))
	for i, p := range t.Params {
		sizes[i] = p.Size()
		l.tensors = append(l.tensors, optim.Param{Data: p.Data, Grad: p.Grad, Decay: !p.NoDecay, LRScale: p.LRScale})
		l.grads = append(l.grads, p.Grad)
	}
	adam := optim.DefaultAdamW()
	adam.WeightDecay = c.WeightDecay
	var err error
	if l.adam, err = optim.NewAdamW(adam, sizes); err != nil {
		return nil, err
	}
	l.lr, err = c.newSchedule(l.total)
	return l, err
}

// rounding is more than what binary fractions lose: 0.29 of 100 steps are 28.999… when computed, and mean 29.
const rounding = 1e-9

// evalDue reports whether an evaluation follows a step: where the run passes a multiple of EvalEvery epochs, and at its end.
func (l *loop) evalDue(step int) bool {
	if step == l.total || !(l.EvalEvery > 0) {
		return step == l.total
	}
	passed := func(step int) float64 {
		return math.Floor(float64(step*l.Config.Batch)/(l.EvalEvery*float64(l.Train.Len())) + rounding)
	}
	return passed(step) > passed(step-1)
}

// samples are those of a step. Epochs follow each other without a gap: a step may end one and begin the next. The last step of a
// run by epochs may be smaller.
func (l *loop) samples(step int) []dataset.Sample {
	n, lo, hi := l.Train.Len(), l.visited(step-1), l.visited(step)
	out := make([]dataset.Sample, 0, hi-lo)
	for i := lo; i < hi; i++ {
		if e := i / n; e != l.epoch {
			l.order, l.epoch = dataset.Order(l.Train, l.Config.Seed, e), e
		}
		out = append(out, l.Train.At(l.order[i%n]))
	}
	return out
}

// visited is how many samples the run went over when step is done.
func (l *loop) visited(step int) int {
	n := step * l.Config.Batch
	if l.Config.Epochs > 0 {
		n = min(n, l.Config.visits(l.Train.Len()))
	}
	return n
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
	if l.Hooks != nil {
		loss += l.Hooks.Penalty()
	}
	norm, lr, err := l.update(step)
	if err != nil {
		return err
	}
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("trainer: step %d: the gradient is not finite (norm %v); samples %s. Lower train.lr, or look at these rows", step, norm, ids(samples))
	}
	l.result.Steps, l.result.Tokens = step, l.result.Tokens+tokens
	l.result.Seconds = time.Since(l.start).Seconds()
	e := StepEvent{
		Step: step, Epoch: l.epochAt(step), Loss: loss, LR: lr, GradNorm: norm, Tokens: tokens,
		PerSecond: float64(tokens) / max(time.Since(begin).Seconds(), 1e-9), Seconds: l.result.Seconds, // a coarse clock may stand still
	}
	for _, o := range l.Observers {
		if err := o.Step(e); err != nil {
			return err
		}
	}
	return nil
}

// update clips the gradient, whose norm it returns, and moves the parameters, unless the norm is not finite.
func (l *loop) update(step int) (norm, lr float64, err error) {
	defer profile.Start(profile.Optimizer).Stop()
	lr = l.lr(step - 1)
	if norm = optim.Clip(l.grads, l.Config.Clip); math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, lr, nil
	}
	if err := l.adam.Step(lr, l.tensors); err != nil {
		return norm, lr, err
	}
	if l.Hooks != nil {
		l.Hooks.Updated(step - 1)
	}
	return norm, lr, nil
}

// passes adds the step's gradients and returns its loss per label token. Every pass is scaled by the step's label tokens,
// so how the samples are packed changes rounding and nothing else.
func (l *loop) passes(step int, samples []dataset.Sample, labels int) (float64, error) {
	sum := 0.0
	for _, b := range l.pack(samples) {
		out, err := l.Model.Train(&b, model.TrainOptions{
			Scale: 1 / float32(labels), Seed: l.Config.Seed, Step: uint64(step), NEFTuneAlpha: l.Config.NEFTuneAlpha,
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
	if !l.Pack {
		return dataset.Passes(samples, 1, 0)
	}
	ahead := l.Model.Virtual()
	batches := dataset.Passes(samples, l.Config.MicroTokens, ahead)
	for _, b := range batches {
		n := b.Tokens() + ahead*len(b.Keys)
		l.used += n
		l.room += max(n, l.Config.MicroTokens)
	}
	l.result.Fill = float64(l.used) / float64(l.room)
	return batches
}

// epochAt is how many times the training rows were gone over after a step.
func (l *loop) epochAt(step int) float64 {
	return float64(l.visited(step)) / float64(l.Train.Len())
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
