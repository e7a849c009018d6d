package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"ft/dataset"
	"ft/eval"
	"ft/generate"
	"ft/internal/keyed"
	"ft/internal/run"
	"ft/internal/ui"
	"ft/trainer"
)

// answerBatch is the number of answers decoded at a time.
const answerBatch = 16

// place is an answer's: the index of its row, and which of the row's samples it is.
type place struct{ row, sample int }

// answer generates answers to rows and hands each on as it is finished. Rows whose prompt leaves no room in the model's context
// get empty ones. Only answers that are wanted are generated.
func (s *session) answer(ctx context.Context, rows []dataset.Row, system string, how eval.Answering, wanted func(place) bool, done func(p place, text string) error) error {
	prompts := make([][]int32, 0, len(rows))
	at := make([]int, 0, len(rows))
	for i, r := range rows {
		ids, err := s.format.PromptIDs(r, system)
		if err != nil {
			return err
		}
		if len(ids) > 0 && len(ids) < s.base.Model.Room() {
			prompts, at = append(prompts, ids), append(at, i)
			continue
		}
		for k := range how.Samples {
			if p := (place{i, k}); wanted(p) {
				if err := done(p, ""); err != nil {
					return err
				}
			}
		}
	}
	// The longest first: what is left when the last prompts are read is short, and memory is at its highest at the beginning.
	order := make([]int, len(prompts))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return len(prompts[order[a]]) > len(prompts[order[b]]) })
	sorted, o := make([][]int32, len(prompts)), s.decoding(how)
	o.Keys = make([]uint64, len(prompts))
	for i, p := range order {
		sorted[i], o.Keys[i] = prompts[p], keyed.Name(rows[at[p]].ID)
	}
	placeOf := func(prompt, sample int) place { return place{at[order[prompt]], sample} }
	o.Skip = func(prompt, sample int) bool { return !wanted(placeOf(prompt, sample)) }
	return generate.Answers(ctx, s.base.Model, sorted, o, func(a generate.Answer) error {
		return done(placeOf(a.Prompt, a.Sample), s.text(a.IDs, how.Stop))
	})
}

// text is an answer's ids as text up to the first of the stops, without special tokens and white space around it.
func (s *session) text(ids []int32, stops []string) string {
	return strings.TrimSpace(generate.Cut(s.decode(ids, true), stops))
}

// decode turns ids into text; into nothing when the base has no tokenizer.
func (s *session) decode(ids []int32, skipSpecial bool) string {
	if s.base.Tokenizer == nil {
		return ""
	}
	return s.base.Tokenizer.Decode(ids, skipSpecial)
}

// evaluation scores generated answers to rows.
type evaluation struct {
	session *session
	open    func() (*session, error) // makes the session once it is needed, if there is none yet
	rows    []dataset.Row
	system  string
	how     eval.Answering
	metrics []eval.Metric
	// bootstrap is for the intervals and the comparison with the base.
	bootstrap eval.Bootstrap
	streams   ui.Streams
	// baseAnswers is a file of answers that the base may have given to the rows already; empty for none.
	baseAnswers string
	again       bool // do not use answers that are there
	partial     bool // rows are only some of those that the run's files are for
}

// side is one of the two models that are compared.
type side struct {
	base  bool // the model without the adapter
	label string
	file  string // of its answers in a run
}

var (
	baseSide  = side{true, "answering with the base", basePredictionsFile}
	tunedSide = side{false, "answering with the tuned model", run.PredictionsFile}
)

// basePredictionsFile holds the base's answers, beside the tuned model's.
const basePredictionsFile = run.BasePredictionsFile

