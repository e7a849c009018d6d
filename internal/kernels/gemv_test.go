package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

// rowBound is the error of a product of MulRows relative to the sum of the sizes of its terms: dequantised values are exact, and a
// sum of k products in float32, in whatever order, is off by at most (k+3)·2^-24 of that.
func rowBound(k int) float64 { return float64(k+3) / (1 << 24) }

// TestMulRows_float64 compares with products in float64 of the values that quant.Dequantize gives.
func TestMulRows_float64(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, typ := range types() {
			for c := range 8 {
				rows, cols, n := 1+r.IntN(70), max(typ.Block(), 32)*(1+r.IntN(3)), []int{1, 1, 2, 3, 4, 5, 8, 17}[c]
				if typ.Block() == 1 {
					cols = 1 + r.IntN(150)
				}
				w := weights(t, r, rows, cols, typ, c%3 == 1)
				x := randoms(r, n*cols)
				dst, intact := guarded(make([]float32, n*rows))
				mulRows(dst, x, w, n)
				v := dense(w)
				for i, got := range dst {
					want, size := 0.0, 0.0
					for j, a := range v[i%rows*cols : (i%rows+1)*cols] {
						p := float64(a) * float64(x[i/rows*cols+j])
						want, size = want+p, size+math.Abs(p)
					}
					if err := math.Abs(want - float64(got)); !(err <= rowBound(cols)*size) {
						t.Fatalf("%v [%d,%d] t=%d: row %d of input %d is %v, want %v", typ, rows, cols, n, i%rows, i/rows, got, want)
					}
				}
				if !intact() {
					t.Fatalf("%v [%d,%d] t=%d: wrote past the end", typ, rows, cols, n)
				}
			}
		}
	})
}

// TestMulRows_bf16 compares products in bfloat16 with those in float64 of rounded values: exact products of two, summed in float32, are
// off by at most (k+3)·2^-24 of their sizes; subnormal values, which the instruction flushes to zero, add up to k·2^-126.
func TestMulRows_bf16(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		if active.Load().rowsBF16 == nil {
			t.Skip("products in float32")
		}
		for _, typ := range types() {
			rows, cols, n := 71, 512, 11
			if typ.Block() < 256 {
				cols = 32 * (1 + r.IntN(9))
			}
			w, x := weights(t, r, rows, cols, typ, true), randoms(r, n*cols)
			v, all := dense(w), make([]float32, n*rows)
			MulRows(n, RowProduct{Dst: all, X: x, W: w, Prec: BF16})
			for i, got := range all {
				want, size := 0.0, 0.0
				for j, a := range v[i%rows*cols : (i%rows+1)*cols] {
					p := float64(quant.BF16Value(quant.BF16Bits(a))) * float64(quant.BF16Value(quant.BF16Bits(x[i/rows*cols+j])))
					want, size = want+p, size+math.Abs(p)
				}
				if err := math.Abs(want - float64(got)); !(err <= rowBound(cols)*size+1e-30) {
					t.Fatalf("%v [%d,%d]: row %d of input %d is %v, want %v", typ, rows, cols, i%rows, i/rows, got, want)
				}
			}
			for _, size := range []int{1, 2, 3, 4, 5, 9} {
				lo := r.IntN(n - size + 1)
				part := x[lo*cols : (lo+size)*cols]
				got, again, exact, plain := make([]float32, size*rows), make([]float32, size*rows), make([]float32, size*rows), make([]float32, size*rows)
				MulRows(size, RowProduct{got, part, w, BF16}, RowProduct{again, part, w, BF16}, RowProduct{exact, part, w, F32})
				sameBits(t, fmt.Sprintf("%v rows %d+%d", typ, lo, size), got, all[lo*rows:(lo+size)*rows])
				sameBits(t, "the second of equal inputs", again, got)
				mulRows(plain, part, w, size)
				sameBits(t, "float32 beside bfloat16", exact, plain)
			}
		}
	})
}

// TestRound: formats become bfloat16 by rounding what they become in float32, bit for bit but for subnormal values.
func TestRound(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		if active.Load().rowsBF16 == nil {
			t.Skip("products in float32")
		}
		for _, typ := range types() {
			const rows, cols = 40, 512
			w := weights(t, r, rows, cols, typ, false)
			x := make([]float32, 2*rows) // one value of a weight row is the product with a unit vector
			for _, c := range []int{0, 1, 15, 16, 31, 32, 63, 255, 256, 300, 511} {
				unit := make([]float32, 2*cols)
				unit[c], unit[cols+c] = 1, 1
				MulRows(2, RowProduct{x, unit, w, BF16})
				for i, v := range dense(w) {
					if want := quant.BF16Value(quant.BF16Bits(v)); i%cols == c && x[i/cols] != want && math.Abs(float64(want)) > 1e-37 {
						t.Fatalf("%v: value %d of row %d is %v, want %v", typ, c, i/cols, x[i/cols], want)
					}
				}
			}
		}
	})
}

