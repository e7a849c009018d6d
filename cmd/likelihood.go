package cmd

import (
	"context"
	"slices"

	"ft/dataset"
	"ft/eval"
	"ft/internal/kernels"
	"ft/internal/ui"
	"ft/trainer"
)

// ask finds the likelihoods of the references if a metric needs them.
func (e *evaluation) ask(ctx context.Context, side side) (found []eval.Likelihood, err error) {
	if !slices.ContainsFunc(e.metrics, eval.Metric.NeedsModel) {
		return nil, nil
	}
	err = e.as(side, func() (err error) {
		progress := ui.NewProgress(e.streams, len(e.rows), "reading the references")
		defer progress.Done()
		found, err = e.session.likelihoods(ctx, e.rows, e.system, progress)
		return err
	})
	return found, err
}

// likelihoodTokens bounds the tokens of a pass.
const likelihoodTokens = 2048

// likelihoods are those of the rows' answers, in float32 on every backend. What does not fit into the context is cut off; a row whose prompt
// fills it has no tokens.
func (s *session) likelihoods(ctx context.Context, rows []dataset.Row, system string, progress *ui.Progress) ([]eval.Likelihood, error) {
	m := s.base.Model
	defer m.SetPrecision(m.Precision())
	m.SetPrecision(kernels.F32)
	c := dataset.Default()
	c.System, c.MaxTokens, c.TooLong, c.TrainOn = system, m.Room(), "cut", "answer"
	samples, order := make([]dataset.Sample, len(rows)), make([]int, 0, len(rows))
	unused := &dataset.Report{Dropped: map[string]int{}, Notes: map[string]int{}, IDs: map[string][]string{}}
	for i, r := range rows {
		one, err := dataset.Samples(dataset.NewTable(r).View(), c, s.format, unused)
		if err != nil {
			return nil, err
		}
		if len(one) == 1 {
			samples[i], order = one[0], append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(samples[a].IDs) - len(samples[b].IDs) })
	out := make([]eval.Likelihood, len(rows))
	for len(order) > 0 {
		if ctx.Err() != nil {
			return nil, trainer.ErrInterrupted
		}
		var pass []dataset.Sample
		for n := 0; len(pass) < len(order); {
			next := samples[order[len(pass)]]
			if n += len(next.IDs) + m.Virtual(); n > likelihoodTokens && len(pass) > 0 {
				break
			}
			pass = append(pass, next)
		}
		b := dataset.Pack(pass)
		l, err := m.Loss(&b)
		if err != nil {
			return nil, err
		}
		for k, sample := range pass {
			out[order[k]] = eval.Likelihood{NLL: l.PerSample[k], Tokens: sample.LabelTokens()}
		}
		progress.Step(len(pass))
		order = order[len(pass):]
	}
	return out, nil
}
