package kernels

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkBlockOps runs the steps over strips of 512 columns, which the first two levels of cache hold. Gelem/s counts
// elements of the strip once, however many operands a step has.
func BenchmarkBlockOps(b *testing.B) {
	const panels, cols, n = 16, 512, 16 * resultSize
	before := Backend()
	defer mustUse(b, before)
	r := rand.New(rand.NewPCG(1, 2))
	aligned := func(x []float32) []float32 {
		v, _ := onHeap(len(x))
		copy(v, x)
		return v
	}
	c, d, gain, inv := aligned(randoms(r, n)), aligned(randoms(r, n)), aligned(randoms(r, cols)), make([]float32, StripRows)
	x, y := aligned(randoms(r, n)), aligned(randoms(r, n))
	m, v := aligned(randoms(r, n)), aligned(make([]float32, n))
	keys, lse := make([]uint64, StripRows), make([]float32, StripRows)
	var first, seen [StripRows]int32
	for i := range seen {
		seen[i] = int32(16 * i)
	}
	var seenBefore SoftmaxRows
	seenBefore.begin()
	adam := AdamW{0.1, 0.999, 0.001, 1, 0.001, 1, 1e-8}
	for _, name := range Backends() {
		mustUse(b, name)
		ops := active.Load().ops
		run := func(what string, f func()) {
			b.Run(name+"/"+what, func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelem/s")
			})
		}
		for _, p := range []Precision{F32, BF16} {
			t := [6][]float32{}
			for i := range t {
				t[i] = aligned(randomTiles(r, StripRows, cols, 1, p))
			}
			s := "/" + p.String()
			run("store"+s, func() { ops.store(t[0], c, panels, p, 1) })
			run("silu"+s, func() { ops.gated(t[0], t[1], t[2], c, d, panels, p, SiLU) })
			run("silu_grad"+s, func() { ops.gatedGrad(t[3], t[4], t[5], t[0], t[1], c, panels, p, SiLU) })
			run("gelu"+s, func() { ops.gated(t[0], t[1], t[2], c, d, panels, p, GELUTanh) })
			run("gelu_grad"+s, func() { ops.gatedGrad(t[3], t[4], t[5], t[0], t[1], c, panels, p, GELUTanh) })
			run("norm"+s, func() { ops.norm(t[2], t[3], inv, x, gain, StripRows, cols, 1e-5, p) })
			run("norm_back"+s, func() { ops.normBack(y, x, t[3], inv, gain, StripRows, cols, true, p) })
			run("to_tiles"+s, func() { ops.toTiles(t[2], x, cols, StripRows, cols, 1, p) })
			run("softmax"+s, func() { ops.softmaxStep(t[5], c, panels, &seenBefore, 0.1, p) })
			run("probs"+s, func() { ops.probs(t[4], x, panels, lse, 0.1, p) })
			run("score_grad"+s, func() { ops.scoreGrad(t[5], t[4], d, c, panels, lse, 0.1, p) })
			run("drop"+s, func() { ops.dropTiles(t[4], t[5], keys, cols, 0.1, p) })
		}
		run("drop_add", func() { ops.dropAdd(y, cols, x, cols, PanelCols, keys, cols, 0.1) })
		run("store_rows", func() { ops.storeRows(y, nil, cols, c, StripRows, cols, 1) })
		run("add_rows", func() { ops.storeRows(y, x, cols, c, StripRows, cols, 1) })
		run("add_rows_transposed", func() { ops.storeRowsT(m, StripRows, c, StripRows, cols, 1e-9) })
		run("rope", func() {
			for i := range StripRows {
				ops.rope(y[i*cols:(i+1)*cols], cols/64, 32, c[:32], d[:32], false)
			}
		})
		run("fence", func() {
			for n := range panels {
				ops.fence(m[n*resultSize:], n*PanelCols, &first, &seen)
			}
		})
		run("scale_rows", func() { ops.scaleRows(d, panels, &seenBefore.factor) })
		run("cap", func() { ops.capScores(d, panels, 1, 30) })
		run("cap_grad", func() { ops.capGrad(d, c, panels, 1, 30) })
		run("adamw", func() { ops.adamW(x, y, m, v, &adam) })
		run("sum_squares", func() { ops.sumSquares(y) })
	}
}
