package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// near fails unless got is within tol of want, relative to size.
func near(t *testing.T, what string, got float32, want, size, tol float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= tol*size) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}

// exp is dst = exp(x) as softmaxes have it.
func exp(dst, x []float32) { active.Load().vec.expSum(dst, x, 0) }

func TestExp_accuracy(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		x := make([]float32, 0, 200_000)
		for v := -87.33; v < 88.72; v += 1e-3 {
			x = append(x, float32(v+1e-3*r.Float64()))
		}
		x = append(x, 0, 88.72, -87.33, 1e-30, -1e-30)
		y := make([]float32, len(x))
		exp(y, x)
		for i, v := range x {
			want := math.Exp(float64(v))
			near(t, "exp", y[i], want, want, 2e-7)
		}
	})
}

func TestExp_extremes(t *testing.T) {
	inf := float32(math.Inf(1))
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, c := range [][2]float32{{inf, inf}, {-inf, 0}, {88.73, inf}, {1e30, inf}, {-104, 0}, {-1e30, 0}, {0, 1}} {
			y := []float32{0}
			exp(y, []float32{c[0]})
			if y[0] != c[1] {
				t.Errorf("exp(%v) = %v, want %v", c[0], y[0], c[1])
			}
		}
		y := []float32{-87.5, -95, -103, float32(math.NaN())}
		exp(y, y)
		for i, v := range []float64{-87.5, -95, -103} { // subnormal results: to one unit of their last place
			near(t, "subnormal", y[i], math.Exp(v), math.SmallestNonzeroFloat32, 1.5)
		}
		if y[3] == y[3] {
			t.Errorf("exp(NaN) = %v", y[3])
		}
	})
}

func TestVectors_lengths(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for n := range 131 {
			x := randoms(r, n)
			old := randoms(r, n)
			a := r.Float32()
			y, intact := guarded(old)
			Axpy(y, a, x)
			dot, size := 0.0, 0.0
			for i, v := range x {
				near(t, "axpy", y[i], float64(old[i])+float64(a)*float64(v), 2, 1e-7)
				dot += float64(v) * float64(old[i])
				size += math.Abs(float64(v) * float64(old[i]))
			}
			near(t, "dot", active.Load().vec.dot(x, old), dot, size, bound(n))
			copy(y, old)
			Add(y, x)
			for i, v := range x {
				if y[i] != old[i]+v {
					t.Fatalf("add: %v + %v = %v", old[i], v, y[i])
				}
			}
			Scale(y, a)
			for i, v := range x {
				if y[i] != (old[i]+v)*a {
					t.Fatal("scale")
				}
			}
			exp(y, x)
			for i, v := range x {
				near(t, "exp", y[i], math.Exp(float64(v)), 3, 2e-7)
			}
			if !intact() {
				t.Fatalf("length %d: wrote past the end", n)
			}
		}
	})
}

// silu is x·sigmoid(x) and its derivative.
func silu(x float64) (y, dy float64) {
	s := 1 / (1 + math.Exp(-x))
	return x * s, s + x*s*(1-s)
}

func TestSwiGLU(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, n := range []int{0, 1, 15, 16, 17, 100, 130, 3*grain + 5} {
			gate, up := randoms(r, n), randoms(r, n)
			Scale(gate, 12)
			y, ok := guarded(gate)
			SwiGLU(y, y, up)
			for i, g := range gate {
				f, _ := silu(float64(g))
				want := f * float64(up[i])
				near(t, "silu", y[i], want, math.Abs(want), 1e-6)
			}
			if !ok() {
				t.Fatalf("length %d: wrote past the end", n)
			}
		}
	})
}

func TestSwiGLU_extremes(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		gate := []float32{-1e30, -1000, -100, 100, 1e30, float32(math.NaN())}
		y := make([]float32, 6)
		SwiGLU(y, gate, []float32{1, 1, 1, 1, 1, 1})
		for i, want := range []float32{0, 0, 0, 100, 1e30} {
			if math.Abs(float64(y[i]-want)) > 1e-37 {
				t.Errorf("gate %v: %v", gate[i], y[i])
			}
		}
		if y[5] == y[5] {
			t.Error("NaN got lost")
		}
	})
}

