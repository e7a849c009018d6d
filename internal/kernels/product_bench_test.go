package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

// benchShapes are linear layers of SmolLM2-135M, Qwen2.5-0.5B and TinyLlama-1.1B, in and out.
var benchShapes = [][2]int{{576, 576}, {576, 192}, {576, 1536}, {1536, 576}, {896, 4864}, {2048, 2048}, {2048, 5632}}

// BenchmarkProduct multiplies 1,024 packed rows of activations by a weight, forward and backward.
func BenchmarkProduct(b *testing.B) {
	for _, name := range Backends() {
		for _, prec := range []Precision{BF16, F32} {
			for _, shape := range benchShapes {
				for _, trans := range []bool{true, false} {
					benchProduct(b, name, prec, 1024, shape[0], shape[1], trans)
				}
			}
		}
	}
}

func benchProduct(b *testing.B, name string, prec Precision, t, in, out int, trans bool) {
	was := Backend()
	if err := Use(name); err != nil {
		b.Fatal(err)
	}
	defer Use(was)
	if name == "generic" || prec == BF16 && !HasBF16() || prec == F32 && HasBF16() {
		return
	}
	r := rand.New(rand.NewPCG(1, 2))
	a := NewArena()
	defer a.Close()
	values := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	raw := make([]byte, 2*in*out)
	quant.Quantize(raw, quant.BF16, values(in*out))
	w, err := NewMatrix(out, in, quant.BF16, raw)
	if err != nil {
		b.Fatal(err)
	}
	k, n, right := in, out, WeightsT(w)
	if !trans {
		k, n, right = out, in, Weights(w)
	}
	x, y := a.Act(t, k, prec), a.Act(t, n, prec)
	Rounded(x, values(t*k))
	var p Product
	b.Run(fmt.Sprintf("%s/%d→%d/forward=%v", name, k, n, trans), func(b *testing.B) {
		for b.Loop() {
			p.Reset(t, n, prec)
			p.Add(Acts(x), right, false)
			p.Sink = Sink{Kind: ToAct, Out: y}
			p.Run()
		}
		b.ReportMetric(2*float64(t)*float64(k)*float64(n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
	})
}
