package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"ft/eval"
	"ft/eval/task"
	"ft/internal/likelihood"
	"ft/internal/run"
	"ft/internal/ui"
	"ft/trainer"
)

// taskRowsFile holds what came of every row of the tasks, in a run's directory.
const taskRowsFile = "tasks.jsonl"

// extras is what a model is judged by beside its answers: tasks, and how likely it finds a general text.
type extras struct {
	tasks   []*task.Task
	general *generalText
}

// loadExtras reads task files with their rows, and the general text unless general is empty. limit bounds a task's rows; 0 takes all.
func loadExtras(tasks []string, general string, limit int) (*extras, error) {
	x := &extras{}
	var errs []error
	names := map[string]string{}
	for _, file := range tasks {
		d, err := task.Load(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if other, ok := names[d.Name]; ok {
			errs = append(errs, fmt.Errorf("task: %s and %s are both called %q: give one of them another task: name", other, file, d.Name))
		}
		names[d.Name] = file
		t, err := d.Prepare(limit)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		x.tasks = append(x.tasks, t)
	}
	if general != "" {
		g, err := loadGeneral(general)
		x.general, errs = g, append(errs, err)
	}
	return x, errors.Join(errs...)
}

func (x *extras) empty() bool { return len(x.tasks) == 0 && x.general == nil }

// files are all files that were read.
func (x *extras) files() []string {
	var files []string
	for _, t := range x.tasks {
		files = append(append(files, t.File), t.Files()...)
	}
	if x.general != nil {
		files = append(files, x.general.file)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// outcomes is what came of one model.
type outcomes struct {
	tasks   map[string]*task.Outcome
	general task.TextLikelihood
}

// judge measures the session's model, and its base if it is tuned, and puts the outcome into r. rows is told of every row of the tasks;
// it may be nil.
func (x *extras) judge(ctx context.Context, s *session, r *eval.Result, streams ui.Streams, rows func(taskRow) error) error {
	if x.empty() {
		return nil
	}
	if s.base.Tokenizer == nil {
		return fmt.Errorf("base: %s: no tokenizer.json, and tasks are text", s.base.Path)
	}
	var base *outcomes
	if s.tuned() {
		err := s.untuned(func() (err error) {
			base, err = x.measure(ctx, s, "base", streams)
			return err
		})
		if err != nil {
			return err
		}
	}
	who := "model"
	if base != nil {
		who = "tuned model"
	}
	own, err := x.measure(ctx, s, who, streams)
	if err != nil {
		return err
	}
	for _, t := range x.tasks {
		var before *task.Outcome
		if base != nil {
			before = base.tasks[t.Name]
		}
		if r.Tasks == nil {
			r.Tasks = map[string]*eval.TaskResult{}
		}
		o := own.tasks[t.Name]
		if r.Tasks[t.Name] = t.Result(o, before); o.Cut > 0 {
			streams.Warn("%s: %d prompts are longer than the model's %d positions and lost their beginning", t.File, o.Cut, s.base.Model.Room())
		}
		for i := 0; rows != nil && i < len(o.Rows); i++ {
			row := taskRow{Task: t.Name, Row: o.Rows[i]}
			if before != nil {
				row.Base = before.Rows[i].LogLikelihoods
			}
			if err := rows(row); err != nil {
				return err
			}
		}
	}
	if x.general != nil {
		r.General = x.general.result(own, base, s.base.Model.Room())
	}
	return nil
}

// taskRow is a line of tasks.jsonl.
type taskRow struct {
	Task string `json:"task"`
	task.Row
	Base []float64 `json:"base,omitzero"` // the log-likelihoods under the base
}

// measure asks one model everything.
func (x *extras) measure(ctx context.Context, s *session, who string, streams ui.Streams) (*outcomes, error) {
	m := s.taskModel()
	out := &outcomes{tasks: map[string]*task.Outcome{}}
	ask := func(total int, what string, f func(step func(int)) error) error {
		progress := ui.NewProgress(streams, total, fmt.Sprintf("%s, %s", what, who))
		defer progress.Done()
		if err := f(func(n int) { progress.Step(n) }); err != nil {
			if ctx.Err() != nil {
				return trainer.ErrInterrupted
			}
			return err
		}
		return nil
	}
	for _, t := range x.tasks {
		err := ask(t.Requests(), t.Name, func(step func(int)) (err error) {
			out.tasks[t.Name], err = t.Run(ctx, m, step)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if x.general == nil {
		return out, nil
	}
	return out, ask(0, "tokens of "+filepath.Base(x.general.file), func(step func(int)) (err error) {
		out.general, err = x.general.measure(ctx, m, step)
		return err
	})
}

// taskModel is the session's model as tasks see it.
func (s *session) taskModel() *task.Model {
	m := &task.Model{Scorer: likelihood.Scorer{Model: s.base.Model}, Encoder: s.base.Tokenizer, Window: s.base.Model.Room()}
	for _, text := range []string{s.base.Chat.BOS, s.base.Chat.EOS} {
		if id, ok := s.base.Tokenizer.ID(text); ok && text != "" {
			m.Prefix, m.Begin = id, text
			break
		}
	}
	return m
}

// judgeRun judges a run's model and writes the rows of the tasks into its directory.
func (x *extras) judgeRun(ctx context.Context, s *session, r *run.Run, result *eval.Result, streams ui.Streams) error {
	if len(x.tasks) == 0 {
		return x.judge(ctx, s, result, streams, nil)
	}
	out, err := r.Replace(taskRowsFile)
	if err != nil {
		return err
	}
	err = x.judge(ctx, s, result, streams, func(row taskRow) error { return out.Write(row) })
	return errors.Join(err, out.Close())
}

// extras are those that the flags name, with asked, or else those of a run's config.
func (o *evalFlags) extras(c eval.Config) (x *extras, asked bool, err error) {
	if o.asksExtras() {
		x, err = loadExtras(o.tasks, o.general, o.limit)
		return x, true, err
	}
	x, err = loadExtras(c.Tasks, c.General, 0)
	return x, false, err
}

// asksExtras reports whether the flags name tasks or a text.
func (o *evalFlags) asksExtras() bool { return len(o.tasks) > 0 || o.general != "" }

// scoreModel judges --base and --adapter by tasks and a text alone.
func (o *evalFlags) scoreModel(ctx context.Context, s ui.Streams) (*eval.Result, error) {
	x, _, err := o.extras(eval.Config{})
	if err != nil {
		return nil, err
	}
	session, err := openModel(o.base, o.adapter)
	if err != nil {
		return nil, err
	}
	defer session.close()
	result := &eval.Result{Metrics: map[string]float64{}}
	return result, o.judge(ctx, x, session, result, s)
}

// judge is extras.judge, with the rows written to --task-rows.
func (o *evalFlags) judge(ctx context.Context, x *extras, s *session, r *eval.Result, streams ui.Streams) error {
	if o.taskRows == "" {
		return x.judge(ctx, s, r, streams, nil)
	}
	f, err := os.Create(o.taskRows)
	if err != nil {
		return err
	}
	write := lineWriter(f)
	err = x.judge(ctx, s, r, streams, func(row taskRow) error { return write(row) })
	return errors.Join(err, f.Close())
}

// addExtras completes the result of a run with tasks and the general text: those that were asked for, or those that its config names,
// unless before, the metrics of the run so far, has them. What there is then goes into the run's metrics.json.
func (o *evalFlags) addExtras(ctx context.Context, r *run.Run, before, result *eval.Result, s ui.Streams) error {
	c, err := loadRunConfig(r)
	if err != nil {
		return err
	}
	if !o.asksExtras() && (o.split != "test" || o.limitGiven || o.maxNew > 0 || o.decoding.given()) {
		return nil
	}
	x, asked, err := o.extras(c.Eval)
	if err != nil {
		return err
	}
	if !asked && (x.general != nil) == (before.General != nil) && !slices.ContainsFunc(x.tasks, func(t *task.Task) bool { return before.Tasks[t.Name] == nil }) {
		result.Tasks, result.General = before.Tasks, before.General
		return keepExtras(r, before, result)
	}
	session, err := openModel("", r.Dir)
	if err != nil {
		return err
	}
	defer session.close()
	if o.limitGiven || o.taskRows != "" {
		if err := o.judge(ctx, x, session, result, s); err != nil || o.limitGiven {
			return err
		}
	} else if err := x.judgeRun(ctx, session, r, result, s); err != nil {
		return err
	}
	return keepExtras(r, before, result)
}

// keepExtras writes the tasks and the text's perplexities of before and result into the run's metrics.json, beside the scores that it
// has.
func keepExtras(r *run.Run, before, result *eval.Result) error {
	if len(before.Tasks)+len(result.Tasks) == 0 && before.General == nil && result.General == nil {
		return nil
	}
	kept, err := readMetrics(r)
	if err != nil {
		return err
	}
	kept.Tasks, kept.General = map[string]*eval.TaskResult{}, before.General
	maps.Copy(kept.Tasks, before.Tasks)
	maps.Copy(kept.Tasks, result.Tasks)
	if result.General != nil {
		kept.General = result.General
	}
	return r.WriteJSON(run.MetricsFile, kept)
}

// readMetrics reads a run's metrics.json; an empty result if there is none.
func readMetrics(r *run.Run) (*eval.Result, error) {
	out, err := readScores(r.Path(run.MetricsFile))
	if err == nil && out == nil {
		out = &eval.Result{Metrics: map[string]float64{}}
	}
	return out, err
}
