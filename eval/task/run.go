package task

import (
	"context"
	"fmt"
	"strings"
	"unicode"
)

// Request asks how likely a continuation is behind a context. Both are token ids, at least one each.
type Request struct{ Context, Continuation []int32 }

// Likelihood is the answer to a request.
type Likelihood struct {
	LogLikelihood float64 // of the whole continuation, in nats
	Greedy        bool    // every token of it is the likeliest one
}

// Scorer is a model that answers requests. Results stand in their order; step is told of every request that is done, and may be
// called from one goroutine only. Requests that share a context stand side by side.
type Scorer interface {
	Score(ctx context.Context, requests []Request, step func(n int)) ([]Likelihood, error)
}

// Encoder turns text into token ids; special asks for the tokens that the tokenizer puts around a text.
type Encoder interface {
	Encode(text string, special bool) []int32
}

// Model is a model with its tokenizer.
type Model struct {
	Scorer  Scorer
	Encoder Encoder
	Prefix  int32  // what a text without context begins with: the token that begins texts, or else the one that ends them
	Begin   string // the text of Prefix
	Window  int    // positions that the model has
}

// encode is the tokens of a text that begins a sequence. A text that spells the first token itself gets no second one.
func (m *Model) encode(text string) []int32 {
	return m.Encoder.Encode(text, m.Begin == "" || !strings.HasPrefix(text, m.Begin))
}

// Pair splits context and continuation into tokens as lm-eval does: white space at the context's end goes to the continuation,
// both are tokenized as one text, and the context is as many tokens as it has on its own.
func (m *Model) Pair(context, continuation string) (Request, error) {
	bare := strings.TrimRightFunc(context, space)
	context, continuation = bare, context[len(bare):]+continuation
	var r Request
	if context == "" {
		r = Request{[]int32{m.Prefix}, m.Encoder.Encode(continuation, false)}
		if c := r.Continuation; len(c) > 0 && c[0] == m.Prefix {
			r = Request{c[:1], c[1:]}
		}
	} else {
		whole := m.encode(context + continuation)
		r.Context = m.encode(context)
		r.Continuation = whole[min(len(r.Context), len(whole)):]
	}
	if len(r.Context) == 0 || len(r.Continuation) == 0 {
		return r, fmt.Errorf("the continuation %.40q has no token of its own behind the context", continuation)
	}
	if len(r.Continuation) > m.Window {
		return r, fmt.Errorf("the continuation %.40q has %d tokens, the model has %d positions", continuation, len(r.Continuation), m.Window)
	}
	return r, nil
}

// space is white space to Python's strip and to \s.
func space(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// fit cuts a context that is too long at its beginning and reports whether it did.
func (m *Model) fit(r *Request) bool {
	over := len(r.Context) + len(r.Continuation) - (m.Window + 1) // the last token is only predicted
	if over <= 0 {
		return false
	}
	r.Context = r.Context[over:]
	return true
}

// Windows cuts a text's tokens into requests whose continuations are all of them in order, each at most window long, as lm-eval's
// loglikelihood_rolling does: the first behind prefix, a further one behind as many tokens before it as fill the window.
func Windows(tokens []int32, prefix int32, window int) []Request {
	if len(tokens) == 0 {
		return nil
	}
	n := min(window, len(tokens))
	out := []Request{{[]int32{prefix}, tokens[:n]}}
	for n < len(tokens) {
		end := min(n+window, len(tokens))
		out = append(out, Request{tokens[end-window-1 : n], tokens[n:end]})
		n = end
	}
	return out
}

// Row is what came of a row.
type Row struct {
	At             string    `json:"row"` // file:line
	Target         []int     `json:"target,omitzero"`
	LogLikelihoods []float64 `json:"loglikelihoods"` // of each continuation, in nats
	Greedy         []bool    `json:"greedy,omitzero"`
	choices        []string
	text           string // of a rolling task
	tokens         int    // of text
}

// Outcome is what came of a task.
type Outcome struct {
	Rows []Row
	Cut  int // requests whose context was too long for the model and lost its beginning
}

// Requests is the number of requests that Run makes.
func (t *Task) Requests() int {
	n := 0
	for _, it := range t.items {
		n += len(it.continued)
	}
	return n
}

// Run asks the model. step is told of every continuation that is done.
func (t *Task) Run(ctx context.Context, m *Model, step func(n int)) (*Outcome, error) {
	if t.OutputType == Rolling {
		return t.roll(ctx, m, step)
	}
	out := &Outcome{}
	var requests []Request
	for _, it := range t.items {
		for i, c := range it.continued {
			r, err := m.Pair(it.contexts[i], c)
			if err != nil {
				return nil, fmt.Errorf("task: %s: %s: %w", t.File, it.at, err)
			}
			if m.fit(&r) {
				out.Cut++
			}
			requests = append(requests, r)
		}
	}
	answers, err := m.Scorer.Score(ctx, requests, step)
	if err != nil {
		return nil, err
	}
	for _, it := range t.items {
		row := Row{At: it.at, Target: it.gold, choices: it.choices}
		for _, a := range answers[:len(it.continued)] {
			row.LogLikelihoods, row.Greedy = append(row.LogLikelihoods, a.LogLikelihood), append(row.Greedy, a.Greedy)
		}
		answers = answers[len(it.continued):]
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

// roll is Run for texts that are scored as a whole.
func (t *Task) roll(ctx context.Context, m *Model, step func(n int)) (*Outcome, error) {
	out := &Outcome{}
	for _, it := range t.items {
		text, err := m.Text(ctx, it.continued[0], func(int) {})
		if err != nil {
			return nil, fmt.Errorf("task: %s: %s: %w", t.File, it.at, err)
		}
		step(1)
		out.Rows = append(out.Rows, Row{At: it.at, LogLikelihoods: []float64{text.LogLikelihood}, text: it.continued[0], tokens: text.Tokens})
	}
	return out, nil
}

// TextLikelihood is how likely a model finds a text.
type TextLikelihood struct {
	LogLikelihood float64 // in nats
	Tokens        int     // that were predicted
}

// Text is the log-likelihood of a whole text, in windows of the model's length. step is told of every token that is done.
func (m *Model) Text(ctx context.Context, text string, step func(n int)) (TextLikelihood, error) {
	tokens := m.encode(text)
	if len(tokens) == 0 {
		return TextLikelihood{}, fmt.Errorf("the text has no tokens")
	}
	out := TextLikelihood{Tokens: len(tokens)}
	for _, w := range Windows(tokens, m.Prefix, m.Window) {
		answers, err := m.Scorer.Score(ctx, []Request{w}, func(int) {})
		if err != nil {
			return out, err
		}
		out.LogLikelihood += answers[0].LogLikelihood
		step(len(w.Continuation))
	}
	return out, nil
}

// Words counts the pieces between white space as lm-eval does: an empty one at either end counts.
func Words(text string) int {
	n, before := 1, false
	for _, r := range text {
		is := space(r)
		if is && !before {
			n++
		}
		before = is
	}
	return n
}
