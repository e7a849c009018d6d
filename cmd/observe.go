package cmd

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"ft/internal/run"
	"ft/internal/tfevents"
	"ft/internal/ui"
	"ft/trainer"
)

// bar shows training to a person.
type bar struct{ p *ui.Progress }

func (b bar) Step(e trainer.StepEvent) error {
	b.p.Step(1,
		ui.Field{Name: "loss", Value: fmt.Sprintf("%.4f", e.Loss)},
		ui.Field{Value: fmt.Sprintf("%.0f tokens/s", e.PerSecond)},
	)
	return nil
}

func (b bar) Eval(e trainer.EvalEvent) error {
	text := fmt.Sprintf("step %d: validation loss %.4f", e.Step, e.Loss)
	if math.IsNaN(e.Loss) {
		text = fmt.Sprintf("step %d: no validation part", e.Step)
	}
	if e.Step == 0 {
		text += " (the base)"
	}
	for _, name := range slices.Sorted(maps.Keys(e.Scores)) {
		text += fmt.Sprintf("  %s %.2f", name, e.Scores[name])
	}
	if e.Best {
		text += "  best so far"
	}
	b.p.Line("%s", text)
	return nil
}

// rowLog writes log.jsonl.
type rowLog struct{ rows *run.Rows }

type stepRow struct {
	Step      int     `json:"step"`
	Epoch     float64 `json:"epoch"`
	Loss      float64 `json:"loss"`
	LR        float64 `json:"lr"`
	GradNorm  float64 `json:"grad_norm"`
	Tokens    int     `json:"tokens"`
	PerSecond float64 `json:"tokens_per_s"`
	Seconds   float64 `json:"seconds"`
}

func (l rowLog) Step(e trainer.StepEvent) error { return l.rows.Write(stepRow(e)) }

func (l rowLog) Eval(e trainer.EvalEvent) error {
	row := map[string]any{"step": e.Step, "epoch": e.Epoch}
	if !math.IsNaN(e.Loss) {
		row["eval_loss"] = e.Loss
	}
	for name, v := range e.Scores {
		row[name] = v
	}
	return l.rows.Write(row)
}

// board writes the same scalars for TensorBoard.
type board struct{ w *tfevents.Writer }

func (b board) Step(e trainer.StepEvent) error {
	for _, s := range []struct {
		tag string
		v   float64
	}{
		{"train/loss", e.Loss}, {"train/lr", e.LR}, {"train/grad_norm", e.GradNorm},
		{"train/tokens_per_s", e.PerSecond}, {"train/epoch", e.Epoch}, {"train/tokens", float64(e.Tokens)},
	} {
		if err := b.w.Scalar(s.tag, e.Step, s.v); err != nil {
			return err
		}
	}
	return b.w.Flush()
}

func (b board) Eval(e trainer.EvalEvent) error {
	if !math.IsNaN(e.Loss) {
		if err := b.w.Scalar("eval/loss", e.Step, e.Loss); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Scores)) {
		if err := b.w.Scalar("eval/"+name, e.Step, e.Scores[name]); err != nil {
			return err
		}
	}
	return b.w.Flush()
}
