// Package likelihood asks a model how likely token sequences are.
package likelihood

import (
	"context"
	"fmt"
	"math"
	"slices"

	"ft/eval/task"
	"ft/internal/kernels"
	"ft/model"
	"ft/nn"
)

// passTokens bounds the tokens of one pass, and with them its memory.
const passTokens = 2048

// Scorer answers the requests of tasks with a model, in float32. A context that requests share is computed once: its keys and values are
// kept while one continuation after the other is tried behind it.
type Scorer struct{ Model *model.Model }

// Score is task.Scorer's.
func (s Scorer) Score(ctx context.Context, requests []task.Request, step func(n int)) ([]task.Likelihood, error) {
	r := &scoring{model: s.Model, requests: requests, tokens: make([][]token, len(requests))}
	for i, q := range requests {
		r.tokens[i] = make([]token, len(q.Continuation))
	}
	err := s.Model.WithPrecision(kernels.F32, func() error { r.pool = s.Model.NewPool(); return r.run(ctx, step) })
	if err != nil {
		return nil, err
	}
	out := make([]task.Likelihood, len(requests))
	for i, tokens := range r.tokens {
		out[i].Greedy = true
		for _, t := range tokens {
			out[i].LogLikelihood += t.logprob
			out[i].Greedy = out[i].Greedy && t.top
		}
		if l := out[i].LogLikelihood; math.IsNaN(l) || math.IsInf(l, 0) {
			return nil, fmt.Errorf("likelihood: the model's output for request %d is not finite", i)
		}
	}
	return out, nil
}

// token is what the model says of a token.
type token struct {
	logprob float64
	top     bool // none is likelier
}

// group is requests that share a context.
type group struct {
	context  []int32
	requests []int // indices
	cache    *nn.Cache
	end      int // of the context in the cache
}

func groupsOf(requests []task.Request) []*group {
	var groups []*group
	for i, r := range requests {
		if n := len(groups); n > 0 && slices.Equal(groups[n-1].context, r.Context) {
			groups[n-1].requests = append(groups[n-1].requests, i)
			continue
		}
		groups = append(groups, &group{context: r.Context, requests: []int{i}})
	}
	return groups
}

// scoring is a call of Score under way.
type scoring struct {
	model    *model.Model
	requests []task.Request
	tokens   [][]token // of each request's continuation
	pool     *nn.Pool
}

func (r *scoring) run(ctx context.Context, step func(n int)) error {
	groups := groupsOf(r.requests)
	for len(groups) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := fitting(groups, func(g *group) int { return len(g.context) })
		if err := r.batch(groups[:n]); err != nil {
			return err
		}
		for _, g := range groups[:n] {
			step(len(g.requests))
		}
		groups = groups[n:]
	}
	return nil
}

// fitting is how many of groups go into a pass, at least one.
func fitting(groups []*group, tokens func(*group) int) int {
	n, sum := 1, tokens(groups[0])
	for n < len(groups) && sum+tokens(groups[n]) <= passTokens {
		sum += tokens(groups[n])
		n++
	}
	return n
}

// batch runs groups whose contexts fit in one pass, or a single one of any length.
func (r *scoring) batch(groups []*group) error {
	longest := 0
	for _, g := range groups {
		g.cache = r.pool.NewCache()
		longest = max(longest, len(g.requests))
	}
	if err := r.contexts(groups); err != nil {
		return err
	}
	for round := range longest {
		var some []*group
		for _, g := range groups {
			if round < len(g.requests) && len(r.rest(g, round)) > 0 {
				some = append(some, g)
			}
		}
		for len(some) > 0 {
			n := fitting(some, func(g *group) int { return len(r.rest(g, round)) })
			if err := r.continuations(some[:n], round); err != nil {
				return err
			}
			some = some[n:]
		}
	}
	for _, g := range groups {
		g.cache.Reset()
	}
	return nil
}

// contexts feeds all contexts. The logits behind a context score the first token of each of its continuations.
func (r *scoring) contexts(groups []*group) error {
	ids, from := make([][]int32, len(groups)), make([]int, len(groups))
	for i, g := range groups {
		ids[i], from[i] = g.context, len(g.context)-1
	}
	err := r.feed(groups, ids, from, func(s, _ int, logits []float32) {
		norm, top := LogSumExp(logits), int32(kernels.Argmax(logits))
		for _, at := range groups[s].requests {
			id := r.requests[at].Continuation[0]
			r.tokens[at][0] = token{float64(logits[id]) - norm, id == top}
		}
	})
	for _, g := range groups {
		g.end = g.cache.Len()
	}
	return err
}

// rest is what is fed of a group's continuation: all but the last token, which is only predicted.
func (r *scoring) rest(g *group, round int) []int32 {
	c := r.requests[g.requests[round]].Continuation
	return c[:len(c)-1]
}

// continuations feeds one continuation of every group behind its context.
func (r *scoring) continuations(groups []*group, round int) error {
	ids := make([][]int32, len(groups))
	for i, g := range groups {
		g.cache.Truncate(g.end)
		ids[i] = r.rest(g, round)
	}
	return r.feed(groups, ids, make([]int, len(groups)), func(s, i int, logits []float32) {
		at := groups[s].requests[round]
		id := r.requests[at].Continuation[i+1]
		r.tokens[at][i+1] = token{float64(logits[id]) - LogSumExp(logits), id == int32(kernels.Argmax(logits))}
	})
}

// feed is model.Continue, but that a single sequence of any length goes through in pieces.
func (r *scoring) feed(groups []*group, ids [][]int32, from []int, f func(s, i int, logits []float32)) error {
	caches := make([]*nn.Cache, len(groups))
	for i, g := range groups {
		caches[i] = g.cache
	}
	if len(ids) > 1 {
		return r.model.Continue(caches, ids, from, f)
	}
	for at := 0; at < len(ids[0]); at += passTokens {
		piece := ids[0][at:min(at+passTokens, len(ids[0]))]
		first := min(max(from[0]-at, 0), len(piece))
		err := r.model.Continue(caches, [][]int32{piece}, []int{first}, func(s, i int, logits []float32) { f(s, at+i, logits) })
		if err != nil {
			return err
		}
	}
	return nil
}

// LogSumExp is the logarithm of the sum of the exponentials of x.
func LogSumExp(x []float32) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, float64(v))
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}
