package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ft/dataset"
	"ft/eval"
	"ft/internal/run"
	"ft/internal/ui"
)

func newEvalCmd(s *ui.Streams) *cobra.Command {
	var o evalFlags
	c := &cobra.Command{
		Use:   "eval [RUN]",
		Short: "Score a run's best adapter beside its base, or a file of predictions",
		Long: `Answer the test part of a run (the newest by default) with its base and with its best adapter, and score both. Answers that the
run has already, by the same model and settings to the same prompt, are scored as they are, so an evaluation that was interrupted goes
on where it stopped; --again generates them anew. With other settings than the run's config (--temperature, --max-new, …) answers and
scores go into a folder of their own, RUN/evaluations/….

The run's page, report.html, is made again. The run keeps the scores of metrics that were asked for before.

With --predictions, score a JSONL file of {"prediction", "references"} rows without any model.
With --base, --adapter and --data, score any adapter on any data file.

With --task, let base and tuned model do a multiple-choice or log-likelihood task in the manner of LM Evaluation Harness, whose YAML
files it reads; docs/tasks.md describes them. With --general, ask how likely they find a text. Without --metric nothing else is
scored then.

Metrics, with the options that may follow a name:
` + eval.Help() + `
bleu and rouge look at the references' script: Chinese text is cut into characters, and the signature says so. docs/metrics.md
tells what each metric is and which to take.`,
		Example: `  ft eval --metric rouge
  ft eval runs/med-20261123-140501 --metric bleu,rouge:stem --split val --limit 100
  ft eval --predictions answers.jsonl --metric bleu:zh --json
  ft eval --base model.gguf --task configs/tasks/med_terms.yaml
  ft eval runs/latest --task configs/tasks/med_terms.yaml --general prose.txt`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), args, *s) },
	}
	f := c.Flags()
	f.StringVar(&o.metric, "metric", "", "comma-separated metrics (default: those of the run's config)")
	f.StringVar(&o.split, "split", "test", "part to answer: test or val")
	f.IntVar(&o.limit, "limit", 0, "answer only so many rows, 0: all (default: the config's eval.limit)")
	f.BoolVar(&o.again, "again", false, "generate answers anew")
	f.StringVar(&o.predictions, "predictions", "", "score this file instead of a model")
	f.StringVar(&o.base, "base", "", "base model, with --data, --task or --general")
	f.StringVar(&o.adapter, "adapter", "", "adapter or run directory, with --data, --task or --general")
	f.StringVar(&o.data, "data", "", "rows to answer, with --adapter")
	f.StringArrayVar(&o.tasks, "task", nil, "a task file; may be given several times")
	f.StringVar(&o.general, "general", "", "a general text or rows: its perplexity before and after tuning")
	f.StringVar(&o.taskRows, "task-rows", "", "write the log-likelihoods of every row of the tasks to this JSONL file")
	f.IntVar(&o.bootstrap.Resamples, "bootstrap", 0, "resamples for the 95 % intervals and the test against the base, 0: none (default: the config's eval.bootstrap)")
	f.Uint64Var(&o.bootstrap.Seed, "bootstrap-seed", 0, "seed of the resamples (default: the config's eval.bootstrap_seed)")
	o.decoding.add(f, " (default of these: the config's eval.decoding)")
	f.IntVar(&o.maxNew, "max-new", 0, "tokens of an answer (default: the config's eval.max_new_tokens)")
	f.StringVar(&o.runs, "runs", "runs", "folder of the runs")
	f.BoolVar(&o.json, "json", false, "one JSON object on stdout")
	c.PreRun = func(c *cobra.Command, _ []string) {
		o.limitGiven = c.Flags().Changed("limit")
		o.resamplesGiven, o.seedGiven = c.Flags().Changed("bootstrap"), c.Flags().Changed("bootstrap-seed")
	}
	return c
}

type evalFlags struct {
	metric, split, predictions, base, adapter, data, runs string
	general, taskRows                                     string
	tasks                                                 []string
	limit, maxNew                                         int
	limitGiven, again, json                               bool
	decoding                                              decodingFlags
	bootstrap                                             eval.Bootstrap
	resamplesGiven, seedGiven                             bool // whether bootstrap's fields were asked for
}

func (o *evalFlags) run(ctx context.Context, args []string, s ui.Streams) error {
	if err := o.check(args); err != nil {
		return err
	}
	var result *eval.Result
	var err error
	switch {
	case o.predictions != "":
		result, err = o.scoreFile()
	case o.data != "":
		result, err = o.scoreData(ctx, s)
	case o.base != "" || o.adapter != "":
		result, err = o.scoreModel(ctx, s)
	default:
		result, err = o.scoreRun(ctx, args, s)
	}
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(s.Out, result)
	}
	_, err = fmt.Fprint(s.Out, result.Table())
	return err
}

