// Package generate turns prompts into answers: greedy decoding with a key/value cache, several prompts at a
// time.
package generate

import (
	"context"
	"fmt"

	"ft/internal/kernels"
	"ft/nn"
)

// Model is what decoding needs of a model.Model.
type Model interface {
	NewCache() *nn.Cache
	Extend(caches []*nn.Cache, ids [][]int32, f func(s int, logits []float32)) error
}

// Options bound a generation.
type Options struct {
	MaxNew  int     // tokens of an answer
	Stops   []int32 // ids that end an answer; they are not part of it
	Context int     // positions that prompt and answer may take together; 0: no bound
	Batch   int     // sequences decoded at a time
}

// prefillTokens bounds the prompt tokens of one pass, and with them its memory.
const prefillTokens = 2048

// refillPart is the part of the batch that must be free before prompts are taken in: a pass over one short prompt costs more than half
// of what one over four does, as both read all weights.
const refillPart = 4

// sequence is one prompt on its way.
type sequence struct {
	at    int // index of the prompt
	cache *nn.Cache
	next  []int32 // tokens to feed: the prompt first, then last
	last  [1]int32
	out   []int32
	room  int // tokens that out may have
	done  bool
}

// batch is the sequences that are decoded side by side. It uses its lists and the caches of finished sequences again.
type batch struct {
	model  Model
	stop   map[int32]bool
	active []*sequence
	caches []*nn.Cache // of active
	ids    [][]int32   // to feed to active
	free   []*nn.Cache
}

// Greedy answers every prompt with the most likely token after the other (the lower id on a tie) until a stop, MaxNew tokens or the
// context's end. It calls done once for each prompt, as answers are finished, with the prompt's index and the answer's ids. Finished
// sequences make room for the next prompts, some at a time; an answer does not depend on the others.
// An error of done, or the end of ctx, stops the work and is returned.
func Greedy(ctx context.Context, m Model, prompts [][]int32, o Options, done func(i int, ids []int32) error) error {
	if o.MaxNew < 1 || o.Batch < 1 {
		return fmt.Errorf("generate: max new tokens %d and batch %d must be at least 1", o.MaxNew, o.Batch)
	}
	for i, p := range prompts {
		if err := checkPrompt(i, p, o); err != nil {
			return err
		}
	}
	b := &batch{model: m, stop: map[int32]bool{}}
	for _, id := range o.Stops {
		b.stop[id] = true
	}
	next := 0
	for next < len(prompts) || len(b.active) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		next = b.fill(prompts, next, o)
		if err := b.step(); err != nil {
			return err
		}
		if err := b.remove(done); err != nil {
			return err
		}
	}
	return nil
}

// fill starts prompts from next on, once there is room for some, and returns the first that has not started.
func (b *batch) fill(prompts [][]int32, next int, o Options) int {
	if len(b.active) > 0 && o.Batch-len(b.active) < max(1, o.Batch/refillPart) {
		return next
	}
	fed := 0
	for ; next < len(prompts) && len(b.active) < o.Batch; next++ {
		p := prompts[next]
		if fed > 0 && fed+len(p) > prefillTokens {
			break
		}
		fed += len(p)
		b.active = append(b.active, &sequence{at: next, cache: b.cache(), next: p, room: o.room(p)})
	}
	return next
}

// cache is an empty one.
func (b *batch) cache() *nn.Cache {
	n := len(b.free)
	if n == 0 {
		return b.model.NewCache()
	}
	c := b.free[n-1]
	b.free = b.free[:n-1]
	c.Reset()
	return c
}

// remove takes finished sequences out and hands their answers to done.
func (b *batch) remove(done func(i int, ids []int32) error) error {
	kept := b.active[:0]
	for _, s := range b.active {
		if !s.done {
			kept = append(kept, s)
			continue
		}
		b.free = append(b.free, s.cache)
		if err := done(s.at, s.out); err != nil {
			return err
		}
	}
	b.active = kept
	return nil
}

// room is the number of tokens that may follow a prompt.
func (o Options) room(prompt []int32) int {
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
	return b.model.Extend(b.caches, b.ids, func(i int, logits []float32) { b.active[i].choose(Argmax(logits), b.stop) })
}

// choose makes id the next token.
func (s *sequence) choose(id int32, stop map[int32]bool) {
	if stop[id] {
		s.done = true
		return
	}
	s.out = append(s.out, id)
	s.last[0] = id
	s.next = s.last[:]
	s.done = len(s.out) == s.room
}

// Argmax is the index of the largest value, the lowest on a tie.
func Argmax(x []float32) int32 { return int32(kernels.Argmax(x)) }
