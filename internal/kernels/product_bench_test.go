package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ft/internal/quant"
)

// benchRows is the tokens of a pass.
const benchRows = 1024

// benchShapes are the linear layers of SmolLM2-135M, Qwen2.5-0.5B, TinyLlama-1.1B and Llama-7B, in and out.
var benchShapes = [][2]int{
	{576, 576}, {576, 192}, {576, 1536}, {1536, 576},
	{896, 896}, {896, 128}, {896, 4864}, {4864, 896},
	{2048, 2048}, {2048, 5632}, {5632, 2048}, {2048, 8192},
	{4096, 4096}, {4096, 11008}, {11008, 4096},
}

// benchCell is a product of activations and a weight, forward or backward.
type benchCell struct {
	in, out int
	forward bool
}

// cells are all shapes both ways.
func cells(shapes [][2]int) (all []benchCell) {
	for _, s := range shapes {
		all = append(all, benchCell{s[0], s[1], true}, benchCell{s[0], s[1], false})
	}
	return all
}

func (c benchCell) String() string {
	if c.forward {
		return fmt.Sprintf("%d→%d/forward", c.in, c.out)
	}
	return fmt.Sprintf("%d→%d/backward", c.in, c.out)
}

func (c benchCell) operations() float64 { return 2 * benchRows * float64(c.in) * float64(c.out) }

// product is the cell's product with a weight of a type, and what gives its memory back. Values repeat: random ones for all
// would take longer than the product.
func (c benchCell) product(b *testing.B, typ quant.Type, prec Precision) (run func(), free func() error) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	values := make([]float32, 1<<16)
	for i := range values {
		values[i] = float32(r.NormFloat64())
	}
	piece := make([]byte, typ.RowBytes(len(values)))
	quant.Quantize(piece, typ, values)
	raw := make([]byte, c.out*typ.RowBytes(c.in))
	for at := 0; at < len(raw); {
		at += copy(raw[at:], piece)
	}
	w, err := NewMatrix(c.out, c.in, typ, raw)
	if err != nil {
		b.Fatal(err)
	}
	k, n, right := c.in, c.out, WeightsT(w)
	if !c.forward {
		k, n, right = c.out, c.in, Weights(w)
	}
	arena := NewArena()
	x, y := arena.Act(benchRows, k, prec), arena.Act(benchRows, n, prec)
	for i := range benchRows {
		x.SetRow(i, values[i:i+k])
	}
	p := new(Product)
	return func() {
		p.Reset(benchRows, n, prec)
		p.Add(Acts(x), right, false)
		p.Sink = Sink{Kind: ToAct, Out: y}
		p.Run()
	}, arena.Close
}

// eachAssembly runs a benchmark on every backend but the generic one, in the precision that is its fastest.
func eachAssembly(b *testing.B, f func(b *testing.B, prec Precision)) {
	before := Backend()
	defer mustUse(b, before)
	for _, name := range Backends() {
		mustUse(b, name)
		prec := F32
		if HasBF16() {
			prec = BF16
		}
		if Peak(prec) > 0 {
			b.Run(name, func(b *testing.B) { f(b, prec) })
		}
	}
}

// BenchmarkProduct multiplies activations by weights in bfloat16: GFLOP/s, and the best run's share of the best rate that
// the same threads reached with registers alone. The last line is the mean share of those above it.
func BenchmarkProduct(b *testing.B) {
	eachAssembly(b, func(b *testing.B, prec Precision) {
		peak, best := 0.0, map[benchCell]float64{}
		for range 10 {
			peak = max(peak, Peak(prec))
		}
		for _, c := range cells(benchShapes) {
			b.Run(c.String(), func(b *testing.B) {
				run, free := c.product(b, quant.BF16, prec)
				defer free()
				peak = max(peak, Peak(prec))
				for b.Loop() {
					begun := time.Now()
					run()
					best[c] = max(best[c], c.operations()/float64(time.Since(begun).Nanoseconds()))
				}
				b.ReportMetric(c.operations()*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				b.ReportMetric(100*best[c]/peak, "%peak")
			})
		}
		b.Run("mean", func(b *testing.B) {
			sum := 0.0
			for _, rate := range best {
				sum += rate
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(100*sum/float64(len(best))/peak, "%peak")
		})
	})
}

// BenchmarkProduct_formats multiplies by quantised weights and by the same shape in bfloat16 in turn: how much faster the
// product with the quantised one is.
func BenchmarkProduct_formats(b *testing.B) {
	eachAssembly(b, func(b *testing.B, prec Precision) {
		for _, typ := range []quant.Type{quant.Q8_0, quant.Q4_1, quant.Q4_0} {
			for _, c := range cells([][2]int{{576, 1536}, {896, 4864}, {2048, 2048}, {5632, 2048}}) {
				b.Run(typ.String()+"/"+c.String(), func(b *testing.B) {
					plain, free := c.product(b, quant.BF16, prec)
					defer free()
					quantised, free2 := c.product(b, typ, prec)
					defer free2()
					var took [2]time.Duration
					for b.Loop() {
						for i, run := range []func(){plain, quantised} {
							begun := time.Now()
							run()
							took[i] += time.Since(begun)
						}
					}
					b.ReportMetric(float64(took[0])/float64(took[1]), "x-bf16")
				})
			}
		}
	})
}

// BenchmarkPeak is what shares are measured against.
func BenchmarkPeak(b *testing.B) {
	eachAssembly(b, func(b *testing.B, prec Precision) {
		most := 0.0
		for b.Loop() {
			most = max(most, Peak(prec))
		}
		b.ReportMetric(most, "GFLOP/s")
	})
}
