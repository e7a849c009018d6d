package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ft/internal/quant"
)

// toRows runs a product of terms that fill adds into fresh rows [m,n].
func toRows(m, n int, prec Precision, fill func(p *Product)) []float32 {
	c := make([]float32, m*n)
	p := Product{M: m, N: n, Prec: prec, Sink: Sink{Kind: ToRows, Rows: c, LD: n}}
	fill(&p)
	p.Run()
	return c
}

// checkProduct compares the product of a random Act [m,k] and a right side of a kind with float64.
func checkProduct(t *testing.T, r *rand.Rand, m, n, k int, kind string, typ quant.Type, prec Precision) {
	t.Helper()
	a := randomAct(r, m, k, prec)
	left, av := Acts(a), a.values64()
	if r.IntN(3) == 0 {
		mask := randomMask(r, m)
		left, av = Masked(a, mask), masked(av, mask, k, prec)
	}
	b, bv := newRight(t, r, kind, k, n, typ, prec)
	got := toRows(m, n, prec, func(p *Product) { p.Add(left, b, false) })
	want := newSum64(m, n)
	want.add(av, bv, k, nil)
	what := fmt.Sprintf("%s %v m=%d n=%d k=%d dropout=%v", kind, typ, m, n, k, left.mask.on())
	want.check(t, what, 1, func(i, j int) float32 { return got[i*n+j] })
}

// TestProduct_types: every format, as it is stored and transposed, with and without a row map, sizes off the blocks'.
// The bound is that of a float32 sum of k products, of inputs rounded to bfloat16 where that is the precision.
func TestProduct_types(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, typ := range types() {
			for range 2 {
				rows, cols := 1+r.IntN(70), typ.Block()*(1+r.IntN(2))
				if typ.Block() < 256 {
					cols = typ.Block() * (1 + r.IntN(130/typ.Block()))
				}
				checkProduct(t, r, 1+r.IntN(40), rows, cols, "weightsT", typ, prec)
				checkProduct(t, r, 1+r.IntN(40), cols, rows, "weights", typ, prec)
			}
		}
	})
}

// TestProduct_edges: every kind of operand with edges in each dimension.
func TestProduct_edges(t *testing.T) {
	edges := []int{1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100}
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, kind := range rightKinds {
			for _, e := range edges {
				for at := range 3 {
					s := [3]int{edges[r.IntN(len(edges))], edges[r.IntN(len(edges))], edges[r.IntN(len(edges))]}
					s[at] = e
					checkProduct(t, r, s[0], s[1], s[2], kind, []quant.Type{quant.F32, quant.BF16}[r.IntN(2)], prec)
				}
			}
			checkProduct(t, r, 3, 40, 2*packChunk+50, kind, quant.F16, prec)
			checkProduct(t, r, 3, 700, 40, kind, quant.F32, prec)
		}
	})
}

// TestProduct_left: plain values on the left, as Gemm has them.
func TestProduct_left(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for range 30 {
			m, n, k := 1+r.IntN(80), 1+r.IntN(40), 1+r.IntN(80)
			a := newStored(r, m, k, r.IntN(2) == 0)
			b, bv := newRight(t, r, "values", k, n, quant.F32, prec)
			got := toRows(m, n, prec, func(p *Product) { p.Add(Left{f: a.v, ld: a.ld, trans: a.trans}, b, false) })
			want := newSum64(m, n)
			want.add(rounded64(a.v, a.ld, m, k, a.trans, prec), bv, k, nil)
			want.check(t, fmt.Sprintf("[%d,%d,%d] trans=%v", m, n, k, a.trans), 1, func(i, j int) float32 { return got[i*n+j] })
		}
	})
}

