// Package generate turns prompts into answers: decoding with a key/value cache in pages, several prompts at a time, the most likely token
// after the other or by draws.
package generate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ft/nn"
)

// Model is what decoding needs of a model.Model.
type Model interface {
	NewPool() *nn.Pool
	Extend(caches []*nn.Cache, ids [][]int32, f func(s int, logits []float32)) error
}

// Options bound a generation. The zero value of what is not explained otherwise asks for nothing.
type Options struct {
	MaxNew  int     // tokens of an answer
	Stops   []int32 // ids that end an answer; they are not part of it
	Context int     // positions that prompt and answer may take together; 0: no bound
	Batch   int     // sequences decoded at a time

	Sampling Sampling
	Samples  int      // answers to each prompt; 0: one
	Keys     []uint64 // of the prompts, for their draws; nil: their indices
	// Skip names answers that are not wanted; nil: all are.
	Skip func(prompt, sample int) bool

	// StopTexts end an answer whose text has one of them, wherever the tokens begin and end. Their tokens are in the answer, for
	// Cut to take off. Decode makes the text, perhaps in parallel.
	StopTexts []string
	Decode    func(ids []int32) string
}

// Answer is what follows a prompt.
type Answer struct {
	Prompt int // index
	Sample int // from 0 on
	IDs    []int32
}

// prefillTokens bounds the prompt tokens of one pass, and with them its memory.
const prefillTokens = 2048

// refillPart is the part of the batch that must be free before prompts are taken in: a pass over one short prompt costs more than half
// of what one over four does, as both read all weights.
const refillPart = 4

// sequence is one answer on its way.
type sequence struct {
	answer Answer
	cache  *nn.Cache
	next   []int32 // tokens to feed: the prompt first, then last
	last   [1]int32
	seen   []int32 // prompt and answer
	key    uint64
	room   int // tokens that the answer may have
	done   bool
	kin    []*sequence // further samples, which begin with the cache of this one once the prompt is read
}

// batch is the sequences that are decoded side by side.
type batch struct {
	Options
	pool   *nn.Pool
	model  Model
	stop   map[int32]bool
	active []*sequence
	caches []*nn.Cache // of active
	ids    [][]int32   // to feed to active
	next   int         // the first answer that has not begun; those to a prompt follow each other
}

// Answers answers every prompt, token by token until a stop, MaxNew tokens or the context's end. It calls done once for each
// answer, as they are finished. Finished sequences make room for the next prompts, some at a time, which are taken in in the order
// given; an answer does not depend on the others. The samples of a prompt read it once and share its pages.
// An error of done, or the end of ctx, stops the work and is returned.
func Answers(ctx context.Context, m Model, prompts [][]int32, o Options, done func(a Answer) error) error {
	o.Samples = max(o.Samples, 1)
	if err := o.check(prompts); err != nil {
		return err
	}
	b := &batch{Options: o, pool: m.NewPool(), model: m, stop: map[int32]bool{}}
	for _, id := range o.Stops {
		b.stop[id] = true
	}
	for b.next < len(prompts)*o.Samples || len(b.active) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b.fill(prompts); len(b.active) == 0 {
			break // the rest is not wanted
		}
		if err := b.step(); err != nil {
			return err
		}
		b.branch()
		if err := b.remove(done); err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) check(prompts [][]int32) error {
	if o.MaxNew < 1 || o.Batch < 1 {
		return fmt.Errorf("generate: max new tokens %d and batch %d must be at least 1", o.MaxNew, o.Batch)
	}
	if o.Keys != nil && len(o.Keys) != len(prompts) {
		return fmt.Errorf("generate: %d keys for %d prompts", len(o.Keys), len(prompts))
	}
	for i, p := range prompts {
		if err := checkPrompt(i, p, *o); err != nil {
			return err
		}
	}
	return nil
}

// fill starts answers once there is room for some.
func (b *batch) fill(prompts [][]int32) {
	n := len(b.active)
	if n > 0 && b.Batch-n < max(1, b.Batch/refillPart) {
		return
	}
	fed := 0
	var first *sequence // that reads the prompt
	for ; b.next < len(prompts)*b.Samples && n < b.Batch; b.next++ {
		i, sample := b.next/b.Samples, b.next%b.Samples
		if b.Skip != nil && b.Skip(i, sample) {
			continue
		}
		p := prompts[i]
		s := &sequence{answer: Answer{Prompt: i, Sample: sample}, key: uint64(i), room: b.room(p)}
		if b.Keys != nil {
			s.key = b.Keys[i]
		}
		if b.Sampling.penalised() {
			s.seen = slices.Clone(p)
		}
		if n++; first != nil && first.answer.Prompt == i {
			first.kin = append(first.kin, s)
			continue
		}
		if fed > 0 && fed+len(p) > prefillTokens {
			break
		}
		fed += len(p)
		s.cache, s.next = b.pool.NewCache(), p
		b.active, first = append(b.active, s), s
	}
}

// branch gives samples whose prompt is read their caches.
func (b *batch) branch() {
	for _, s := range b.active {
		for _, k := range s.kin {
			k.cache = s.cache.Fork()
			b.active = append(b.active, k)
		}
		s.kin = nil
	}
}

// remove takes finished sequences out and hands their answers to done.
func (b *batch) remove(done func(a Answer) error) error {
	kept := b.active[:0]
	for _, s := range b.active {
		if !s.done {
			kept = append(kept, s)
			continue
		}
		s.cache.Reset()
		if err := done(s.answer); err != nil {
			return err
		}
	}
	clear(b.active[len(kept):])
	b.active = kept
	return nil
}

// room is the number of tokens that may follow a prompt.
func (o *Options) room(prompt []int32) int {
	if o.Context > 0 {
		return min(o.MaxNew, o.Context-len(prompt))
	}
	return o.MaxNew
}

func checkPrompt(i int, ids []int32, o Options) error {
	if len(ids) == 0 {
		return fmt.Errorf("generate: prompt %d is empty", i)
	}
	if o.Context > 0 && len(ids) >= o.Context {
		return fmt.Errorf("generate: prompt %d has %d tokens, the model has %d positions", i, len(ids), o.Context)
	}
	return nil
}

// step feeds every active sequence its next tokens and chooses what follows.
func (b *batch) step() error {
	b.caches, b.ids = b.caches[:0], b.ids[:0]
	for _, s := range b.active {
		b.caches, b.ids = append(b.caches, s.cache), append(b.ids, s.next)
	}
	return b.model.Extend(b.caches, b.ids, func(i int, logits []float32) {
		s := b.active[i]
		b.choose(s, logits)
		for _, k := range s.kin {
			b.choose(k, logits)
		}
	})
}

// choose gives a sequence its next token.
func (b *batch) choose(s *sequence, logits []float32) {
	out := &s.answer.IDs
	id := b.Sampling.choose(logits, s.seen, draw{s.key, s.answer.Sample, len(*out)})
	if b.stop[id] {
		s.done = true
		return
	}
	*out = append(*out, id)
	if s.seen != nil {
		s.seen = append(s.seen, id)
	}
	s.last[0] = id
	s.next = s.last[:]
	s.done = len(*out) == s.room || b.StopTexts != nil && stopAt(b.Decode(*out), b.StopTexts) >= 0
}

// Cut is the text up to the first of the stops in it; all of it if there is none.
func Cut(text string, stops []string) string {
	if at := stopAt(text, stops); at >= 0 {
		return text[:at]
	}
	return text
}

// stopAt is where the first of the stops begins, negative if there is none.
func stopAt(text string, stops []string) int {
	first := -1
	for _, s := range stops {
		if at := strings.Index(text, s); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}