// run answers all rows that k has no answer to, keeps the answers there as they are finished (unless k is nil), and scores all.
func (e *evaluation) run(ctx context.Context, side side, k *kept) (*eval.Result, error) {
	samples := e.how.Samples
	pairs, missing := make([]eval.Pair, len(e.rows)*samples), map[place]bool{}
	for i, r := range e.rows {
		for s := range samples {
			text, ok := k.text(place{i, s})
			pairs[i*samples+s] = eval.Pair{Prediction: text, References: []string{r.Reference()}}
			if !ok {
				missing[place{i, s}] = true
			}
		}
	}
	err := e.fill(ctx, side, missing, len(pairs), func(p place, text string) error {
		pairs[p.row*samples+p.sample].Prediction = text
		return k.add(p, text)
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, trainer.ErrInterrupted
		}
		return nil, err
	}
	if err := k.finish(pairs); err != nil {
		return nil, err
	}
	found, err := e.ask(ctx, side)
	if err != nil {
		return nil, err
	}
	result, err := eval.EvaluateSamples(e.metrics, pairs, samples, found)
	if err != nil {
		return nil, err
	}
	result.Decoding = &e.how
	return result, nil
}

// fill generates the answers that are missing of all. Without any the model is not even opened.
func (e *evaluation) fill(ctx context.Context, side side, missing map[place]bool, all int, done func(p place, text string) error) error {
	if len(missing) == 0 {
		return nil
	}
	return e.as(side, func() error {
		progress := ui.NewProgress(e.streams, all, side.label)
		defer progress.Done()
		progress.Step(all - len(missing))
		wanted := func(p place) bool { return missing[p] }
		return e.session.answer(ctx, e.rows, e.system, e.how, wanted, func(p place, text string) error {
			progress.Step(1)
			return done(p, text)
		})
	})
}

// as runs f with the session opened, as one of the sides.
func (e *evaluation) as(side side, f func() error) error {
	if e.session == nil {
		var err error
		if e.session, err = e.open(); err != nil {
			return err
		}
	}
	if side.base {
		return e.session.untuned(f)
	}
	return f()
}

// sideBySide answers the rows with the base and with the tuned model. Answers and scores go into the run's directory; prefix begins
// the names of their files. Answers that are there are used, so that what was interrupted goes on.
func (e *evaluation) sideBySide(ctx context.Context, r *run.Run, prefix string) (*eval.Result, error) {
	if err := os.MkdirAll(filepath.Dir(r.Path(prefix+run.MetricsFile)), 0o777); err != nil {
		return nil, err
	}
	stamps, err := e.stamps(r)
	if err != nil {
		return nil, err
	}
	half := func(side side, stamp string) (*eval.Result, error) {
		k, err := e.keep(r, prefix+side.file, stamp)
		if err != nil {
			return nil, err
		}
		if side.base && e.baseAnswers != "" {
			if err := k.read(e.baseAnswers); err != nil {
				return nil, errors.Join(err, k.close())
			}
		}
		result, err := e.run(ctx, side, k)
		return result, errors.Join(err, k.close())
	}
	base, err := half(baseSide, stamps.base)
	if err == nil {
		var tuned *eval.Result
		if tuned, err = half(tunedSide, stamps.tuned); err == nil {
			return tuned, e.conclude(r, prefix, tuned, base)
		}
	}
	if errors.Is(err, trainer.ErrInterrupted) {
		next := "the same command"
		if e.open == nil { // at the end of training
			next = "ft eval " + r.Dir
		}
		e.streams.Note("the answers so far are kept; %s goes on from there", next)
	}
	return nil, err
}

// conclude compares the two sides and writes what came out, beside what the run has of other metrics of the same answers.
func (e *evaluation) conclude(r *run.Run, prefix string, tuned, base *eval.Result) error {
	if err := tuned.Against(base, e.bootstrap); err != nil || e.partial {
		return err
	}
	written := tuned // what is printed has the metrics that were asked for
	if !e.again {
		old, err := readScores(r.Path(prefix + run.MetricsFile))
		if err != nil {
			return err
		}
		written = tuned.With(old)
	}
	return r.WriteJSON(prefix+run.MetricsFile, written)
}

// readScores reads scores that were written before; nil if there are none.
func readScores(path string) (*eval.Result, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r eval.Result
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &r, nil
}