// TestProduct_nothing: a sum over nothing is zero, whatever the scratch memory held.
func TestProduct_nothing(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		const m, n = 5, 40
		a := randomAct(r, m, 32, prec)
		full, _ := newRight(t, r, "values", 32, n, quant.F32, prec)
		toRows(m, n, prec, func(p *Product) { p.Add(Acts(a), full, false) })
		empty := randomAct(r, m, 0, prec)
		for name, fill := range map[string]func(p *Product){
			"no term":     func(p *Product) {},
			"no depth":    func(p *Product) { p.Add(Acts(empty), Values(nil, n, 0, n, false), false) },
			"masked":      func(p *Product) { p.AddMasked(Acts(empty), Values(nil, n, 0, n, false), randomMask(r, m)) },
			"no features": func(p *Product) { p.Add(Left{}, Values(nil, 0, 0, n, true), false) },
		} {
			for i, v := range toRows(m, n, prec, fill) {
				if v != 0 {
					t.Fatalf("%s: value %d is %v", name, i, v)
				}
			}
		}
	})
}

// randomTerms are a weight with its low-rank term, dropout before and behind, and activations: what a stage sums.
func randomTerms(t *testing.T, r *rand.Rand, m, n int, prec Precision, pair bool) (fill func(p *Product), want *sum64) {
	t.Helper()
	want = newSum64(m, n)
	var adds []func(p *Product)
	for i, kind := range rightKinds {
		k := []int{96, 8 + r.IntN(30), 16, 40, 33, 10}[i]
		a := randomAct(r, m, k, prec)
		b, bv := newRight(t, r, kind, k, n, quant.BF16, prec)
		mask := randomMask(r, m)
		switch i % 3 {
		case 0:
			adds = append(adds, func(p *Product) { p.Add(Acts(a), b, pair) })
			want.add(a.values64(), bv, k, nil)
		case 1:
			adds = append(adds, func(p *Product) { p.Add(Masked(a, mask), b, pair) })
			want.add(masked(a.values64(), mask, k, prec), bv, k, nil)
		default:
			if pair { // a product with dropout belongs to the first sum only
				mask = Mask{}
				adds = append(adds, func(p *Product) { p.Add(Acts(a), b, true) })
				want.add(a.values64(), bv, k, nil)
				break
			}
			adds = append(adds, func(p *Product) { p.AddMasked(Acts(a), b, mask) })
			want.add(a.values64(), bv, k, mask.Factors(n))
		}
	}
	r.Shuffle(len(adds), func(i, j int) { adds[i], adds[j] = adds[j], adds[i] })
	return func(p *Product) {
		for _, add := range adds {
			add(p)
		}
	}, want
}

func TestProduct_terms(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range [][2]int{{1, 32}, {33, 70}, {70, 33}, {5, 300}} {
			m, n := s[0], s[1]
			fill, want := randomTerms(t, r, m, n, prec, false)
			got := toRows(m, n, prec, fill)
			want.check(t, fmt.Sprint(s), 1, func(i, j int) float32 { return got[i*n+j] })
		}
	})
}

// TestProduct_slices: a product that goes through B in slices of any size has the bits of one that does not.
func TestProduct_slices(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		const m, n, k = 70, 100, 1200
		one, _ := randomTerms(t, r, m, n, prec, false)
		two, _ := randomTerms(t, r, m, n, prec, true)
		a, x := randomAct(r, m, k, prec), newStored(r, m, k, r.IntN(2) == 0)
		deep, _ := newRight(t, r, rightKinds[r.IntN(len(rightKinds))], k, n, quant.F16, prec)
		var want [3]Act
		for _, slice := range []int{0, chunkBlocks, 2 * chunkBlocks, 5 * chunkBlocks} {
			var got [3]Act
			for i := range got {
				got[i], _ = emptyAct(m, n, prec)
			}
			p := Product{M: m, N: n, Prec: prec, Sink: Sink{Kind: ToGated, Gate: got[0], Up: got[1], Out: got[2]}}
			two(&p)
			p.pairs--
			p.Add(Masked(a, randomMask(rand.New(rand.NewPCG(1, 1)), m)), deep, true)
			one(&p)
			p.count--
			p.Add(Left{f: x.v, ld: x.ld, trans: x.trans}, deep, false)
			tasks := p.plan(1)
			p.slice = slice
			for i := range tasks {
				p.Task(i)
			}
			if slice == 0 {
				want = got
			}
			for i := range got {
				sameBits(t, fmt.Sprintf("slices of %d blocks", slice), got[i].data, want[i].data)
			}
		}
	})
}

