package arith

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"ft/internal/kernels"
	"ft/internal/linalg"
	"ft/internal/suggest"
	"ft/lora"
	"ft/peft"
)

// combination is one way to combine adapters.
type combination struct {
	name  string
	on    operands
	prune pruning
	elect bool // keep the values of the majority's sign and average them (TIES, Yadav et al. 2023, arXiv:2306.01708)
}

// operands are what a combination adds up.
type operands int

const (
	stack    operands = iota // nothing: the factors stand one above the other, which is the exact sum of the products
	factors                  // A and B apart, so that products of different adapters come in
	products                 // Scale·B·A, of whose sum the best approximation of the rank is taken
)

// combinations are all ways, under PEFT's names.
var combinations = []combination{
	{"cat", stack, nil, false},
	{"linear", factors, nil, false},
	{"ties", factors, largest, true},
	{"magnitude_prune", factors, largest, false},
	{"dare_linear", factors, drop, false},
	{"dare_ties", factors, drop, true},
	{"svd", products, nil, false},
	{"ties_svd", products, largest, true},
	{"magnitude_prune_svd", products, largest, false},
	{"dare_linear_svd", products, drop, false},
	{"dare_ties_svd", products, drop, true},
}

// Combinations are the names of all ways to combine.
func Combinations() []string {
	var names []string
	for _, c := range combinations {
		names = append(names, c.name)
	}
	return names
}

// Input is an adapter of a combination.
type Input struct {
	Name   string // for messages
	Pairs  []lora.Pair
	Weight float64 // of its product, may be negative
}

// Options say how to combine.
type Options struct {
	Combine  string  // one of Combinations
	Rank     int     // of the result of a combination that ends in svd; 0: the largest of the adapters'
	Density  float64 // share of values that ties, magnitude_prune and dare keep, above 0 and up to 1; 0 where nothing is pruned
	Majority string  // how signs are elected: by "total" of the values, which "" means too, or by their "frequency"
	Seed     uint64  // of what dare drops
}

// Module tells how a module came out.
type Module struct {
	Path  string  `json:"module"`
	Rank  int     `json:"rank"`
	Error float64 `json:"error"` // Frobenius norm of what the rank cut off, relative to the whole
}

// Result is an adapter that was calculated.
type Result struct {
	Pairs   []lora.Pair
	Rank    int
	Modules []Module // empty where nothing was cut off
	Error   float64  // of all modules together
	Others  []string // tensors that differ between two models and have no place in the adapter
}

// State is the result as its directory keeps it.
func (r *Result) State() peft.State { return lora.PairState(r.Pairs) }

// Check reports what is wrong with the options, joined, each with the name of its flag.
func (o Options) Check() error {
	c, err := o.combination()
	if err != nil {
		return err
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case c.prune == nil && o.Density != 0:
		bad("--density: %s keeps all values", c.name)
	case c.prune != nil && o.Density == 0:
		bad("--density is needed for %s: the share of values to keep, such as 0.5", c.name)
	case c.prune != nil && !(o.Density > 0 && o.Density <= 1):
		bad("--density: must be above 0 and up to 1, got %v", o.Density)
	}
	if !slices.Contains([]string{"", "total", "frequency"}, o.Majority) {
		bad("--majority: unknown %q (have: total, frequency)", o.Majority)
	} else if o.Majority != "" && !c.elect {
		bad("--majority: %s elects no signs", c.name)
	}
	if o.Rank != 0 && c.on != products {
		bad("--rank: the result of %s has the rank that it has; a combination that ends in svd cuts to a rank", c.name)
	} else if o.Rank < 0 {
		bad("--rank: must be 1 or more, got %d", o.Rank)
	}
	return errors.Join(errs...)
}

func (o Options) combination() (combination, error) {
	for _, c := range combinations {
		if c.name == o.Combine {
			return c, nil
		}
	}
	hint := ""
	if near := suggest.Nearest(o.Combine, Combinations()); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return combination{}, fmt.Errorf("--combine: unknown combination %q%s (have: %s)", o.Combine, hint, strings.Join(Combinations(), ", "))
}

// share is one adapter's part in one module.
type share struct {
	*lora.Pair
	name   string
	index  int // of the adapter
	weight float64
}

// Combine adds up adapters of one base. A module that only some of them have is made of these.
func Combine(inputs []Input, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	c, err := o.combination()
	if err != nil {
		return nil, err
	}
	modules := map[string][]share{}
	largest := 0
	for i, in := range inputs {
		if in.Weight-in.Weight != 0 {
			return nil, fmt.Errorf("%s: the weight %v is no finite number", in.Name, in.Weight)
		}
		for j := range in.Pairs {
			p := &in.Pairs[j]
			modules[p.Module] = append(modules[p.Module], share{p, in.Name, i, in.Weight})
			largest = max(largest, p.Rank)
		}
	}
	r := &Result{}
	errs := &tally{}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		shares := modules[path]
		if err := sameShape(path, shares, c.on == factors, c.name); err != nil {
			return nil, err
		}
		p, err := c.module(shares, o, cmp.Or(o.Rank, largest), errs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		p.Module, p.Embedding, p.In, p.Out, p.Scale = path, shares[0].Embedding, shares[0].In, shares[0].Out, 1
		r.Pairs = append(r.Pairs, p)
		r.Rank = max(r.Rank, p.Rank)
	}
	r.Modules, r.Error = errs.modules, errs.total()
	return r, nil
}

