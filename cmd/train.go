package cmd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ft/configs"
	"ft/eval"
	"ft/internal/profile"
	"ft/internal/report"
	"ft/internal/run"
	"ft/internal/tfevents"
	"ft/internal/ui"
	"ft/peft"
	"ft/trainer"
)

func newTrainCmd(s *ui.Streams) *cobra.Command {
	var o trainFlags
	kinds := methodKinds()
	c := &cobra.Command{
		Use:   "train --config FILE.yaml",
		Short: "Train with the method that the config names, and score base and tuned model side by side",
		Long: `Train with the method that method.kind names, keep the best weights, and answer the test part with the base and with the
tuned model. The kinds are: ` + strings.Join(kinds, ", ") + `.

Everything of a run lies in one directory under runs/: the resolved config, the split, the log, TensorBoard's events, the
answers and the scores, a page that shows them (report.html), and what was trained: in adapter/ an adapter in Hugging Face
PEFT's format, or in model/, where the method changes the base itself (full, freeze, bitfit), a whole model. Ctrl-C finishes
the step, saves and ends with code 130.

What a model says about medicine is for testing software, not medical advice.`,
		Example: `  ft train --config configs/full.yaml --set base=model.gguf --set data.files=qa.jsonl
  ft train --config med.yaml --set method.kind=ia3 --set train.lr=1e-2 --name med-ia3`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.run(c, *s, kinds...)
		},
	}
	o.register(c)
	return c
}

// training is one run under way.
type training struct {
	*prepared
	streams ui.Streams
	run     *run.Run
	events  *tfevents.Writer
	log     *run.Rows
	meta    peft.Meta
	inputs  chan inputs // nil when they are noted
	answers string      // the directory of a run whose base has answered the test part; empty for none
}

// train runs a config from the first check to the table of scores. An interruption saves what there is and returns trainer.ErrInterrupted.
func train(ctx context.Context, c *configs.Config, args []string, s ui.Streams) error {
	return trainAfter(ctx, c, args, s, "")
}

// trainAfter is train, but that the base does not answer the test part again if the run in the directory before has its answers.
func trainAfter(ctx context.Context, c *configs.Config, args []string, s ui.Streams, before string) (err error) {
	p, err := prepare(c, s)
	if err != nil {
		return err
	}
	defer p.close()
	p.summary(s)
	t := &training{prepared: p, streams: s, answers: before}
	outcome := errors.New("ended by an internal error") // what a panic leaves behind
	defer func() { err = errors.Join(err, t.end(outcome)) }()
	if outcome = t.begin(args); outcome == nil {
		outcome = t.settle()
	}
	if outcome == nil {
		t.follow()
		outcome = t.fit(ctx)
	}
	if outcome == nil {
		outcome = t.judge(ctx)
	}
	return outcome
}

// begin makes the run directory and writes what is known before the first step.
func (t *training) begin(args []string) error {
	defer profile.Start(profile.Saving).Stop()
	c := t.config
	var err error
	if t.run, err = run.Create(c.Out, c.Name, time.Now()); err != nil {
		return err
	}
	t.streams.Note("run      %s", t.run.Dir)
	if err := t.record(args); err != nil {
		return err
	}
	text, err := c.Marshal()
	if err != nil {
		return err
	}
	if err := t.run.WriteFile(run.ConfigFile, text); err != nil {
		return err
	}
	if t.log, err = t.run.Append(run.LogFile); err != nil {
		return err
	}
	if t.events, err = tfevents.Create(t.run.Dir); err != nil {
		return err
	}
	if err := t.events.Text("text/config", 0, "```yaml\n"+string(text)+"```\n"); err != nil {
		return err
	}
	return t.events.HParams(map[string]any{
		"base": c.Base, "method": c.Method.Kind, "lr": c.Train.LR, "batch": float64(c.Train.Batch),
		"epochs": c.Train.Epochs, "schedule": c.Train.Schedule, "seed": float64(c.Train.Seed),
	})
}