// TestProduct_deep: what leaves the second-level cache goes through B in slices, and comes out right.
func TestProduct_deep(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		if prec == BF16 && !HasBF16() && Backend() != "generic" {
			t.Skip("the Go twin, as in the generic backend")
		}
		const m, n = 3, 35
		k := panelBudget/blockWords/2*prec.Width() + 77
		a := randomAct(r, m, k, prec)
		for _, kind := range rightKinds {
			b, bv := newRight(t, r, kind, k, n, quant.BF16, prec)
			setThreads(t, 1+r.IntN(3))
			got := toRows(m, n, prec, func(p *Product) {
				if p.Add(Acts(a), b, false); p.plan(1) == 0 || p.slice == 0 {
					t.Fatalf("%s: not sliced", kind)
				}
			})
			want := newSum64(m, n)
			want.add(a.values64(), bv, k, nil)
			want.check(t, kind, 1, func(i, j int) float32 { return got[i*n+j] })
		}
	})
}

// TestProduct_threads: the bits of all results depend neither on the threads nor on how the work is cut.
func TestProduct_threads(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range [][2]int{{200, 20}, {40, 200}, {1, 400}} {
			m, n := s[0], s[1]
			one, _ := randomTerms(t, r, m, n, prec, false)
			two, _ := randomTerms(t, r, m, n, prec, true)
			gate, up := make([]Act, 4), make([]Act, 4)
			out, rows := make([]Act, 4), make([][]float32, 4)
			for i, threads := range []int{1, 2, 3, 5} {
				gate[i], _ = emptyAct(m, n, prec)
				up[i], _ = emptyAct(m, n, prec)
				out[i], _ = emptyAct(m, n, prec)
				p := Product{M: m, N: n, Prec: prec, Sink: Sink{Kind: ToGated, Gate: gate[i], Up: up[i], Out: out[i]}}
				one(&p)
				two(&p)
				setThreads(t, threads)
				p.Run()
				rows[i] = toRows(m, n, prec, one)
				what := fmt.Sprintf("%v with %d threads", s, threads)
				sameBits(t, "rows "+what, rows[i], rows[0])
				sameBits(t, "gate "+what, gate[i].data, gate[0].data)
				sameBits(t, "up "+what, up[i].data, up[0].data)
				sameBits(t, "out "+what, out[i].data, out[0].data)
			}
		}
	})
}

// TestProduct_rows: a strip's product depends on the strip alone, however many others there are, and a row's on the row.
func TestProduct_rows(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		const m, n, k = 150, 70, 300
		a := randomAct(r, m, k, prec)
		for _, kind := range rightKinds {
			b, _ := newRight(t, r, kind, k, n, quant.BF16, prec)
			all := toRows(m, n, prec, func(p *Product) { p.Add(Acts(a), b, false) })
			for lo := 0; lo < m; lo += StripRows {
				size := 1 + r.IntN(m-lo)
				got := toRows(size, n, prec, func(p *Product) { p.Add(Acts(a.from(lo, size)), b, false) })
				sameBits(t, fmt.Sprintf("%s rows %d+%d", kind, lo, size), got, all[lo*n:(lo+size)*n])
			}
			row := r.IntN(m)
			one, _ := emptyAct(1, k, prec)
			x := make([]float32, k)
			for j := range x {
				x[j] = a.At(row, j)
			}
			Rounded(one, x)
			got := toRows(1, n, prec, func(p *Product) { p.Add(Acts(one), b, false) })
			sameBits(t, fmt.Sprintf("%s row %d", kind, row), got, all[row*n:(row+1)*n])
		}
	})
}

