package model_test

import (
	"runtime"
	"testing"

	"ft/internal/testkit"
	"ft/model"
)

// BenchmarkTrainStep takes steps of 2,048 packed tokens on a model with the layers and heads of SmolLM2-135M, but
// narrow. heap-B/step is what a step takes from Go's heap once everything has grown to its size: buffers come from
// the arena, and what is left are closures and small lists. The goal is 64 KiB.
func BenchmarkTrainStep(b *testing.B) {
	m := tiny(b, testkit.TinyLlama{Dim: 64, Layers: 30, Heads: 9, KVHeads: 3, HeadDim: 8, FF: 96})
	addSlots(m, 0.05, nil)
	data := batch(m, 512, 384, 256, 256, 256, 128, 128, 128)
	step := func() {
		if _, err := m.Train(&data, model.TrainOptions{Scale: 1e-3}); err != nil {
			b.Fatal(err)
		}
	}
	step()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		step()
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N), "heap-B/step")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(b.N), "allocs/step")
}