// fit trains; the best adapter or model so far is in the run directory at any moment after the first evaluation.
func (t *training) fit(ctx context.Context) error {
	c := t.config
	progress := ui.NewProgress(t.streams, c.Train.TotalSteps(t.data.Train.Len()), "training")
	best := c.Eval.BestScore()
	if c.Eval.Sample == 0 {
		best = "loss" // without answers there is one evaluation, at the end, and any score picks it
	}
	debug.FreeOSMemory() // what loading left behind is not needed again
	tr := &trainer.Trainer{
		Config: c.Train, Model: t.session.base.Model, Params: t.session.adapter.Params(), Hooks: hooks(t.session.adapter),
		Train: t.data.Train, Val: t.data.Val, Recompute: t.recompute(t.freeMemory()), Pack: c.Data.Pack, EvalEvery: c.Eval.Every, Best: best,
		Lower: eval.BetterOf(best) == eval.Lower,
		Keep:  func() error { return t.save(t.outcome()) }, Reload: t.reload(),
		Observers: []trainer.Observer{bar{progress}, rowLog{t.log}, board{t.events}, clerk{t}},
	}
	if c.Eval.Sample > 0 && t.data.Rows.Val > 0 {
		tr.Score = t.scoreSample
	}
	t.streams.Detail("the first step begins")
	result, err := tr.Run(ctx)
	progress.Done()
	t.run.Info.Sizes["steps"], t.run.Info.Sizes["tokens"] = int64(result.Steps), int64(result.Tokens)
	t.run.Info.Times = map[string]float64{"train": result.Seconds}
	if peak, _ := run.Memory(); peak > 0 {
		t.run.Info.Sizes["peak_bytes"] = peak
	}
	if errors.Is(err, trainer.ErrInterrupted) {
		return t.interrupted(result)
	}
	if err != nil {
		return err
	}
	if result.Stopped {
		t.streams.Note("stopped at step %d: no better %s in %d evaluations", result.Steps, c.Eval.Best, c.Train.Patience)
	}
	if result.Fill > 0 {
		t.streams.Note("passes   filled to %.1f %% of train.micro_tokens", 100*result.Fill)
	}
	t.tellBest(result)
	if a, ok := t.session.adapter.(remarker); ok {
		t.streams.Note("%s", a.Remark())
	}
	return nil
}

// remarker is an adapter that has something to say of itself when it is trained.
type remarker interface{ Remark() string }

// tellBest says which weights were kept.
func (t *training) tellBest(r trainer.Result) {
	if math.IsNaN(r.BestLoss) {
		t.streams.Note("kept the weights of step %d: there is no validation part to choose by", r.BestStep)
		return
	}
	t.streams.Note("best at step %d: validation loss %.4f (base %.4f)", r.BestStep, r.BestLoss, r.BaseLoss)
	if r.BestLoss > r.BaseLoss {
		t.streams.Warn("the tuned model's validation loss is above the base's; a lower train.lr or more data may help")
	}
}

// interrupted saves the adapter or model as it is. A better one from an earlier evaluation moves aside and is not lost.
func (t *training) interrupted(r trainer.Result) error {
	if r.Steps == 0 {
		t.streams.Note("interrupted before the first step: nothing to save")
		return trainer.ErrInterrupted
	}
	what := t.outcome()
	if r.BestStep > 0 && r.BestStep < r.Steps {
		if err := os.Rename(t.run.Path(what), t.run.Path(what+bestSuffix)); err != nil {
			return err
		}
		t.streams.Note("the best %s so far, of step %d, is in %s", what, r.BestStep, t.run.Path(what+bestSuffix))
	}
	if err := t.save(what); err != nil {
		return err
	}
	t.streams.Note("interrupted after step %d; the %s as it is: %s", r.Steps, what, t.run.Path(what))
	return trainer.ErrInterrupted
}

// bestSuffix ends the name of the folder where an interrupted run keeps the best adapter or model when the last one is another.
const bestSuffix = "-best"

func (t *training) save(name string) error {
	if err := t.noteInputs(true); err != nil {
		return err
	}
	if whole, ok := t.session.adapter.(peft.Standalone); ok {
		return t.saveWhole(whole, name)
	}
	state, err := t.session.adapter.State()
	if err != nil {
		return err
	}
	return peft.Save(t.run.Path(name), state, t.meta)
}

// scoreSample answers the first validation rows and scores them.
func (t *training) scoreSample(ctx context.Context) (map[string]float64, error) {
	quiet := t.streams
	quiet.Quiet = true
	e := t.evaluation(quiet)
	var err error
	if e.rows, err = t.data.ValRows(t.config.Eval.Sample); err != nil || len(e.rows) == 0 {
		return nil, err
	}
	r, err := e.run(ctx, side{}, nil)
	if err != nil {
		return nil, err
	}
	return r.Metrics, nil
}

