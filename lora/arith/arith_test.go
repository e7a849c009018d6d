package arith_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/lora"
	"ft/lora/arith"
)

// random is an adapter with pairs of the given rank in modules of [out,in].
func random(seed uint64, rank, out, in int, modules ...string) (pairs []lora.Pair) {
	r := rand.New(rand.NewPCG(seed, 1))
	fill := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	for _, m := range modules {
		pairs = append(pairs, lora.Pair{Module: m, Rank: rank, In: in, Out: out, Scale: 1.5, A: fill(rank * in), B: fill(out * rank)})
	}
	return pairs
}

func two(density float64, how string) ([]arith.Input, arith.Options) {
	return []arith.Input{
		{Name: "a", Pairs: random(1, 4, 24, 32, "x", "y"), Weight: 0.7}, {Name: "b", Pairs: random(2, 4, 24, 32, "x", "z"), Weight: -0.4},
	}, arith.Options{Combine: how, Density: density}
}

func mustCombine(t *testing.T, in []arith.Input, o arith.Options) map[string][]float32 {
	t.Helper()
	r, err := arith.Combine(in, o)
	if err != nil {
		t.Fatal(err)
	}
	return products(r.State())
}

// TestDare_all: with nothing dropped, dare is the combination without it.
func TestDare_all(t *testing.T) {
	for dare, plain := range map[string]string{
		"dare_linear": "linear", "dare_linear_svd": "svd", "dare_ties": "ties", "dare_ties_svd": "ties_svd",
	} {
		in, o := two(1, dare)
		got := mustCombine(t, in, o)
		in, o = two(1, plain)
		if plain == "linear" || plain == "svd" {
			o.Density = 0
		}
		for name, w := range mustCombine(t, in, o) {
			testkit.Near(t, dare+" "+name, got[name], w, 1e-5, 0)
		}
	}
}

// TestDare: the mean over many seeds is what no dropping gives, and one draw drops the share it should. The product of factors dropped
// apart has that mean too, as they are drawn independently; of a sum only where each product is of one adapter.
func TestDare(t *testing.T) {
	const density, draws = 0.4, 4000
	in := []arith.Input{{Name: "a", Pairs: random(3, 2, 6, 7, "x"), Weight: 1}}
	want := mustCombine(t, in, arith.Options{Combine: "linear"})["x"]
	sum := make([]float64, len(want))
	var first []float32
	for seed := range uint64(draws) {
		r, err := arith.Combine(in, arith.Options{Combine: "dare_linear", Density: density, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if seed == 0 {
			first = r.Pairs[0].A
		} else if slices.Equal(first, r.Pairs[0].A) {
			t.Fatal("another seed draws the same")
		}
		for i, v := range products(r.State())["x"] {
			sum[i] += float64(v) / draws
		}
	}
	// The deviation of a value's mean is at most about 3·(1/density²)/√draws of the typical value.
	testkit.Near(t, "mean", sum, want, 0.1, 0)

	big := []arith.Input{{Name: "a", Pairs: random(3, 50, 100, 200, "x"), Weight: 1}}
	r, err := arith.Combine(big, arith.Options{Combine: "dare_linear", Density: density})
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, v := range r.Pairs[0].A {
		if v != 0 {
			kept++
		}
	}
	if share := float64(kept) / float64(len(r.Pairs[0].A)); math.Abs(share-density) > 0.02 {
		t.Errorf("%.3f of the values are left, want %v", share, density)
	}
}

// TestPrune_ties: of values of one magnitude those that come first stay.
func TestPrune_ties(t *testing.T) {
	p := lora.Pair{Module: "x", Rank: 1, In: 6, Out: 1, Scale: 1, A: []float32{1, -2, 1, -1, 2, 1}, B: []float32{1}}
	r, err := arith.Combine([]arith.Input{{Name: "a", Pairs: []lora.Pair{p}, Weight: 1}}, arith.Options{Combine: "magnitude_prune_svd", Density: 0.7, Rank: 1})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Near(t, "kept", products(r.State())["x"], []float32{1, -2, 1, 0, 2, 0}, 1e-6, 0)
}

// TestError: what is said to be cut off is what is cut off.
func TestError(t *testing.T) {
	in, _ := two(0, "")
	exact := mustCombine(t, in, arith.Options{Combine: "cat"})
	r, err := arith.Combine(in, arith.Options{Combine: "svd", Rank: 3})
	if err != nil {
		t.Fatal(err)
	}
	var rest, size float64
	for i, m := range r.Modules {
		var d, s float64
		for j, v := range products(r.State())[m.Path] {
			w := float64(exact[m.Path][j])
			d += (float64(v) - w) * (float64(v) - w)
			s += w * w
		}
		if want := math.Sqrt(d / s); math.Abs(m.Error-want) > 1e-5 || m.Error < 0.1 {
			t.Errorf("module %d %s: error %g, found %g", i, m.Path, m.Error, want)
		}
		rest, size = rest+d, size+s
	}
	if want := math.Sqrt(rest / size); len(r.Modules) != 3 || math.Abs(r.Error-want) > 1e-5 {
		t.Errorf("error of all %d modules %g, found %g", len(r.Modules), r.Error, want)
	}
	if r, err = arith.Combine(in, arith.Options{Combine: "svd", Rank: 9}); err != nil || r.Error != 0 {
		t.Errorf("rank enough: error %v, %v", r.Error, err)
	}
}

func TestCombine_refuses(t *testing.T) {
	same := random(1, 4, 24, 32, "x")
	for _, c := range []struct {
		b    []lora.Pair
		o    arith.Options
		want string
	}{
		{same, arith.Options{Combine: "tise", Density: 0.5}, `unknown combination "tise"; did you mean "ties"?`},
		{same, arith.Options{Combine: "ties"}, "--density is needed for ties"},
		{same, arith.Options{Combine: "ties", Density: 1.5}, "--density: must be above 0 and up to 1, got 1.5"},
		{same, arith.Options{Combine: "cat", Density: 0.5}, "--density: cat keeps all values"},
		{same, arith.Options{Combine: "linear", Rank: 4}, "--rank: the result of linear"},
		{same, arith.Options{Combine: "svd", Rank: -4}, "--rank: must be 1 or more"},
		{same, arith.Options{Combine: "svd", Majority: "total"}, "--majority: svd elects no signs"},
		{same, arith.Options{Combine: "ties", Density: 1, Majority: "most"}, `--majority: unknown "most"`},
		{random(1, 5, 24, 32, "x"), arith.Options{Combine: "linear"}, "x has rank 4 in a and 5 in b"},
		{random(1, 4, 24, 30, "x"), arith.Options{Combine: "cat"}, "x is [24,32] in a and [24,30] in b: they are for different bases"},
	} {
		t.Run(fmt.Sprintf("%v", c.o), func(t *testing.T) {
			_, err := arith.Combine([]arith.Input{{Name: "a", Pairs: same, Weight: 1}, {Name: "b", Pairs: c.b, Weight: 1}}, c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
	if _, err := arith.Combine([]arith.Input{{Name: "a", Pairs: same, Weight: math.NaN()}}, arith.Options{Combine: "cat"}); err == nil {
		t.Error("a weight that is no number: no error")
	}
}