// TestMulRows_independence: a row of the result is the same bits whatever else is in the batch, whatever product goes along, and
// however many threads there are; and it is the float32 matrix's that has the dequantised values.
func TestMulRows_independence(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, typ := range types() {
			rows, cols, n := 203, 512, 33
			if typ.Block() == 1 {
				cols = 333
			}
			w := weights(t, r, rows, cols, typ, true)
			x, want := randoms(r, n*cols), make([]float32, n*rows)
			setThreads(t, 1)
			mulRows(want, x, w, n)
			plain := make([]float32, n*rows)
			mulRows(plain, x, FromFloat32(rows, cols, dense(w)), n)
			sameBits(t, fmt.Sprintf("%v dequantised", typ), plain, want)
			for _, threads := range []int{1, 2, 5} {
				setThreads(t, threads)
				for _, size := range []int{1, 2, 3, 4, 5, 7, 16} {
					lo := r.IntN(n - size + 1)
					got, second := make([]float32, size*rows), make([]float32, size*rows)
					part := x[lo*cols : (lo+size)*cols]
					MulRows(size, RowProduct{second, part, w, F32}, RowProduct{got, part, w, F32})
					what := fmt.Sprintf("%v rows %d+%d, %d threads", typ, lo, size, threads)
					sameBits(t, what, got, want[lo*rows:(lo+size)*rows])
					sameBits(t, what, second, got)
				}
			}
		}
	})
}

func TestMulRows_nonFinite(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		const rows, cols, n = 9, 40, 3
		w, x := randoms(r, rows*cols), randoms(r, n*cols)
		x[cols+5] = float32(math.NaN())
		w[7*cols+2] = float32(math.Inf(1))
		y := make([]float32, n*rows)
		mulRows(y, x, FromFloat32(rows, cols, w), n)
		for i, v := range y {
			if (v != v) != (i/rows == 1) || math.IsInf(float64(v), 0) != (i/rows != 1 && i%rows == 7) {
				t.Fatalf("y[%d,%d] = %v", i/rows, i%rows, v)
			}
		}
	})
}

func TestMulRows_allocations(t *testing.T) {
	if raceDetector {
		t.Skip("sync.Pool drops what it is given at random")
	}
	r := rand.New(rand.NewPCG(5, 6))
	w := weights(t, r, 256, 512, quant.Q8_0, false)
	x, y := randoms(r, 2*512), make([]float32, 2*256)
	mulRows(y, x, w, 2)
	if n := testing.AllocsPerRun(20, func() { mulRows(y, x, w, 2) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkMulRows reads more weights than caches hold; bytes are the weights'.
func BenchmarkMulRows(b *testing.B) {
	const k = 576
	r := rand.New(rand.NewPCG(1, 2))
	values := randoms(r, 64*k)
	for _, typ := range types() {
		cols := (k + typ.Block() - 1) / typ.Block() * typ.Block()
		rows := (100 << 20) / typ.RowBytes(cols)
		data := make([]byte, rows*typ.RowBytes(cols))
		few := data[:64*typ.RowBytes(cols)]
		if typ.CanQuantize() && cols == k {
			quant.Quantize(few, typ, values)
		} else {
			randomBlocks(r, typ, few)
		}
		for n := len(few); n < len(data); n *= 2 {
			copy(data[n:], data[:n])
		}
		w, err := NewMatrix(rows, cols, typ, data)
		if err != nil {
			b.Fatal(err)
		}
		for _, t := range []int{1, 4, 16} {
			x, y := randoms(r, t*cols), make([]float32, t*rows)
			b.Run(fmt.Sprintf("%v/%d", typ, t), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					mulRows(y, x, w, t)
				}
				b.ReportMetric(2*float64(t)*float64(rows)*float64(cols)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// BenchmarkRead is a plain read of memory on all threads, which MulRows is measured against.
func BenchmarkRead(b *testing.B) {
	data := randoms(rand.New(rand.NewPCG(1, 2)), 100<<18)
	const parts = 16
	part := len(data) / parts
	b.SetBytes(int64(4 * len(data)))
	for b.Loop() {
		Parallel(parts, func(i int) { active.Load().vec.maximum(data[i*part : (i+1)*part]) })
	}
}