func (t *training) evaluation(s ui.Streams) *evaluation {
	return &evaluation{
		session: t.session, system: t.config.Data.System, how: t.config.Eval.Answering(), metrics: t.metrics,
		bootstrap: t.config.Eval.Resampling(), streams: s,
	}
}

// judge answers the test part with base and tuned model, lets them do the tasks, and prints the scores side by side.
func (t *training) judge(ctx context.Context) error {
	if t.data.Rows.Test == 0 {
		t.streams.Note("no test part: no answers to score")
	}
	if t.data.Rows.Test == 0 && t.extras.empty() {
		t.next()
		return nil
	}
	defer profile.Start(profile.Answers).Stop()
	result, err := t.answerTest(ctx)
	if err == nil && !t.extras.empty() {
		if err = t.extras.judgeRun(ctx, t.session, t.run, result, t.streams); err == nil {
			err = t.run.WriteJSON(run.MetricsFile, result)
		}
	}
	if err != nil {
		return err
	}
	if err := t.logScores(result); err != nil {
		return err
	}
	if _, err := fmt.Fprint(t.streams.Out, result.Table()); err != nil {
		return err
	}
	t.next()
	return nil
}

// answerTest answers the test part with base and tuned model; an empty result without one.
func (t *training) answerTest(ctx context.Context) (*eval.Result, error) {
	if t.data.Rows.Test == 0 {
		return &eval.Result{Metrics: map[string]float64{}}, nil
	}
	e := t.evaluation(t.streams)
	var err error
	if e.rows, err = t.data.TestRows(t.config.Eval.Limit); err != nil {
		return nil, err
	}
	if len(e.rows) == 0 {
		t.streams.Note("the test part is plain text, which asks nothing: nothing to answer and score")
		return &eval.Result{Metrics: map[string]float64{}}, nil
	}
	if t.answers != "" {
		e.baseAnswers = filepath.Join(t.answers, basePredictionsFile)
	}
	return e.sideBySide(ctx, t.run, "")
}

// logScores puts the final scores beside the curves.
func (t *training) logScores(r *eval.Result) error {
	step := int(t.run.Info.Sizes["steps"])
	scores := map[string]map[string]float64{"test/": r.Metrics}
	if r.Base != nil {
		scores["test_base/"] = r.Base.Metrics
	}
	for name, task := range r.Tasks {
		scores["task/"+name+"/"], scores["task_base/"+name+"/"] = task.Metrics, task.Base.Metrics
	}
	for prefix, metrics := range scores {
		for name, v := range metrics {
			if err := t.events.Scalar(prefix+name, step, v); err != nil {
				return err
			}
		}
	}
	return t.events.Flush()
}

// next tells what was trained on, and how to go on.
func (t *training) next() {
	r := t.data.Report
	t.streams.Note("rows     %s in the files, %s used: train %s, val %s, test %s; %s", ui.Count(r.Rows), ui.Count(r.Kept),
		ui.Count(t.data.Train.Len()), ui.Count(t.data.Val.Len()), ui.Count(t.data.Rows.Test), dropped(r))
	t.streams.Note("%-8s %s", t.outcome(), t.run.Path(t.outcome()))
	t.streams.Note("next:    ft generate --adapter %s --prompt \"…\"", t.run.Dir)
	if _, ok := t.session.adapter.(unmergeable); !ok {
		t.streams.Note("         ft merge --adapter %s --out model.gguf", t.run.Dir)
	}
}

// end closes the run's files and notes how it went.
func (t *training) end(err error) error {
	if t.run == nil {
		return nil // it could not even be made
	}
	status := run.Done
	switch {
	case errors.Is(err, trainer.ErrInterrupted):
		status = run.Interrupted
	case err != nil:
		status = run.Failed
	}
	errs := []error{t.noteInputs(true), t.tellProfile()}
	if t.log != nil {
		errs = append(errs, t.log.Close())
	}
	if t.events != nil {
		errs = append(errs, t.events.Close())
	}
	err = errors.Join(append(errs, t.run.Finish(status, time.Now()))...)
	writeReport(t.run, t.streams)
	return err
}

// writeReport makes a run's page. What the run has done is done: a failure is told, and no more.
func writeReport(r *run.Run, s ui.Streams) {
	path, err := report.Write(r.Dir)
	if err != nil {
		s.Warn("%s could not be written: %v", run.ReportFile, err)
		return
	}
	s.Note("report   %s", path)
}