// sameShape refuses adapters that were made for different bases, and different ranks where factors are added.
func sameShape(path string, shares []share, ranks bool, how string) error {
	a := shares[0]
	for _, b := range shares[1:] {
		if a.In != b.In || a.Out != b.Out || a.Embedding != b.Embedding {
			return fmt.Errorf("%s is [%d,%d] in %s and [%d,%d] in %s: they are for different bases", path, a.Out, a.In, a.name, b.Out, b.In, b.name)
		}
		if ranks && a.Rank != b.Rank {
			return fmt.Errorf("%s has rank %d in %s and %d in %s: %s adds up the factors themselves, which must have one rank; use cat, or a combination that ends in svd",
				path, a.Rank, a.name, b.Rank, b.name, how)
		}
	}
	return nil
}

// module combines one module's shares into a pair of scale 1.
func (c combination) module(shares []share, o Options, rank int, errs *tally) (lora.Pair, error) {
	switch {
	case c.on == stack:
		return stacked(shares), nil
	case c.on == factors:
		return c.added(shares, o), nil
	case c.prune == nil && !c.elect:
		return summed(shares, rank, errs)
	}
	return c.cut(shares, o, rank, errs)
}

// stacked is [w·s·A; …] and [B, …].
func stacked(shares []share) lora.Pair {
	p := lora.Pair{}
	for _, s := range shares {
		p.Rank += s.Rank
	}
	p.B = make([]float32, shares[0].Out*p.Rank)
	at := 0
	for _, s := range shares {
		for _, v := range s.A {
			p.A = append(p.A, float32(s.weight*s.Scale*float64(v)))
		}
		for i := range s.Out {
			copy(p.B[i*p.Rank+at:], s.B[i*s.Rank:(i+1)*s.Rank])
		}
		at += s.Rank
	}
	return p
}

// added adds up A and B apart. The weight's root goes to each, its sign to A.
func (c combination) added(shares []share, o Options) lora.Pair {
	p := lora.Pair{Rank: shares[0].Rank}
	for _, side := range []struct {
		name string
		to   *[]float32
	}{{"A", &p.A}, {"B", &p.B}} {
		var ts []tensor
		for _, s := range shares {
			w := s.weight * s.Scale
			t := tensor{values: s.A, weight: math.Copysign(math.Sqrt(math.Abs(w)), w), key: key(o.Seed, s.index, s.Module, side.name)}
			if side.name == "B" {
				t.values, t.weight = s.B, math.Abs(t.weight)
			}
			ts = append(ts, t)
		}
		*side.to = c.mix(ts, o)
	}
	return p
}

// summed is the best approximation of Σ w·s·B·A.
func summed(shares []share, rank int, errs *tally) (lora.Pair, error) {
	var terms []linalg.Term
	for _, s := range shares {
		terms = append(terms, linalg.Term{Factor: s.weight * s.Scale, Rank: s.Rank, A: s.A, B: s.B})
	}
	first := shares[0]
	d, size, err := linalg.TruncatedSum(first.Out, first.In, rank, terms)
	if err != nil {
		return lora.Pair{}, err
	}
	rest := size * size
	for _, v := range d.S {
		rest -= v * v
	}
	if rest < 1e-14*size*size { // rounding
		rest = 0
	}
	errs.add(first.Module, rank, math.Sqrt(rest), size)
	p := lora.Pair{Rank: rank}
	p.A, p.B = d.Split(1)
	return p, nil
}

// cut is the best approximation of the mixed products.
func (c combination) cut(shares []share, o Options, rank int, errs *tally) (lora.Pair, error) {
	first := shares[0]
	m, n := first.Out, first.In
	var ts []tensor
	for _, s := range shares {
		product := make([]float32, m*n)
		kernels.Gemm(product, n, s.B, s.Rank, false, s.A, n, false, m, n, s.Rank, float32(s.Scale), false)
		ts = append(ts, tensor{values: product, weight: s.weight, key: key(o.Seed, s.index, s.Module, "product")})
	}
	p, rest, size, err := approximate(kernels.FromFloat32(m, n, c.mix(ts, o)), rank)
	if err == nil {
		errs.add(first.Module, p.Rank, rest, size)
	}
	return p, err
}

// approximate is the best pair of a rank, or of the largest that w can have, and the Frobenius norms of what it lacks and of w.
func approximate(w *kernels.Matrix, rank int) (p lora.Pair, rest, size float64, err error) {
	p = lora.Pair{Rank: min(rank, w.Rows, w.Cols), In: w.Cols, Out: w.Rows, Scale: 1}
	d, err := linalg.Truncated(w, p.Rank, linalg.Exact)
	if err != nil {
		return p, 0, 0, err
	}
	p.A, p.B = d.Split(1)
	rest, size = linalg.Distance(w, p.A, p.B, p.Rank, 1)
	return p, rest, size, nil
}

// tally collects errors.
type tally struct {
	modules    []Module
	rest, size float64
}

func (t *tally) add(path string, rank int, rest, size float64) {
	m := Module{Path: path, Rank: rank}
	if size > 0 {
		m.Error = rest / size
	}
	t.modules = append(t.modules, m)
	t.rest, t.size = t.rest+rest*rest, t.size+size*size
}

func (t *tally) total() float64 {
	if t.size == 0 {
		return 0
	}
	return math.Sqrt(t.rest / t.size)
}
