package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"

	"ft/dataset"
	"ft/eval"
	"ft/generate"
	"ft/internal/run"
	"ft/internal/ui"
	"ft/trainer"
)

// answerBatch is the number of answers decoded at a time.
const answerBatch = 16

// answer generates an answer to each row and hands it on as it is finished, with the row's index. Rows whose prompt
// leaves no room in the model's context get an empty answer.
func (s *session) answer(ctx context.Context, rows []dataset.Row, system string, maxNew int, done func(i int, text string) error) error {
	prompts := make([][]int32, 0, len(rows))
	at := make([]int, 0, len(rows))
	for i, r := range rows {
		ids, err := s.format.PromptIDs(r, system)
		if err != nil {
			return err
		}
		if len(ids) == 0 || len(ids) >= s.base.Model.Room() {
			if err := done(i, ""); err != nil {
				return err
			}
			continue
		}
		prompts, at = append(prompts, ids), append(at, i)
	}
	// Like lengths side by side waste the least.
	order := make([]int, len(prompts))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return len(prompts[order[a]]) < len(prompts[order[b]]) })
	sorted := make([][]int32, len(prompts))
	for i, p := range order {
		sorted[i] = prompts[p]
	}
	return generate.Greedy(ctx, s.base.Model, sorted, s.decoding(maxNew), func(i int, ids []int32) error {
		return done(at[order[i]], s.text(ids))
	})
}

// decoding bounds answers of at most maxNew tokens.
func (s *session) decoding(maxNew int) generate.Options {
	return generate.Options{
		MaxNew: maxNew, Stops: s.base.Stops(s.format), Context: s.base.Model.Room(), Batch: answerBatch,
	}
}

// text is an answer's ids as text, without special tokens and white space around it.
func (s *session) text(ids []int32) string {
	return strings.TrimSpace(s.decode(ids, true))
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
	rows    []dataset.Row
	system  string
	maxNew  int
	metrics []eval.Metric
	// bootstrap is for the intervals and the comparison with the base.
	bootstrap eval.Bootstrap
	streams   ui.Streams
	// baseAnswers is a file of answers that the base has given to the rows already; empty for none.
	baseAnswers string
}

// run answers all rows, writes them to out in the order they are finished (unless out is nil), and scores them.
func (e *evaluation) run(ctx context.Context, label string, out *run.Rows) (*eval.Result, error) {
	pairs := make([]eval.Pair, len(e.rows))
	progress := ui.NewProgress(e.streams, len(e.rows), label)
	err := e.session.answer(ctx, e.rows, e.system, e.maxNew, func(i int, text string) error {
		r := e.rows[i]
		pairs[i] = eval.Pair{Prediction: text, References: []string{r.Answer}}
		progress.Step(1)
		if out == nil {
			return nil
		}
		return out.Write(run.Prediction{ID: r.ID, Prompt: r.Question(), Prediction: text, Reference: r.Answer})
	})
	progress.Done()
	if err != nil {
		if ctx.Err() != nil {
			return nil, trainer.ErrInterrupted
		}
		return nil, err
	}
	return eval.Evaluate(e.metrics, pairs)
}

// sideBySide answers the rows with the base and with the tuned model. Answers and scores go into the run's directory, unless r is
// nil; prefix begins the names of their files.
func (e *evaluation) sideBySide(ctx context.Context, r *run.Run, prefix string) (*eval.Result, error) {
	answer := func(label, file string) (*eval.Result, error) {
		if r == nil {
			return e.run(ctx, label, nil)
		}
		out, err := r.Replace(prefix + file)
		if err != nil {
			return nil, err
		}
		result, err := e.run(ctx, label, out)
		return result, errors.Join(err, out.Close())
	}
	base, err := e.copyBase(r, prefix)
	if err == nil && base == nil {
		err = e.session.untuned(func() (err error) {
			base, err = answer("answering with the base", basePredictionsFile)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	tuned, err := answer("answering with the tuned model", run.PredictionsFile)
	if err != nil {
		return nil, err
	}
	if err := tuned.Against(base, e.bootstrap); err != nil || r == nil {
		return tuned, err
	}
	return tuned, r.WriteJSON(prefix+run.MetricsFile, tuned)
}

// copyBase takes over the base's answers that another run has, and scores them; nil if it lacks some.
func (e *evaluation) copyBase(r *run.Run, prefix string) (*eval.Result, error) {
	if e.baseAnswers == "" {
		return nil, nil
	}
	pairs, err := e.answered(e.baseAnswers)
	if err != nil || pairs == nil {
		return nil, err
	}
	out, err := r.Replace(prefix + basePredictionsFile)
	if err != nil {
		return nil, err
	}
	for i, row := range e.rows {
		p := run.Prediction{ID: row.ID, Prompt: row.Question(), Prediction: pairs[i].Prediction, Reference: row.Answer}
		if err := out.Write(p); err != nil {
			return nil, errors.Join(err, out.Close())
		}
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return eval.Evaluate(e.metrics, pairs)
}

// answered pairs the rows with the answers in a file; nil if it lacks some.
func (e *evaluation) answered(file string) ([]eval.Pair, error) {
	have, err := readAnswers(file)
	if err != nil {
		return nil, err
	}
	pairs := make([]eval.Pair, len(e.rows))
	for i, row := range e.rows {
		text, ok := have[row.ID]
		if !ok {
			return nil, nil
		}
		pairs[i] = eval.Pair{Prediction: text, References: []string{row.Answer}}
	}
	return pairs, nil
}

// basePredictionsFile holds the base's answers, beside the tuned model's.
const basePredictionsFile = "predictions-base.jsonl"

// readAnswers reads the answers of a predictions file by row id; none if there is no file.
func readAnswers(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	answers := map[string]string{}
	for line := range strings.Lines(string(data)) {
		var p run.Prediction
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", path, len(answers)+1, err)
		}
		answers[p.ID] = p.Prediction
	}
	return answers, nil
}