// TestVectors_place: an element's value does not depend on its index or the length.
func TestVectors_place(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		const n = 67
		gate, up := randoms(r, n), randoms(r, n)
		exps, glu, ax := make([]float32, n), make([]float32, n), append([]float32(nil), up...)
		exp(exps, gate)
		SwiGLU(glu, gate, up)
		Axpy(ax, 0.3, gate)
		for i := range n {
			one, add := make([]float32, 1), []float32{up[i]}
			exp(one, gate[i:i+1])
			sameBits(t, "exp", one, exps[i:i+1])
			SwiGLU(one, gate[i:i+1], up[i:i+1])
			sameBits(t, "swiglu", one, glu[i:i+1])
			Axpy(add, 0.3, gate[i:i+1])
			sameBits(t, "axpy", add, ax[i:i+1])
		}
	})
}

func TestCrossEntropyRow_float64(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, n := range []int{1, 2, 15, 16, 33, 130, 5000, 50_000} {
			x := randoms(r, n)
			Scale(x, 30)
			x[r.IntN(n)] += 1000 // must not overflow
			label := r.IntN(n)
			top := float64(x[0])
			for _, v := range x {
				top = max(top, float64(v))
			}
			sum := 0.0
			for _, v := range x {
				sum += math.Exp(float64(v) - top)
			}
			lse := top + math.Log(sum)
			g, intact := guarded(x)
			loss := CrossEntropyRow(g, label, 0.5)
			near(t, "loss", float32(loss), lse-float64(x[label]), lse, 1e-6)
			for i, v := range x {
				want := math.Exp(float64(v) - lse)
				if i == label {
					want--
				}
				near(t, "gradient", g[i], want/2, 1, 1e-6)
			}
			if !intact() {
				t.Fatalf("length %d: wrote past the end", n)
			}
		}
	})
}

// TestCrossEntropy_nonFinite: a piece without finite logits adds nothing, and a NaN in one is not overlooked.
func TestCrossEntropy_nonFinite(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		x := make([]float32, 9000)
		for i := range x[:5000] {
			x[i] = float32(math.Inf(-1))
		}
		g := append([]float32(nil), x...)
		near(t, "loss", float32(CrossEntropyRow(g, 7000, 1)), math.Log(4000), 1, 1e-6)
		near(t, "gradient", g[6000], 1.0/4000, 1.0/4000, 1e-6)
		if g[10] != 0 || g[4999] != 0 {
			t.Errorf("gradients of -Inf: %v, %v", g[10], g[4999])
		}
		x[77] = float32(math.NaN())
		if loss := CrossEntropyRow(x, 7000, 1); loss == loss {
			t.Errorf("loss %v with a NaN", loss)
		}
	})
}

// BenchmarkCrossEntropy is one row of logits; the copy that renews them counts.
func BenchmarkCrossEntropy(b *testing.B) {
	before := Backend()
	defer mustUse(b, before)
	for _, name := range Backends() {
		for _, n := range []int{49_152, 151_936} {
			x := randoms(rand.New(rand.NewPCG(1, 2)), n)
			y := make([]float32, n)
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				mustUse(b, name)
				for b.Loop() {
					copy(y, x)
					CrossEntropyRow(y, 77, 0.01)
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelem/s")
			})
		}
	}
}

func BenchmarkElementwise(b *testing.B) {
	const n = 1 << 14
	r := rand.New(rand.NewPCG(1, 2))
	x, y, z, gain := randoms(r, n), randoms(r, n), randoms(r, n), randoms(r, 512)
	before := Backend()
	defer mustUse(b, before)
	for _, name := range Backends() {
		for what, f := range map[string]func(){
			"exp":    func() { exp(y, x) },
			"swiglu": func() { SwiGLU(y, x, z) },
			"dot":    func() { active.Load().vec.dot(x, z) },
			"norm":   func() { NormRows(y, x, gain, n/512, 512, 1e-5) },
		} {
			b.Run(name+"/"+what, func(b *testing.B) {
				mustUse(b, name)
				for b.Loop() {
					f()
				}
				b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelem/s")
			})
		}
	}
}
