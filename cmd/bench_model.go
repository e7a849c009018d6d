package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ft/dataset"
	"ft/internal/keyed"
	"ft/internal/run"
	"ft/lora"
	"ft/nn"
	"ft/trainer"
)

const (
	promptTokens = 512
	decodeFrom   = 64 // tokens in the cache when decoding is measured
	decodeTokens = 16 // timed together
)

// ids are random token ids.
type ids struct {
	vocab uint64
	n     uint64
}

func newIDs(vocab int) *ids { return &ids{vocab: uint64(vocab)} }

func (r *ids) take(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		r.n++
		out[i] = int32(keyed.Mix(r.n) % r.vocab)
	}
	return out
}

// within is n, or what the base has positions for.
func (b *bench) within(n int) int { return min(n, b.session.base.Model.Spec.Context) }

// extend feeds n random tokens to each cache.
func (b *bench) extend(caches []*nn.Cache, n int) error {
	feed := make([][]int32, len(caches))
	for i := range feed {
		feed[i] = b.ids.take(n)
	}
	return b.session.base.Model.Extend(caches, feed, func(int, []float32) {})
}

func (b *bench) caches(n int) []*nn.Cache {
	out, pool := make([]*nn.Cache, n), b.session.base.Model.NewPool()
	for i := range out {
		out[i] = pool.NewCache()
	}
	return out
}

// prompt measures the reading of a prompt.
func (b *bench) prompt(ctx context.Context) ([]benchRate, error) {
	n := b.within(promptTokens)
	seconds, err := b.repeat(ctx, 0.1, func() error { return b.extend(b.caches(1), n) })
	if err != nil {
		return nil, err
	}
	return []benchRate{{Tokens: n, PerSecond: float64(n) / median(seconds)}}, nil
}

// decode measures tokens that come one after the other, for one sequence and for several side by side.
func (b *bench) decode(ctx context.Context) ([]benchRate, error) {
	from := b.within(decodeFrom+decodeTokens) - decodeTokens
	if from < 1 {
		return nil, fmt.Errorf("the base has only %d positions", b.session.base.Model.Spec.Context)
	}
	var out []benchRate
	for _, batch := range []int{1, answerBatch} {
		var taken []float64
		_, err := b.repeat(ctx, 0.1, func() error {
			caches := b.caches(batch)
			if err := b.extend(caches, from); err != nil {
				return err
			}
			begin := time.Now()
			for range decodeTokens {
				if err := b.extend(caches, 1); err != nil {
					return err
				}
			}
			taken = append(taken, time.Since(begin).Seconds())
			return nil
		})
		if err != nil {
			return nil, err
		}
		slices.Sort(taken)
		out = append(out, benchRate{Batch: batch, PerSecond: float64(batch*decodeTokens) / max(median(taken), 1e-9)})
	}
	return out, nil
}

// errMeasured ends a training that has run long enough.
var errMeasured = errors.New("measured")

// stopwatch takes the time of steps after the first and stops the training when its time is over.
type stopwatch struct {
	end   time.Time
	rates []float64
}

func (w *stopwatch) Step(e trainer.StepEvent) error {
	if e.Step > 1 {
		w.rates = append(w.rates, e.PerSecond)
	}
	if len(w.rates) > 0 && time.Now().After(w.end) {
		return errMeasured
	}
	return nil
}

func (w *stopwatch) Eval(trainer.EvalEvent) error { return nil }

// training measures optimizer steps of one pass each: LoRA of rank 16 on all linear layers, samples of up to 512 tokens of which the last
// three quarters count in the loss.
func (b *bench) training(ctx context.Context) ([]benchRate, error) {
	c := lora.Default()
	c.Dropout = 0
	adapter, err := (&lora.Method{Config: c, Seed: 1}).Attach(b.session.base.Model)
	if err != nil {
		return nil, err
	}
	n := b.within(promptTokens)
	var out []benchRate
	for _, tokens := range benchTokens {
		batch := tokens / promptTokens
		w := &stopwatch{end: time.Now().Add(time.Duration(b.seconds / 4 * float64(time.Second)))}
		t := trainer.Trainer{
			Config: trainer.Default(), Model: b.session.base.Model, Params: adapter.Params(), Train: b.samples(4*batch, n), Pack: true,
			Best: "loss", Observers: []trainer.Observer{w},
		}
		t.Config.Epochs, t.Config.Steps, t.Config.Batch, t.Config.MicroTokens = 0, 1<<20, batch, batch*n
		if _, err := t.Run(ctx); !errors.Is(err, errMeasured) {
			return nil, err
		}
		slices.Sort(w.rates)
		r := benchRate{Batch: batch, Tokens: batch * n, PerSecond: median(w.rates)}
		r.Peak, r.Anonymous = run.Memory()
		out = append(out, r)
	}
	return out, nil
}

// samples are count random samples of n tokens.
func (b *bench) samples(count, n int) dataset.List {
	out := make(dataset.List, count)
	for i := range out {
		ids := b.ids.take(n)
		labels := slices.Clone(ids)
		for j := range n / 4 {
			labels[j] = dataset.Ignore
		}
		out[i] = dataset.Sample{ID: fmt.Sprint(i), Key: uint64(i), IDs: ids, Labels: labels, Prompt: n / 4}
	}
	return out
}
