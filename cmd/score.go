package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"ft/dataset"
	"ft/generate"
	"ft/internal/kernels"
	"ft/internal/likelihood"
	"ft/internal/ui"
	"ft/model"
	"ft/trainer"
)

// scoreFlags are the flags of ft score.
type scoreFlags struct {
	base, adapter, file string
	top                 int
	json                bool
}

func newScoreCmd(s *ui.Streams) *cobra.Command {
	var o scoreFlags
	c := &cobra.Command{
		Use:   "score --base BASE [--adapter ADAPTER] --file FILE.jsonl",
		Short: "Tell how likely a model finds given tokens or texts",
		Long: `Tell how likely a model finds given tokens or texts: log-probabilities, the likeliest tokens, the loss.

A row is one of
  {"ids": […]}                    every token but the first is scored
  {"ids": […], "labels": […]}     label i is scored as the token at place i; -100 is not scored, nor is the first
  {"text": …}                     as ids, with the special tokens that the tokenizer puts around a text, such as BOS
  {"prompt": …, "completion": …}  the two joined, tokenized as a text is; the completion's tokens are scored
No chat template is applied; a text may spell its special tokens.

With --json each row gives {"loss": nats per scored token, "tokens": how many, "logprobs": […], "argmax": […], "top":
[[[id, logprob], …], …]}, where entry i of a list tells of the prediction of token i+1. The loss of a row without scored
tokens is null. Arithmetic is in 32-bit floats, the normalisation of the probabilities in 64-bit ones.`,
		Example: `  ft score --base model.gguf --file texts.jsonl
  ft score --base model.gguf --adapter runs/latest --file choices.jsonl --json --top 5`,
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if o.top < 0 {
				return fmt.Errorf("--top: must be 0 or more, got %d", o.top)
			}
			if o.top > 0 && !o.json {
				return errors.New("--top is for --json")
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	f := c.Flags()
	f.StringVar(&o.base, "base", "", "the model: a directory or a .gguf file (default: the one the adapter names)")
	f.StringVar(&o.adapter, "adapter", "", "an adapter's directory, or a run's")
	f.StringVar(&o.file, "file", "", "JSON lines to score; - is standard input")
	f.IntVar(&o.top, "top", 0, "how many of the likeliest tokens to tell at each position")
	f.BoolVar(&o.json, "json", false, "one JSON object a row on stdout")
	c.MarkFlagRequired("file")
	c.MarkFlagsOneRequired("base", "adapter")
	return c
}

func (o *scoreFlags) run(ctx context.Context, s *ui.Streams) error {
	session, err := openModel(o.base, o.adapter)
	if err != nil {
		return err
	}
	defer session.close()
	session.base.Model.SetPrecision(kernels.F32)
	progress := ui.NewProgress(*s, 0, "scored rows")
	total := scoreTotal{}
	write := lineWriter(s.Out)
	err = eachRow(o.file, s.In, func(r jsonRow) error {
		if ctx.Err() != nil {
			return trainer.ErrInterrupted
		}
		q, err := session.toScore(r)
		if err != nil {
			return err
		}
		score, err := q.score(session.base.Model, o.top)
		if err != nil {
			return r.bad("%w", err)
		}
		progress.Step(1)
		total.add(score)
		if o.json {
			return write(score)
		}
		return nil
	})
	progress.Done()
	if err != nil || o.json {
		return err
	}
	return total.print(s.Out)
}

// scoring is a row to score.
type scoring struct {
	ids    []int32 // [T]
	labels []int32 // [T] not shifted: labels[i] is what position i-1 should predict, or dataset.Ignore
}

// toScore reads a row, whatever its shape.
func (s *session) toScore(r jsonRow) (q scoring, err error) {
	switch {
	case r.has("ids"):
		q, err = idsToScore(r)
	case s.base.Tokenizer == nil:
		err = r.bad("only \"ids\" can be scored: %s has no tokenizer.json", s.base.Path)
	case r.has("text"):
		q, err = s.textToScore(r)
	case r.has("prompt") || r.has("completion"):
		q, err = s.completionToScore(r)
	default:
		err = r.bad(`expected "ids", "text", or "prompt" and "completion"`)
	}
	if err != nil {
		return q, err
	}
	return q, q.check(r, s)
}

func idsToScore(r jsonRow) (scoring, error) {
	ids, err := r.ids("ids")
	if err != nil || !r.has("labels") {
		return scoring{ids, ids}, err
	}
	labels, err := r.ids("labels")
	if err == nil && len(labels) != len(ids) {
		err = r.bad("%d labels for %d ids", len(labels), len(ids))
	}
	return scoring{ids, labels}, err
}

func (s *session) textToScore(r jsonRow) (scoring, error) {
	text, err := r.text("text")
	ids := s.base.Tokenizer.Encode(text, true)
	return scoring{ids, ids}, err
}

// completionToScore labels the completion: the tokens behind as many as the prompt alone has. Tokens that the tokenizer
// puts behind the whole are not scored.
func (s *session) completionToScore(r jsonRow) (scoring, error) {
	prompt, err := r.text("prompt")
	if err != nil {
		return scoring{}, err
	}
	completion, err := r.text("completion")
	if err != nil {
		return scoring{}, err
	}
	t := s.base.Tokenizer
	bare, ids := t.Encode(prompt+completion, false), t.Encode(prompt+completion, true)
	begin := 0 // tokens in front of the text
	for begin+len(bare) < len(ids) && !slices.Equal(ids[begin:begin+len(bare)], bare) {
		begin++
	}
	labels := slices.Repeat([]int32{dataset.Ignore}, len(ids))
	from, to := begin+len(t.Encode(prompt, false)), begin+len(bare)
	if from < to {
		copy(labels[from:to], ids[from:to])
	}
	return scoring{ids, labels}, nil
}

// check refuses what the model cannot take.
func (q scoring) check(r jsonRow, s *session) error {
	spec := &s.base.Model.Spec
	if len(q.ids) == 0 {
		return r.bad("no tokens")
	}
	if len(q.ids) > s.base.Model.Room() {
		return r.bad("%d tokens, more than %s", len(q.ids), s.positions())
	}
	for i, id := range q.ids {
		if id < 0 || int(id) >= spec.Vocab {
			return r.bad("entry %d is %d, the model has %d tokens", i, id, spec.Vocab)
		}
	}
	for i, l := range q.labels {
		if l != dataset.Ignore && (l < 0 || int(l) >= spec.Vocab) {
			return r.bad("labels: entry %d is %d, expected a token id below %d or %d", i, l, spec.Vocab, dataset.Ignore)
		}
	}
	return nil
}

// scored is what ft score tells of a row. Entry i of the lists is about the prediction of token i+1.
type scored struct {
	Loss     *float64   `json:"loss"` // nats per scored token; nil without one
	Tokens   int        `json:"tokens"`
	Logprobs []float64  `json:"logprobs"`
	Argmax   []int32    `json:"argmax"`
	Top      [][]ranked `json:"top,omitzero"`
}

// ranked is a token and its log-probability. In JSON it is a pair.
type ranked struct {
	id      int32
	logprob float64
}

// MarshalJSON writes [id, logprob].
func (r ranked) MarshalJSON() ([]byte, error) { return json.Marshal([2]any{r.id, r.logprob}) }

// score runs the model over the row. top is the number of likeliest tokens to keep at each position.
func (q scoring) score(m *model.Model, top int) (scored, error) {
	n := len(q.ids) - 1
	out := scored{Logprobs: make([]float64, n), Argmax: make([]int32, n)}
	if top > 0 {
		out.Top = make([][]ranked, n)
	}
	at := make([]int32, n)
	for i := range at {
		at[i] = int32(i)
	}
	losses := make([]float64, n)
	err := m.Logits(q.ids, at, func(i int, logits []float32) {
		norm := likelihood.LogSumExp(logits)
		out.Logprobs[i] = float64(logits[q.ids[i+1]]) - norm
		out.Argmax[i] = generate.Argmax(logits)
		if l := q.labels[i+1]; l >= 0 {
			losses[i] = norm - float64(logits[l])
		}
		if top > 0 {
			out.Top[i] = topRanked(logits, norm, top)
		}
	})
	if err != nil {
		return scored{}, err
	}
	sum := 0.0
	for i, v := range losses {
		if lp := out.Logprobs[i]; math.IsNaN(lp+v) || math.IsInf(lp+v, 0) {
			return scored{}, fmt.Errorf("the model's output at position %d is not finite", i)
		}
		if q.labels[i+1] >= 0 {
			out.Tokens++
			sum += v
		}
	}
	if out.Tokens > 0 {
		sum /= float64(out.Tokens)
		out.Loss = &sum
	}
	return out, nil
}

// topRanked are the k largest logits, in descending order, the lower id first on a tie.
func topRanked(logits []float32, norm float64, k int) []ranked {
	k = min(k, len(logits))
	ids := make([]int32, 0, k+1)
	for id, v := range logits {
		if len(ids) == k && v <= logits[ids[k-1]] {
			continue
		}
		at, _ := slices.BinarySearchFunc(ids, v, func(id int32, v float32) int {
			if logits[id] >= v {
				return -1
			}
			return 1
		})
		ids = slices.Insert(ids, at, int32(id))
		ids = ids[:min(k, len(ids))]
	}
	out := make([]ranked, len(ids))
	for i, id := range ids {
		out[i] = ranked{id, float64(logits[id]) - norm}
	}
	return out
}

// scoreTotal sums up rows.
type scoreTotal struct {
	rows, tokens int
	sum          float64 // nats
}

func (t *scoreTotal) add(s scored) {
	t.rows++
	t.tokens += s.Tokens
	if s.Loss != nil {
		t.sum += *s.Loss * float64(s.Tokens)
	}
}

func (t scoreTotal) print(w io.Writer) error {
	line := fmt.Sprintf("rows %s, scored tokens %s", ui.Count(t.rows), ui.Count(t.tokens))
	if t.tokens > 0 {
		loss := t.sum / float64(t.tokens)
		line += fmt.Sprintf(", loss %.4f nats a token, perplexity %.4g", loss, math.Exp(loss))
	}
	_, err := fmt.Fprintln(w, line)
	return err
}
