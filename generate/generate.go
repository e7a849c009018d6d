// Package generate turns prompts into answers: greedy decoding with a key/value cache, several prompts at a
// time.
package generate

import (
	"context"
	"fmt"

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

// sequence is one prompt on its way.
type sequence struct {
	at    int // index of the prompt
	cache *nn.Cache
	next  []int32 // tokens to feed: the prompt first, then one at a time
	out   []int32
	room  int // tokens that out may have
	done  bool
}

// Greedy answers every prompt with the most likely token after the other (the lower id on a tie) until a stop, MaxNew tokens or the
// context's end. It calls done once for each prompt, as answers are finished, with the prompt's index and the answer's ids. Finished
// sequences make room for the next prompts at once; an answer does not depend on the others.
// An error of done, or the end of ctx, stops the work and is returned.
func Greedy(ctx context.Context, m Model, prompts [][]int32, o Options, done func(i int, ids []int32) error) error {
	if o.MaxNew < 1 || o.Batch < 1 {
		return fmt.Errorf("generate: max new tokens %d and batch %d must be at least 1", o.MaxNew, o.Batch)
	}
	stop := map[int32]bool{}
	for _, id := range o.Stops {
		stop[id] = true
	}
	for i, p := range prompts {
		if err := checkPrompt(i, p, o); err != nil {
			return err
		}
	}
	var active []*sequence
	next := 0
	for next < len(prompts) || len(active) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		fed := 0
		for ; next < len(prompts) && len(active) < o.Batch; next++ {
			p := prompts[next]
			if fed > 0 && fed+len(p) > prefillTokens {
				break
			}
			fed += len(p)
			active = append(active, &sequence{at: next, cache: m.NewCache(), next: p, room: o.room(p)})
		}
		if err := step(m, active, stop); err != nil {
			return err
		}
		kept := active[:0]
		for _, s := range active {
			if !s.done {
				kept = append(kept, s)
				continue
			}
			if err := done(s.at, s.out); err != nil {
				return err
			}
		}
		active = kept
	}
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
func step(m Model, active []*sequence, stop map[int32]bool) error {
	caches := make([]*nn.Cache, len(active))
	ids := make([][]int32, len(active))
	for i, s := range active {
		caches[i], ids[i] = s.cache, s.next
	}
	return m.Extend(caches, ids, func(i int, logits []float32) {
		s := active[i]
		id := Argmax(logits)
		if stop[id] {
			s.done = true
			return
		}
		s.out = append(s.out, id)
		s.next = []int32{id}
		s.done = len(s.out) == s.room
	})
}

// Argmax is the index of the largest value, the lowest on a tie.
func Argmax(x []float32) int32 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return int32(best)
}
