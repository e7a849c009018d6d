package trainer

import (
	"context"
	"fmt"
	"math"

	"ft/dataset"
	"ft/internal/profile"
)

// evaluateBase measures the base and tells the observers, as step 0. It waits for the first evaluation, so that training starts at
// once; the base does not change meanwhile.
func (l *loop) evaluateBase(ctx context.Context) error {
	if l.based {
		return nil
	}
	l.based = true
	e := EvalEvent{Loss: math.NaN()}
	if l.validates() {
		err := l.Model.WithoutSlots(func() (err error) {
			e.Loss, err = MeanLoss(ctx, l.Model, dataset.All(l.Val), l.Config.MicroTokens)
			return err
		})
		if err != nil {
			return err
		}
		l.result.BaseLoss = e.Loss
	}
	return l.tell(e)
}

// validates reports whether there is a validation part.
func (l *loop) validates() bool { return l.Val != nil && l.Val.Len() > 0 }

func (l *loop) tell(e EvalEvent) error {
	for _, o := range l.Observers {
		if err := o.Eval(e); err != nil {
			return err
		}
	}
	return nil
}

// evaluate measures the present weights, tells the observers, and keeps the weights if they are the best.
func (l *loop) evaluate(ctx context.Context, step int) error {
	e := EvalEvent{Step: step, Epoch: l.epochAt(step), Loss: math.NaN()}
	if l.validates() {
		loss, err := MeanLoss(ctx, l.Model, dataset.All(l.Val), l.Config.MicroTokens)
		if err != nil {
			return err
		}
		e.Loss = loss
	}
	if l.Score != nil {
		span := profile.Start(profile.Answers)
		scores, err := l.Score(ctx)
		span.Stop()
		if err != nil {
			if ctx.Err() != nil {
				return ErrInterrupted
			}
			return err
		}
		e.Scores = scores
	}
	better, err := l.better(e)
	if err != nil {
		return err
	}
	if e.Best = better; better {
		if err := l.keep(e); err != nil {
			return err
		}
	}
	return l.tell(e)
}

// better compares an evaluation with the best so far. Without a validation part the latest is the best.
func (l *loop) better(e EvalEvent) (bool, error) {
	v, sign := e.Loss, 1.0
	if l.Best != "loss" {
		s, ok := e.Scores[l.Best]
		if !ok {
			return false, fmt.Errorf("trainer: best is %q, but the evaluation has no such score", l.Best)
		}
		if v = s; !l.Lower {
			sign = -1
		}
	} else if !l.validates() {
		return true, nil
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return false, fmt.Errorf("trainer: step %d: the validation %s is not finite (%v). Lower train.lr", e.Step, l.Best, v)
	}
	v *= sign
	if l.found && v >= l.best {
		l.waited++
		return false, nil
	}
	l.best, l.waited = v, 0
	return true, nil
}

func (l *loop) keep(e EvalEvent) error {
	l.found = true
	if l.Reload == nil {
		if l.kept == nil {
			l.kept = make([][]float32, len(l.Params))
		}
		for i, p := range l.Params {
			l.kept[i] = append(l.kept[i][:0], p.Data...)
		}
	}
	l.result.BestStep, l.result.BestLoss = e.Step, e.Loss
	if l.Keep == nil {
		return nil
	}
	defer profile.Start(profile.Saving).Stop()
	return l.Keep()
}

// MeanLoss is the loss of samples in nats per label token, without dropout. It returns ErrInterrupted when ctx ends.
func MeanLoss(ctx context.Context, m Model, samples []dataset.Sample, microTokens int) (float64, error) {
	defer profile.Start(profile.Evaluation).Stop()
	sum, n := 0.0, 0
	for _, b := range dataset.Passes(dataset.ByLength(samples), microTokens, m.Virtual()) {
		if ctx.Err() != nil {
			return 0, ErrInterrupted
		}
		l, err := m.Loss(&b)
		if err != nil {
			return 0, err
		}
		sum += l.Sum
		n += l.Tokens
	}
	if n == 0 {
		return 0, fmt.Errorf("trainer: no label token among %d samples", len(samples))
	}
	return sum / float64(n), nil
}
