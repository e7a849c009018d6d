package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

func BenchmarkGemm(b *testing.B) {
	before := Backend()
	defer mustUse(b, before)
	for _, name := range Backends() {
		for _, s := range [][3]int{{1024, 1536, 576}, {1024, 576, 1536}, {1024, 576, 576}, {1, 1536, 576}, {8, 1536, 576}} {
			t, n, k := s[0], s[1], s[2]
			r := rand.New(rand.NewPCG(1, 2))
			x, w, y := randoms(r, t*k), FromFloat32(n, k, randoms(r, n*k)), make([]float32, t*n)
			b.Run(fmt.Sprintf("%s/%dx%dx%d", name, t, n, k), func(b *testing.B) {
				mustUse(b, name)
				for b.Loop() {
					MulT(y, x, w, t, false)
				}
				b.ReportMetric(2*float64(t)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// BenchmarkDecode is MulT with one row: weight bytes read per second.
func BenchmarkDecode(b *testing.B) {
	const n, k = 4096, 2048
	r := rand.New(rand.NewPCG(1, 2))
	for _, typ := range types() {
		if !typ.CanQuantize() {
			continue
		}
		data := make([]byte, n*typ.RowBytes(k))
		quant.Quantize(data, typ, randoms(r, n*k))
		w, err := NewMatrix(n, k, typ, data)
		if err != nil {
			b.Fatal(err)
		}
		x, y := randoms(r, k), make([]float32, n)
		b.Run(typ.String(), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				MulT(y, x, w, 1, false)
			}
		})
	}
}