func (o *evalFlags) check(args []string) error {
	switch {
	case o.split != "test" && o.split != "val":
		return usageError{fmt.Errorf("--split: must be test or val, got %q", o.split)}
	case o.limit < 0:
		return usageError{fmt.Errorf("--limit: must be 0 or more, got %d", o.limit)}
	case o.maxNew < 0:
		return usageError{fmt.Errorf("--max-new: must be 0 or more, got %d", o.maxNew)}
	case o.predictions != "" && (o.decoding.given() || o.maxNew > 0):
		return usageError{errors.New("--predictions scores answers that are there: leave out what says how answers are written")}
	case o.predictions != "" && (len(args) > 0 || o.data != "" || o.adapter != "" || o.base != "" || o.asksExtras()):
		return usageError{errors.New("--predictions scores a file alone: leave out RUN, --base, --adapter, --data, --task and --general")}
	case o.data != "" && o.base == "" && o.adapter == "":
		return usageError{errors.New("--data goes with --base or --adapter: the model to ask")}
	case (o.base != "" || o.adapter != "") && o.data == "" && !o.asksExtras():
		return usageError{errors.New("--base or --adapter go with --data, the rows to answer, or with --task or --general")}
	case (o.base != "" || o.adapter != "") && len(args) > 0:
		return usageError{errors.New("give either a RUN or --base and --adapter, not both")}
	case o.metric != "" && (o.base != "" || o.adapter != "") && o.data == "":
		return usageError{errors.New("--metric scores answers: give --data, the rows to answer")}
	case o.taskRows != "" && len(o.tasks) == 0:
		return usageError{errors.New("--task-rows goes with --task")}
	}
	if err := o.bootstrap.Validate(); err != nil {
		return usageError{fmt.Errorf("--bootstrap: %w", err)}
	}
	if o.metric != "" {
		if _, err := eval.Parse(o.metric); err != nil {
			return usageError{fmt.Errorf("--metric: %w", err)}
		}
	}
	return nil
}

// metricList parses --metric, or what it defaults to.
func (o *evalFlags) metricList(missing []string) ([]eval.Metric, error) {
	if o.metric != "" {
		return eval.Parse(o.metric)
	}
	return eval.Parse(strings.Join(missing, ","))
}

// resampling is what the flags say of the bootstrap, and c where they say nothing.
func (o *evalFlags) resampling(c eval.Config) eval.Bootstrap {
	b := c.Resampling()
	if o.resamplesGiven {
		b.Resamples = o.bootstrap.Resamples
	}
	if o.seedGiven {
		b.Seed = o.bootstrap.Seed
	}
	return b
}

func (o *evalFlags) scoreFile() (*eval.Result, error) {
	metrics, err := o.metricList(eval.Default().Metrics)
	if err != nil {
		return nil, err
	}
	for _, m := range metrics {
		if m.NeedsModel() {
			return nil, usageError{fmt.Errorf("--metric %s needs a model: give a RUN, or --data with --base or --adapter, instead of --predictions", m.Name)}
		}
	}
	f, err := os.Open(o.predictions)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pairs, err := eval.ReadPredictions(f, o.predictions)
	if err != nil {
		return nil, err
	}
	result, err := eval.Evaluate(metrics, pairs)
	if err == nil {
		result.Intervals(o.resampling(eval.Default()))
	}
	return result, err
}

