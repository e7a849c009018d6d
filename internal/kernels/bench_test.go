package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkGemm(b *testing.B) {
	before := Backend()
	defer mustUse(b, before)
	for _, name := range Backends() {
		for _, s := range [][3]int{{1024, 1536, 576}, {1024, 576, 1536}, {1024, 576, 576}, {1, 1536, 576}, {8, 1536, 576}} {
			t, n, k := s[0], s[1], s[2]
			r := rand.New(rand.NewPCG(1, 2))
			x, w, y := randoms(r, t*k), randoms(r, n*k), make([]float32, t*n)
			b.Run(fmt.Sprintf("%s/%dx%dx%d", name, t, n, k), func(b *testing.B) {
				mustUse(b, name)
				for b.Loop() {
					Gemm(y, n, x, k, false, w, k, true, t, n, k, 1, false)
				}
				b.ReportMetric(2*float64(t)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