// TestProduct_nonFinite: what is not finite stays in its row of A and its column of B.
func TestProduct_nonFinite(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		const m, n, k, nanRow, infRow, infCol = 40, 50, 70, 33, 5, 20
		for _, kind := range []string{"weightsT", "weights", "valuesT", "values"} {
			v := randoms(r, m*k)
			v[nanRow*k+69] = float32(math.NaN())
			v[infRow*k+3] = float32(math.Inf(1))
			a, _ := emptyAct(m, k, prec)
			Rounded(a, v)
			ones, w := make([]float32, k*n), 3*n+infCol // of row 3, which multiplies the infinity
			for i := range ones {
				ones[i] = 1
			}
			trans := kind == "weightsT" || kind == "valuesT"
			if trans {
				w = infCol*k + 3
			}
			ones[w] = float32(math.Inf(1))
			b := map[string]func() Operand{
				"weightsT": func() Operand { return WeightsT(FromFloat32(n, k, ones)) },
				"weights":  func() Operand { return Weights(FromFloat32(k, n, ones)) },
				"valuesT":  func() Operand { return Values(ones, k, k, n, true) },
				"values":   func() Operand { return Values(ones, n, k, n, false) },
			}[kind]()
			got := toRows(m, n, prec, func(p *Product) { p.Add(Acts(a), b, false) })
			for i := range m {
				for j := range n {
					c := float64(got[i*n+j])
					switch {
					case i == nanRow && c == c, i != nanRow && c != c,
						i == infRow && !math.IsInf(c, 1) && j != infCol,
						i != nanRow && i != infRow && math.IsInf(c, 0) != (j == infCol):
						t.Fatalf("%s: C[%d,%d] = %v", kind, i, j, c)
					}
				}
			}
		}
	})
}

// TestProduct_allocations: a product in steady state allocates nothing.
func TestProduct_allocations(t *testing.T) {
	if raceDetector {
		t.Skip("sync.Pool drops what it is given at random")
	}
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		const m, n, k = 40, 50, 70
		a, out := randomAct(r, m, k, prec), randomAct(r, m, n, prec)
		gate, up := randomAct(r, m, n, prec), randomAct(r, m, n, prec)
		b, _ := newRight(t, r, "weightsT", k, n, quant.BF16, prec)
		var p Product
		if got := testing.AllocsPerRun(20, func() {
			p.Reset(m, n, prec)
			p.Add(Acts(a), b, false)
			p.Add(Acts(a), b, true)
			p.Sink = Sink{Kind: ToGated, Gate: gate, Up: up, Out: out}
			p.runOn(active.Load())
		}); got != 0 {
			t.Errorf("%v allocations", got)
		}
	})
}

// TestProduct_long: a float32 sum over a vocabulary is as good as one over a few hundred values, however it is sliced.
func TestProduct_long(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		if prec != F32 {
			return
		}
		const m, n, k = 3, 40, 49152
		a, b := randoms(r, m*k), randoms(r, k*n)
		for i := range a {
			a[i] = float32(math.Abs(float64(a[i])))
		}
		for i := range b {
			b[i] = float32(math.Abs(float64(b[i])))
		}
		act, _ := emptyAct(m, k, prec)
		Rounded(act, a)
		run := func(threads int) []float32 {
			was := Threads()
			defer SetThreads(was)
			SetThreads(threads)
			return toRows(m, n, prec, func(p *Product) { p.Add(Acts(act), Values(b, n, k, n, false), false) })
		}
		got := run(1)
		if !slices.Equal(got, run(5)) {
			t.Error("another sum with 5 threads")
		}
		for i := range m {
			for j := range n {
				want := 0.0
				for c := range k {
					want += float64(a[i*k+c]) * float64(b[c*n+j])
				}
				if off := math.Abs(float64(got[i*n+j])/want - 1); off > 1.5e-6 {
					t.Fatalf("[%d,%d] is %g off", i, j, off)
				}
			}
		}
	})
}