// asked are the first rows that ask something; all for a limit of 0.
func asked(view dataset.View, limit int) ([]dataset.Row, error) {
	var rows []dataset.Row
	for r, err := range view.All() {
		if err != nil {
			return nil, err
		}
		if limit > 0 && len(rows) == limit {
			break
		}
		if !r.Plain {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return nil, errors.New("the rows are plain texts, which ask nothing: nothing to answer and score")
	}
	return rows, nil
}

// scoreData answers the rows of a file with a base and an adapter, or with a base alone.
func (o *evalFlags) scoreData(ctx context.Context, s ui.Streams) (*eval.Result, error) {
	metrics, err := o.metricList(eval.Default().Metrics)
	if err != nil {
		return nil, err
	}
	c := dataset.Default()
	c.Files = []string{o.data}
	table, report, err := dataset.Load(c, rowSource())
	if err != nil {
		return nil, err
	}
	defer table.Close()
	kept, err := dataset.Clean(table.View(), unnoted(c).Clean, report)
	if err != nil {
		return nil, err
	}
	rows, err := asked(kept, o.limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.data, err)
	}
	how := eval.Default().Answering()
	if how.Decoding, err = o.decoding.over(how.Decoding); err != nil {
		return nil, err
	}
	if o.maxNew > 0 {
		how.MaxNewTokens = o.maxNew
	}
	x, _, err := o.extras(eval.Config{})
	if err != nil {
		return nil, err
	}
	session, err := openSession(o.base, o.adapter)
	if err != nil {
		return nil, err
	}
	defer session.close()
	e := &evaluation{
		session: session, rows: rows, system: session.meta.System, how: how, metrics: metrics, bootstrap: o.resampling(eval.Default()), streams: s,
	}
	var base *eval.Result
	if session.tuned() {
		if base, err = e.run(ctx, baseSide, nil); err != nil {
			return nil, err
		}
	}
	result, err := e.run(ctx, side{label: "answering"}, nil)
	switch {
	case err != nil:
		return nil, err
	case base == nil:
		result.Intervals(e.bootstrap)
	default:
		if err := result.Against(base, e.bootstrap); err != nil {
			return nil, err
		}
	}
	return result, o.judge(ctx, x, session, result, s)
}

// scoreRun scores a run on its test or validation part, by tasks, and on a general text.
func (o *evalFlags) scoreRun(ctx context.Context, args []string, s ui.Streams) (result *eval.Result, err error) {
	ref := ""
	if len(args) > 0 {
		ref = args[0]
	}
	r, err := run.Open(o.runs, ref)
	if err != nil {
		return nil, err
	}
	s.Note("run      %s", r.Dir)
	defer func() {
		if err == nil {
			writeReport(r, s)
		}
	}()
	before, err := readMetrics(r)
	if err != nil {
		return nil, err
	}
	result = &eval.Result{Metrics: map[string]float64{}}
	if o.metric != "" || !o.asksExtras() {
		if result, err = o.answerRun(ctx, r, s); err != nil {
			return nil, err
		}
	}
	return result, o.addExtras(ctx, r, before, result, s)
}

// answerRun scores a run on its test or validation part.
func (o *evalFlags) answerRun(ctx context.Context, r *run.Run, s ui.Streams) (*eval.Result, error) {
	e, prefix, err := o.ofRun(r, s)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e.session != nil {
			e.session.close()
		}
	}()
	return e.sideBySide(ctx, r, prefix)
}

// ofRun is the evaluation that a run's own files and the flags describe, and what the names of its files begin with. It has no session yet.
func (o *evalFlags) ofRun(r *run.Run, s ui.Streams) (e *evaluation, prefix string, err error) {
	c, err := loadRunConfig(r)
	if err != nil {
		return nil, "", err
	}
	how := c.Eval.Answering()
	if how.Decoding, err = o.decoding.over(how.Decoding); err != nil {
		return nil, "", err
	}
	if o.maxNew > 0 {
		how.MaxNewTokens = o.maxNew
	}
	if prefix, err = o.prefix(how, c.Eval.Answering()); err != nil {
		return nil, "", err
	}
	c.Data.Split.Manifest = r.Path(run.SplitFile)
	d, err := loadData(unnoted(c.Data), rowSource())
	if err != nil {
		return nil, "", err
	}
	defer d.close()
	part := d.parts.Test
	if o.split == "val" {
		part = d.parts.Val
	}
	limit := c.Eval.Limit
	if o.limitGiven {
		limit = o.limit
	}
	if part.Len() == 0 {
		return nil, "", fmt.Errorf("%s: the run has no %s part", r.Dir, o.split)
	}
	rows, err := asked(part, limit)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", r.Dir, err)
	}
	e = &evaluation{
		open: func() (*session, error) { return openSession("", r.Dir) },
		rows: rows, system: c.Data.System, how: how, bootstrap: o.resampling(c.Eval), streams: s, again: o.again, partial: o.limitGiven,
	}
	e.metrics, err = o.metricList(c.Eval.Metrics)
	return e, prefix, err
}

// prefix begins the names of the files of an evaluation: nothing for the test part and the run's own settings.
func (o *evalFlags) prefix(how, own eval.Answering) (string, error) {
	prefix := ""
	mine, err := digest(how)
	if err != nil {
		return "", err
	}
	if usual, err := digest(own); err != nil || usual != mine {
		prefix = "evaluations/" + mine[:8] + "/"
	}
	if o.split != "test" {
		prefix += o.split + "-"
	}
	return prefix, nil
}
