//go:build !purego

package kernels

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"ft/internal/quant"
)

// needAMX skips the test where tiles neither work nor are emulated.
func needAMX(t testing.TB) {
	t.Helper()
	if !hasAMX {
		t.Skip("no AMX here: go test -tags amxemu and ./_amx emulate it. ", notice)
	}
}

// bf16Randoms are n words, 64-byte aligned, of pairs of bfloat16 in [-1,1).
func bf16Randoms(r *rand.Rand, n int) []float32 {
	words, _ := onHeap(n)
	h := halves(words)
	for i := range h {
		h[i] = quant.BF16Bits(2*r.Float32() - 1)
	}
	return words
}

// stripReference is C + A·B of one element in float64, and the sum of the terms' magnitudes.
func stripReference(a, b []uint16, row, col, blocks int, c float32) (sum, size float64) {
	sum, size = float64(c), math.Abs(float64(c))
	for k := range blocks * 32 {
		x := quant.BF16Value(a[k/32*1024+row*32+k%32])
		y := quant.BF16Value(b[k/32*1024+col/16*512+k%32/2*32+col%16*2+k%2])
		sum += float64(x) * float64(y)
		size += math.Abs(float64(x) * float64(y))
	}
	return sum, size
}

// checkStrip compares stripAMX with the reference. Products of bfloat16 are exact in float32; an element is the sum of
// 32·blocks of them and C in some order, so its error is at most their number times 2⁻²⁴ of the terms' magnitudes
// (Higham, Accuracy and Stability of Numerical Algorithms, §4.2).
func checkStrip(t *testing.T, r *rand.Rand, blocks, panels, stride int, add bool) {
	t.Helper()
	a, b := bf16Randoms(r, blocks*blockWords), bf16Randoms(r, (panels-1)*stride+blocks*blockWords)
	before := randoms(r, panels*resultSize)
	got, intact := guarded(before)
	stripAMX(&got[0], &a[0], &b[0], blocks, panels, stride, add)
	if !intact() {
		t.Fatalf("blocks %d, panels %d: wrote beyond C", blocks, panels)
	}
	for i, v := range got {
		p, row, col := i/resultSize, i/32%32, i%32
		c := before[i]
		if !add {
			c = 0
		}
		want, size := stripReference(halves(a), halves(b[p*stride:]), row, col, blocks, c)
		if bound := float64(32*blocks+1) * 0x1p-24 * size; !(math.Abs(float64(v)-want) <= bound) {
			t.Fatalf("blocks %d, panels %d, stride %d, add %v: C[%d][%d][%d] = %g, want %g ± %.2g", blocks, panels, stride, add, p, row, col, v, want, bound)
		}
	}
}

func TestStripAMX(t *testing.T) {
	needAMX(t)
	r := rand.New(rand.NewPCG(1, 2))
	for blocks := 1; blocks <= 20; blocks++ {
		for panels := 1; panels <= 5; panels++ {
			for _, gap := range []int{0, 16, 5 * blockWords} {
				checkStrip(t, r, blocks, panels, blocks*blockWords+gap, gap != 16)
				checkStrip(t, r, blocks, panels, blocks*blockWords+gap, gap == 16)
			}
		}
		if testing.Short() && blocks == 3 {
			break
		}
	}
	for panels := 7; panels < 10; panels++ { // around the eighth, where the prefetch ends
		checkStrip(t, r, 2, panels, 2*blockWords, false)
	}
}

// TestPeakAMX: the loop is one that the CPU, or its emulation, can run.
func TestPeakAMX(t *testing.T) {
	needAMX(t)
	x := bf16Randoms(rand.New(rand.NewPCG(1, 2)), 2*blockWords)
	peakAMX(&x[0], 3)
}

// TestStripAMX_subnormal: subnormal factors and results are zero.
func TestStripAMX_subnormal(t *testing.T) {
	needAMX(t)
	for _, c := range []struct{ x, y, c, want float32 }{
		{0x1p-127, 0x1p100, 0, 0},          // factor of A
		{0x1p100, -0x1p-130, 0, 0},         // of B
		{0x1p-100, 0x1p-40, 0, 0},          // product
		{0x1p-100, 0x1p-40, 1, 1},          //
		{0x1p-60, 0x1p-66, 0, 0x1p-126},    // least normal one
		{-0x1p-60, 0x1p-66, 0x1.8p-126, 0}, // sum
		{1, 0, 0x1p-128, 0},                // C
	} {
		var a, b [blockWords]float32
		halves(a[:])[0], halves(b[:])[0] = quant.BF16Bits(c.x), quant.BF16Bits(c.y)
		got := make([]float32, resultSize)
		got[0] = c.c
		stripAMX(&got[0], &a[0], &b[0], 1, 1, blockWords, true)
		if got[0] != c.want {
			t.Errorf("%g + %g·%g = %g, want %g", c.c, c.x, c.y, got[0], c.want)
		}
	}
}

// TestStripAMX_migration: goroutines that move between threads while the collector runs get the same bits.
func TestStripAMX_migration(t *testing.T) {
	needAMX(t)
	const blocks, panels, workers = 5, 3, 16
	rounds := 50
	if testing.Short() {
		rounds = 5
	}
	r := rand.New(rand.NewPCG(3, 4))
	a, b := bf16Randoms(r, blocks*blockWords), bf16Randoms(r, panels*blocks*blockWords)
	want := make([]float32, panels*resultSize)
	stripAMX(&want[0], &a[0], &b[0], blocks, panels, blocks*blockWords, false)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range rounds {
				got := make([]float32, len(want)) // garbage for the collector
				stripAMX(&got[0], &a[0], &b[0], blocks, panels, blocks*blockWords, false)
				runtime.Gosched()
				for i := range want {
					if got[i] != want[i] {
						t.Errorf("element %d is %g, was %g", i, got[i], want[i])
						return
					}
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	for {
		select {
		case <-done:
			return
		default:
			runtime.GC()
		}
	}
}

// TestTestAMX: the self-test passes the twin and finds faults that a CPU or its emulation could have.
func TestTestAMX(t *testing.T) {
	if !testAMX(stripBF16Generic) {
		t.Error("the twin fails")
	}
	for name, wrong := range map[string]func(c, a, b []float32, blocks, panels, stride, rows, cols int, add bool){
		"does nothing": func([]float32, []float32, []float32, int, int, int, int, int, bool) {},
		"never adds": func(c, a, b []float32, blocks, panels, stride, rows, cols int, add bool) {
			stripBF16Generic(c, a, b, blocks, panels, stride, rows, cols, false)
		},
		"stride": func(c, a, b []float32, blocks, panels, stride, rows, cols int, add bool) {
			stripBF16Generic(c, a, b, blocks, panels, stride-16, rows, cols, add)
		},
		"last block": func(c, a, b []float32, blocks, panels, stride, rows, cols int, add bool) {
			stripBF16Generic(c, a, b, blocks-1, panels, stride, rows, cols, add)
		},
	} {
		if testAMX(wrong) {
			t.Errorf("a kernel with a fault passes: %s", name)
		}
	}
}
