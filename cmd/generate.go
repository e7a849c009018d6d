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
	decoding                   decodingFlags
	how                        eval.Answering
}

func newGenerateCmd(s *ui.Streams) *cobra.Command {
	var o generateFlags
	c := &cobra.Command{
		Use:   "generate --base BASE [--adapter ADAPTER] [--prompt TEXT | --file FILE.jsonl]",
		Short: "Answer questions with a model",
		Long: `Answer questions with a model, with or without an adapter: the likeliest token after the other, up to the end of the turn, or with
--temperature tokens that are drawn. A drawn answer depends on --seed and the question's place in the file, not on what is answered with it.

The question is --prompt, or else all of standard input. It goes through the model's chat template, or the one that the
adapter was trained with. With --file each row is a question of its own: {"question": …}, {"prompt": …}, {"instruction": …,
"input": …} or {"messages": [{"role": …, "content": …}, …]}, whose last turn is dropped if it is the assistant's; answers
that rows bring along are not looked at. A row {"ids": […]} is a prompt in tokens, taken as it is. Answers come in the
order of the rows; with --json as {"id", "prompt", "prediction", "ids"}, id where the row has one, "sample" (from 0 on) with --samples, and "decoding" unless
answers are greedy.

What a model says is for testing software, not medical advice.`,
		Example: `  ft generate --base model.gguf --prompt "What is asthma?"
  ft generate --adapter runs/latest --file questions.jsonl --json --max-new 64
  ft generate --adapter runs/latest --prompt "What is asthma?" --temperature 0.7 --top-p 0.9 --samples 3`,
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
	o.decoding.add(f, "")
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
	d, err := o.decoding.over(eval.DefaultDecoding())
	o.how = eval.Config{Decoding: d, MaxNewTokens: o.maxNew}.Answering()
	return err
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
	progress := ui.NewProgress(*s, len(questions)*o.how.Samples, "answering")
	options := session.decoding(o.how)
	options.Batch = o.batch
	begin, tokens := time.Now(), 0
	err = session.answerInOrder(ctx, questions, options, func(q question, sample int, ids []int32) error {
		tokens += len(ids)
		progress.Step(1)
		return write(q, sample, ids)
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
	row := dataset.Row{File: r.at}
	var err error
	if r.has("messages") {
		row.Messages, err = readTurns(r)
	} else {
		var text string
		text, err = questionText(r)
		row.Messages = []dataset.Message{{Role: "user", Content: text}}
	}
	if err == nil && r.has("system") && jsonKind(r.fields["system"]) != "null" {
		var system string
		system, err = r.text("system")
		row.Messages = row.Prompt(system)
	}
	if err == nil && strings.TrimSpace(row.Question()) == "" {
		err = r.bad("the question is empty")
	}
	return row, err
}

// questionText is the question of a row without messages.
func questionText(r jsonRow) (string, error) {
	switch {
	case r.has("question"):
		return r.text("question")
	case r.has("prompt"):
		return r.text("prompt")
	case !r.has("instruction"):
		return "", r.bad(`expected "question", "prompt", "instruction", "messages" or "ids"`)
	}
	text, err := r.text("instruction")
	if err != nil || !r.has("input") || jsonKind(r.fields["input"]) == "null" {
		return text, err
	}
	input, err := r.text("input")
	if strings.TrimSpace(input) != "" {
		text += "\n" + input
	}
	return text, err
}

// readTurns is the conversation of a row up to where an answer is due.
func readTurns(r jsonRow) ([]dataset.Message, error) {
	var turns []struct {
		Role    *string `json:"role"`
		Content *string `json:"content"`
	}
	if err := json.Unmarshal(r.fields["messages"], &turns); err != nil {
		return nil, r.bad(`field "messages": expected a list of {role, content}: %w`, err)
	}
	out := make([]dataset.Message, len(turns))
	for i, m := range turns {
		if m.Role == nil || m.Content == nil {
			return nil, r.bad("messages[%d]: expected role and content, both text", i)
		}
		if !slices.Contains(dataset.Roles, *m.Role) {
			return nil, r.bad("messages[%d]: role %q: expected one of %s", i, *m.Role, strings.Join(dataset.Roles, ", "))
		}
		out[i] = dataset.Message{Role: *m.Role, Content: *m.Content}
	}
	if n := len(out); n > 0 && out[n-1].Role == "assistant" {
		out = out[:n-1]
	}
	return out, nil
}

// answerInOrder answers questions and hands the answers' ids to done in the order of the questions, and of their samples.
func (s *session) answerInOrder(ctx context.Context, questions []question, o generate.Options, done func(q question, sample int, ids []int32) error) error {
	prompts := make([][]int32, len(questions))
	for i, q := range questions {
		prompts[i] = q.ids
	}
	samples := max(1, o.Samples)
	early := map[int][]int32{} // finished before one in front of them
	next := 0
	err := generate.Answers(ctx, s.base.Model, prompts, o, func(a generate.Answer) error {
		early[a.Prompt*samples+a.Sample] = a.IDs
		for {
			ids, ok := early[next]
			if !ok {
				return nil
			}
			delete(early, next)
			next++
			if err := done(questions[(next-1)/samples], (next-1)%samples, ids); err != nil {
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
	Sample     *int            `json:"sample,omitempty"`
	Decoding   *eval.Answering `json:"decoding,omitempty"`
}

// writer returns what writes an answer to stdout: as JSON; bare for the one question of a person; with the question above
// for those of a file. One of several samples has its number above.
func (o *generateFlags) writer(session *session, s *ui.Streams) func(q question, sample int, ids []int32) error {
	if o.json {
		write := lineWriter(s.Out)
		return func(q question, sample int, ids []int32) error {
			row := answerRow{ID: q.id, Prompt: q.prompt, Prediction: session.text(ids, o.how.Stop), IDs: slices.Concat([]int32{}, ids), Decoding: special(o.how)}
			if o.how.Samples > 1 {
				row.Sample = &sample
			}
			return write(row)
		}
	}
	return func(q question, sample int, ids []int32) error {
		text := ui.Escape(session.text(ids, o.how.Stop)) + "\n"
		if o.how.Samples > 1 {
			text = fmt.Sprintf("[%d]\n", sample) + text
		}
		if o.file != "" && sample == 0 {
			text = "> " + strings.ReplaceAll(ui.Escape(q.prompt), "\n", "\n> ") + "\n" + text
		}
		if o.file != "" {
			text += "\n"
		}
		_, err := io.WriteString(s.Out, text)
		return err
	}
}
