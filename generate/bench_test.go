package generate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"ft/base"
	"ft/generate"
	"ft/model"
	"ft/model/family"
)

// BenchmarkGreedy decodes 64 tokens after prompts of 25 to 45 with the model that FT_BENCH_BASE names: new tokens a second,
// prompts included, and what a step takes from Go's heap.
func BenchmarkGreedy(b *testing.B) {
	path := os.Getenv("FT_BENCH_BASE")
	if path == "" {
		b.Skip("FT_BENCH_BASE names no model")
	}
	m, err := base.Open(path, []*model.Family{&family.Llama})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	const fresh = 64
	for _, batch := range []int{1, 4, 16} {
		r := rand.New(rand.NewPCG(1, 2))
		var prompts [][]int32
		for range max(2, batch) {
			p := make([]int32, 25+r.IntN(20))
			for i := range p {
				p[i] = int32(r.IntN(m.Model.Spec.Vocab))
			}
			prompts = append(prompts, p)
		}
		run := func() {
			o := generate.Options{MaxNew: fresh, Batch: batch}
			if err := generate.Greedy(context.Background(), m.Model, prompts, o, func(int, []int32) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			run()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				run()
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(len(prompts)*fresh*b.N)/b.Elapsed().Seconds(), "tokens/s")
			steps := float64(len(prompts) / batch * fresh * b.N)
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/steps, "heap-B/step")
		})
	}
}
