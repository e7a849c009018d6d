package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ft/dataset"
	"ft/eval"
	"ft/generate"
	"ft/internal/ui"
	"ft/trainer"
)

// generateFlags are the flags of ft generate.
type generateFlags struct {
	base, prompt, file, system string
	adapters                   []string
	maxNew, limit, batch       int
	json                       bool
	systemGiven                bool
}

func newGenerateCmd(s *ui.Streams) *cobra.Command {
	var o generateFlags
	c := &cobra.Command{
		Use:   "generate --base BASE [--adapter ADAPTER] [--prompt TEXT | --file FILE.jsonl]",
		Short: "Answer questions with a model",
		Long: `Answer questions with a model, with or without an adapter: the likeliest token after the other, up to the end of the turn.

The question is --prompt, or else all of standard input. It goes through the model's chat template, or the one that the
adapter was trained with. With --file each row is a question of its own: {"question": …}, {"prompt": …}, {"instruction": …,
"input": …} or {"messages": [{"role": …, "content": …}, …]}, whose last turn is dropped if it is the assistant's; answers
that rows bring along are not looked at. A row {"ids": […]} is a prompt in tokens, taken as it is. Answers come in the
order of the rows; with --json as {"id", "prompt", "prediction", "ids"}, id where the row has one.

What a model says is for testing software, not medical advice.`,
		Example: `  ft generate --base model.gguf --prompt "What is asthma?"
  ft generate --adapter runs/latest --file questions.jsonl --json --max-new 64`,
		Args: cobra.NoArgs,
		PreRunE: func(c *cobra.Command, _ []string) error {
			o.systemGiven = c.Flags().Changed("system")
			return o.check(c)
		},
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	f := c.Flags()
	f.StringVar(&o.base, "base", "", "the model: a directory or a .gguf file (default: the one the adapter names)")
	f.StringArrayVar(&o.adapters, "adapter", nil, "an adapter's directory, or a run's; of several LoRA adapters the sum is used")
	f.StringVar(&o.prompt, "prompt", "", "the question")
	f.StringVar(&o.file, "file", "", "JSON lines of questions; - is standard input")
	f.StringVar(&o.system, "system", "", "system message of questions without one (default: the one of the adapter's training)")
	f.IntVar(&o.maxNew, "max-new", eval.Default().MaxNewTokens, "tokens of an answer at the most")
	f.IntVar(&o.limit, "limit", 0, "answer the first rows of the file only; 0: all")
	f.IntVar(&o.batch, "batch", answerBatch, "answers written side by side; they do not depend on it")
	f.BoolVar(&o.json, "json", false, "one JSON object an answer on stdout")
	c.MarkFlagsOneRequired("base", "adapter")
	c.MarkFlagsMutuallyExclusive("prompt", "file")
	return c
}

// check finds wrong flags.
func (o *generateFlags) check(c *cobra.Command) error {
	switch {
	case o.maxNew < 1:
		return fmt.Errorf("--max-new: must be 1 or more, got %d", o.maxNew)
	case o.batch < 1:
		return fmt.Errorf("--batch: must be 1 or more, got %d", o.batch)
	case o.limit < 0:
		return fmt.Errorf("--limit: must be 0 or more, got %d", o.limit)
	case o.limit > 0 && o.file == "":
		return errors.New("--limit is for --file")
	case c.Flags().Changed("prompt") && strings.TrimSpace(o.prompt) == "":
		return errors.New("--prompt: the question is empty")
	}
	return nil
}

func (o *generateFlags) run(ctx context.Context, s *ui.Streams) error {
	session, err := openStacked(o.adapters, o.base, *s)
	if err != nil {
		return err
	}
	defer session.close()
	if session.base.Tokenizer != nil { // without one the model still takes rows of ids
		if session.format, err = session.base.Format(); err != nil {
			return err
		}
	}
	if !o.systemGiven {
		o.system = session.meta.System
	}
	questions, err := o.questions(session, s)
	if err != nil {
		return err
	}
	write := o.writer(session, s)
	progress := ui.NewProgress(*s, len(questions), "answering")
	options := session.decoding(o.maxNew)
	options.Batch = o.batch
	begin, tokens := time.Now(), 0
	err = session.answerInOrder(ctx, questions, options, func(q question, ids []int32) error {
		tokens += len(ids)
		progress.Step(1)
		return write(q, ids)
	})
	progress.Done()
	if seconds := time.Since(begin).Seconds(); err == nil {
		s.Detail("%d tokens in %.2f s: %.1f tokens/s, prompts included", tokens, seconds, float64(tokens)/max(seconds, 1e-9))
	}
	return err
}

// question is a prompt and where it came from.
type question struct {
	id     json.RawMessage // nil if the row has none
	at     string          // file:line, or what else names it
	prompt string          // as people read it
	ids    []int32
}

// questions reads and tokenizes everything there is to answer.
func (o *generateFlags) questions(session *session, s *ui.Streams) ([]question, error) {
	if o.file == "" {
		q, err := o.question(session, s)
		return []question{q}, err
	}
	var list []question
	err := eachRow(o.file, s.In, func(r jsonRow) error {
		q, err := session.ask(r, o.system)
		list = append(list, q)
		if err == nil && len(list) == o.limit {
			return errEnough
		}
		return err
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: no rows", o.file)
	}
	return list, nil
}

// errEnough ends reading at --limit.
var errEnough = errors.New("enough rows")

// question is the one of --prompt or standard input.
func (o *generateFlags) question(session *session, s *ui.Streams) (question, error) {
	text, at := o.prompt, "--prompt"
	if text == "" {
		at = "stdin"
		if f, ok := s.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			s.Note("type the question, then end the input (Ctrl-D, on Windows Ctrl-Z and Enter)")
		}
		all, err := io.ReadAll(s.In)
		if err != nil {
			return question{}, fmt.Errorf("stdin: %w", err)
		}
		if text = strings.TrimSpace(string(all)); text == "" {
			return question{}, errors.New("stdin: no question; give --prompt, --file, or a question on standard input")
		}
	}
	row := dataset.Row{File: at, Line: 1, Messages: []dataset.Message{{Role: "user", Content: text}}}
	return session.prepareQuestion(question{at: at, prompt: text}, row, o.system)
}

// ask reads a row of --file.
func (s *session) ask(r jsonRow, system string) (question, error) {
	q := question{at: r.at}
	if id, ok := r.fields["id"]; ok && (id[0] == '"' || jsonKind(id) == "a number") {
		q.id = id
	}
	if r.has("ids") {
		ids, err := r.ids("ids")
		if err != nil {
			return q, err
		}
		q.ids, q.prompt = ids, s.decode(ids, false)
		return q, q.check(s)
	}
	row, err := readQuestion(r)
	if err != nil {
		return q, err
	}
	q.prompt = row.Question()
	return s.prepareQuestion(q, row, system)
}

// prepareQuestion tokenizes a question as the base's template lays it out.
func (s *session) prepareQuestion(q question, row dataset.Row, system string) (question, error) {
	if s.base.Tokenizer == nil {
		return q, fmt.Errorf("%s: only \"ids\" can be answered: %s has no tokenizer.json", q.at, s.base.Path)
	}
	var err error
	if q.ids, err = s.format.PromptIDs(row, system); err != nil {
		return q, err
	}
	return q, q.check(s)
}

// check refuses a prompt that the model cannot take.
func (q question) check(s *session) error {
	spec := s.base.Model.Spec
	if len(q.ids) == 0 {
		return fmt.Errorf("%s: the prompt has no tokens", q.at)
	}
	if len(q.ids) >= s.base.Model.Room() {
		return fmt.Errorf("%s: the prompt has %d tokens, which leaves no room for an answer in %s", q.at, len(q.ids), s.positions())
	}
	for _, id := range q.ids {
		if id < 0 || int(id) >= spec.Vocab {
			return fmt.Errorf("%s: token id %d is not in the vocabulary of %d", q.at, id, spec.Vocab)
		}
	}
	return nil
}

// readQuestion reads a row of any of the shapes that the dataset package knows, whose answer may be missing.
func readQuestion(r jsonRow) (dataset.Row, error) {
	row, err := dataset.Question(r.fields)
	if err != nil {
		return row, r.bad("%w", err)
	}
	row.File = r.at
	if strings.TrimSpace(row.Question()) == "" {
		return row, r.bad("the question is empty")
	}
	return row, nil
}

// answerInOrder answers questions and hands the answers' ids to done in the order of the questions.
func (s *session) answerInOrder(ctx context.Context, questions []question, o generate.Options, done func(q question, ids []int32) error) error {
	prompts := make([][]int32, len(questions))
	for i, q := range questions {
		prompts[i] = q.ids
	}
	early := map[int][]int32{} // finished before one in front of them
	next := 0
	err := generate.Greedy(ctx, s.base.Model, prompts, o, func(i int, ids []int32) error {
		early[i] = ids
		for {
			ids, ok := early[next]
			if !ok {
				return nil
			}
			delete(early, next)
			next++
			if err := done(questions[next-1], ids); err != nil {
				return err
			}
		}
	})
	if ctx.Err() != nil {
		return trainer.ErrInterrupted
	}
	return err
}

// answerRow is an answer as --json tells it.
type answerRow struct {
	ID         json.RawMessage `json:"id,omitempty"`
	Prompt     string          `json:"prompt"`
	Prediction string          `json:"prediction"`
	IDs        []int32         `json:"ids"`
}

// writer returns what writes an answer to stdout: as JSON; bare for the one question of a person; with the question above
// for those of a file.
func (o *generateFlags) writer(session *session, s *ui.Streams) func(q question, ids []int32) error {
	if o.json {
		write := lineWriter(s.Out)
		return func(q question, ids []int32) error {
			return write(answerRow{q.id, q.prompt, session.text(ids), slices.Concat([]int32{}, ids)})
		}
	}
	return func(q question, ids []int32) error {
		text := ui.Escape(session.text(ids)) + "\n"
		if o.file != "" {
			text = "> " + strings.ReplaceAll(ui.Escape(q.prompt), "\n", "\n> ") + "\n" + text + "\n"
		}
		_, err := io.WriteString(s.Out, text)
		return err
	}
}
