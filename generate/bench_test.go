package generate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"ft/base"
	"ft/generate"
	"ft/model"
	"ft/model/family"
	"ft/nn"
)

// timed notes the fastest pass in which every sequence got one token, and the fastest of the others.
type timed struct {
	*model.Model
	decode, prompt time.Duration
}

func (m *timed) Extend(caches []*nn.Cache, ids [][]int32, f func(s int, logits []float32)) error {
	best := &m.decode
	for _, s := range ids {
		if len(s) > 1 {
			best = &m.prompt
		}
	}
	begun := time.Now()
	err := m.Model.Extend(caches, ids, f)
	if d := time.Since(begun); *best == 0 || d < *best {
		*best = d
	}
	return err
}

// BenchmarkGreedy decodes 64 tokens after prompts of 25 to 45 with the model that FT_BENCH_BASE names: new tokens a second, prompts
// included; the fastest step's rate, which other work on the machine disturbs least; and the fastest pass over prompts.
func BenchmarkGreedy(b *testing.B) {
	path := os.Getenv("FT_BENCH_BASE")
	if path == "" {
		b.Skip("FT_BENCH_BASE names no model")
	}
	opened, err := base.Open(path, []*model.Family{&family.Llama})
	if err != nil {
		b.Fatal(err)
	}
	defer opened.Close()
	m := &timed{Model: opened.Model}
	const fresh = 64
	for _, batch := range []int{1, 4, 16} {
		r := rand.New(rand.NewPCG(1, 2))
		var prompts [][]int32
		for range max(2, batch) {
			p := make([]int32, 25+r.IntN(20))
			for i := range p {
				p[i] = int32(r.IntN(m.Spec.Vocab))
			}
			prompts = append(prompts, p)
		}
		run := func() {
			o := generate.Options{MaxNew: fresh, Batch: batch}
			if err := generate.Answers(context.Background(), m, prompts, o, func(generate.Answer) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			run()
			m.decode, m.prompt = 0, 0
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(len(prompts)*fresh*b.N)/b.Elapsed().Seconds(), "tokens/s")
			b.ReportMetric(float64(batch)/m.decode.Seconds(), "best-tokens/s")
			b.ReportMetric(1e3*m.prompt.Seconds(), "prompt-ms")
		})
	}
}
