package report

import (
	"encoding/json"
	"maps"
	"slices"

	"ft/eval"
	"ft/internal/chart"
)

// history is log.jsonl: curves over optimizer steps. A value that a row lacks is a gap.
type history struct {
	loss, lr, norm, speed []chart.Point
	evals                 []evaluation
}

// evaluation is one during training; step 0 is the base.
type evaluation struct {
	step   float64
	loss   *float64
	scores map[string]float64
}

// stepRow is a line of log.jsonl that tells of a step.
type stepRow struct {
	Step  float64  `json:"step"`
	Loss  *float64 `json:"loss"`
	LR    *float64 `json:"lr"`
	Norm  *float64 `json:"grad_norm"`
	Speed *float64 `json:"tokens_per_s"`
}

func (h *history) read(b []byte) error {
	return eachLine(b, func(line []byte) error {
		var row stepRow
		if err := json.Unmarshal(line, &row); err != nil {
			return err
		}
		if row.Loss == nil {
			return h.readEval(row.Step, line)
		}
		for _, c := range []struct {
			to *[]chart.Point
			v  *float64
		}{{&h.loss, row.Loss}, {&h.lr, row.LR}, {&h.norm, row.Norm}, {&h.speed, row.Speed}} {
			// A run that went on after a crash has steps twice: the later ones count.
			for n := len(*c.to); n > 0 && (*c.to)[n-1].X >= row.Step; n-- {
				*c.to = (*c.to)[:n-1]
			}
			if c.v != nil {
				*c.to = append(*c.to, chart.Point{X: row.Step, Y: *c.v})
			}
		}
		return nil
	})
}

// readEval reads an evaluation: eval_loss, and scores by their names.
func (h *history) readEval(step float64, line []byte) error {
	var row map[string]any
	if err := json.Unmarshal(line, &row); err != nil {
		return err
	}
	e := evaluation{step: step, scores: map[string]float64{}}
	for name, v := range row {
		number, ok := v.(float64)
		switch {
		case !ok || name == "step" || name == "epoch":
		case name == "eval_loss":
			e.loss = &number
		default:
			e.scores[name] = number
		}
	}
	h.evals = slices.DeleteFunc(h.evals, func(old evaluation) bool { return old.step == step })
	h.evals = append(h.evals, e)
	slices.SortStableFunc(h.evals, func(a, b evaluation) int { return int(a.step - b.step) })
	return nil
}

// scoreNames are the names of all scores, sorted.
func (h *history) scoreNames() []string {
	names := map[string]bool{}
	for _, e := range h.evals {
		for name := range e.scores {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// lossOf is the validation loss of the evaluation after a step.
func (h *history) lossOf(step float64) (float64, bool) {
	for _, e := range h.evals {
		if e.step == step && e.loss != nil {
			return *e.loss, true
		}
	}
	return 0, false
}

// best is the step whose weights were kept, by the score that the config names; 0 if no evaluation has it.
func (h *history) best(s settings) float64 {
	c := eval.Config{Metrics: s.Eval.Metrics, Best: s.Eval.Best}
	name := c.BestScore()
	if s.Eval.Sample == 0 || name == "" {
		name = "loss"
	}
	step, most := 0.0, 0.0
	for _, e := range h.evals {
		v, ok := e.scores[name]
		lower := eval.BetterOf(name) == eval.Lower
		if name == "loss" {
			ok, lower = e.loss != nil, true
			if ok {
				v = *e.loss
			}
		}
		if lower {
			v = -v
		}
		if ok && e.step > 0 && (step == 0 || v > most) {
			step, most = e.step, v
		}
	}
	return step
}
