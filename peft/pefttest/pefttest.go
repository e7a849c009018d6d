// Package pefttest is the conformance suite that every method must pass. It runs on a tiny llama that it makes
// itself, and asks of a method what its users rely on: that a fresh adapter changes nothing, that only the
// adapter learns and learns the right gradients, and that saving and merging change nothing either.
package pefttest

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ft/dataset"
	"ft/internal/testkit"
	"ft/model"
	"ft/nn"
	"ft/peft"
)

// Subject is a method under test.
type Subject struct {
	Method peft.Method // without dropout, which would differ between two passes
	Load   func(peft.Host, *peft.Saved) (peft.Adapter, error)
	Base   string // directory of the base; empty for the suite's own
	// Soft says that the method puts virtual positions in front of the text: a fresh adapter changes what the base says, and none can
	// be merged.
	Soft bool
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	if s.Soft {
		t.Run("cannot be merged", s.unmerged)
	} else {
		t.Run("fresh adapter changes nothing", s.fresh)
		t.Run("merge", s.merged)
	}
	t.Run("parameters", s.parameters)
	t.Run("slots can be cleared", s.cleared)
	t.Run("gradients", s.gradients)
	t.Run("save and load", s.saved)
}

// attach puts the method on a new tiny model. With stir every parameter then gets a random value, as after training.
func (s Subject) attach(t *testing.T, stir bool) (*model.Model, peft.Adapter) {
	t.Helper()
	m := s.base(t)
	a, err := s.Method.Attach(m)
	if err != nil {
		t.Fatal(err)
	}
	if stir {
		r := rand.New(rand.NewPCG(7, 7))
		for _, p := range a.Params() {
			for i := range p.Data {
				p.Data[i] += float32(0.1 * r.NormFloat64())
			}
		}
	}
	return m, a
}

func (s Subject) fresh(t *testing.T) {
	m, _ := s.attach(t, false)
	same(t, logits(t, m), logits(t, s.base(t)), 1e-5)
}

// parameters asks for unique names, a fixed order, seeded values, and that the layers train nothing else.
func (s Subject) parameters(t *testing.T) {
	m, a := s.attach(t, false)
	_, b := s.attach(t, false)
	ps, again := a.Params(), b.Params()
	if len(ps) == 0 || len(ps) != len(again) {
		t.Fatalf("%d parameters, then %d", len(ps), len(again))
	}
	seen := map[string]bool{}
	for i, p := range ps {
		if seen[p.Name] {
			t.Errorf("two parameters are named %q", p.Name)
		}
		seen[p.Name] = true
		if p.String() != again[i].String() || !slices.Equal(p.Data, again[i].Data) {
			t.Errorf("parameter %d: %v, then %v, or other values", i, p, again[i])
		}
	}
	for _, l := range m.Linears() {
		for _, p := range l.Params() {
			if derived := p.Name == ""; !derived && !slices.Contains(ps, p) {
				t.Errorf("layer %s trains %v, which is not the adapter's", l.Name, p)
			}
		}
	}
}

func (s Subject) cleared(t *testing.T) {
	m, _ := s.attach(t, true)
	base := logits(t, s.base(t))
	if diff, size := testkit.MaxDiff(logits(t, m), base); diff < 1e-3*size {
		t.Fatalf("the stirred adapter changes the logits by %g of %g only: this test tells nothing", diff, size)
	}
	train(t, m)
	m.Stack().ClearSlots()
	same(t, logits(t, m), base, 0)
}

// gradients compares each parameter's gradient with central differences of the loss, along the gradient and along a
// random direction.
func (s Subject) gradients(t *testing.T) {
	m, a := s.attach(t, true)
	train(t, m)
	r := rand.New(rand.NewPCG(3, 3))
	for _, p := range a.Params() {
		g := slices.Clone(p.Grad)
		norm := math.Sqrt(dot(g, g))
		if norm < 1e-3 {
			t.Errorf("%v: gradient of norm %g", p, norm)
			continue
		}
		random := make([]float32, len(g))
		for i := range random {
			random[i] = float32(r.NormFloat64())
		}
		for what, d := range map[string][]float32{"along itself": g, "along a random direction": random} {
			size := math.Sqrt(dot(d, d))
			want := dot(g, d) / size
			if got := slope(t, m, p, d, size); math.Abs(got-want) > 0.005*norm {
				t.Errorf("%v: gradient %s is %g, finite differences say %g (norm %g)", p, what, want, got, norm)
			}
		}
	}
}

// slope is the change of the loss per step along d/size, from both sides.
func slope(t *testing.T, m *model.Model, p *nn.Param, d []float32, size float64) float64 {
	t.Helper()
	const step = 0.004
	at := slices.Clone(p.Data)
	defer copy(p.Data, at)
	side := func(sign float64) float64 {
		for i := range p.Data {
			p.Data[i] = at[i] + float32(sign*step*float64(d[i])/size)
		}
		b := batch()
		l, err := m.Loss(&b)
		if err != nil {
			t.Fatal(err)
		}
		return l.Sum
	}
	return (side(1) - side(-1)) / (2 * step)
}

// saved asks for the same bits after a round trip, also a second one.
func (s Subject) saved(t *testing.T) {
	m, a := s.attach(t, true)
	want := logits(t, m)
	for range 2 {
		dir := t.TempDir()
		state, err := a.State()
		if err != nil {
			t.Fatal(err)
		}
		if err := peft.Save(dir, state, peft.Meta{}); err != nil {
			t.Fatal(err)
		}
		files, err := peft.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		m = s.base(t)
		if a, err = s.Load(m, files); err != nil {
			t.Fatal(err)
		}
		same(t, logits(t, m), want, 0)
	}
}

func (s Subject) merged(t *testing.T) {
	m, a := s.attach(t, true)
	targets := a.Targets()
	var changed []string
	first := ""
	plain := Merged(t, s.dir(t), func(tensor string, w []float32, out, in int) (bool, error) {
		before := slices.Clone(w)
		did, err := a.Merge(tensor, w, out, in)
		if did {
			first = cmp.Or(first, tensor)
			changed = append(changed, strings.TrimSuffix(strings.TrimSuffix(tensor, ".weight"), ".bias"))
		}
		if equal := slices.Equal(before, w); equal == did {
			t.Errorf("%s: Merge says %v, but the tensor is the same: %v", tensor, did, equal)
		}
		return did, err
	})
	if changed = slices.Compact(changed); !slices.Equal(changed, targets) {
		t.Errorf("merged %v, the adapter's targets are %v", changed, targets)
	}
	same(t, logits(t, plain), logits(t, m), 1e-4)
	if _, err := a.Merge(first, make([]float32, 3), 3, 1); err == nil {
		t.Error("merging into a weight of another shape is no error")
	}
}

// unmerged asks that a merge changes nothing, and that the adapter says why none should be tried.
func (s Subject) unmerged(t *testing.T) {
	_, a := s.attach(t, true)
	Merged(t, s.dir(t), func(tensor string, w []float32, out, in int) (bool, error) {
		before := slices.Clone(w)
		did, err := a.Merge(tensor, w, out, in)
		if did || !slices.Equal(before, w) {
			t.Errorf("%s: merged", tensor)
		}
		return did, err
	})
	why, ok := a.(interface{ CannotMerge() error })
	if !ok || !strings.Contains(why.CannotMerge().Error(), "ft generate --adapter") {
		t.Error("the adapter does not say why it cannot be merged and what to do instead")
	}
}

// prompt is a sequence for the tiny model.
var prompt = []int32{5, 1, 30, 2, 2, 17, 39, 8, 0, 21, 11}

// batch is two samples with some labels.
func batch() dataset.Batch {
	labels := slices.Clone(prompt)
	for i := range 4 {
		labels[i] = dataset.Ignore
	}
	return dataset.Pack([]dataset.Sample{{IDs: prompt, Labels: labels}, {IDs: prompt[3:8], Labels: prompt[3:8], Key: 1}})
}

// train adds the gradient of the batch's summed loss to the parameters.
func train(t *testing.T, m *model.Model) {
	t.Helper()
	b := batch()
	if _, err := m.Train(&b, model.TrainOptions{Scale: 1}); err != nil {
		t.Fatal(err)
	}
}

// logits are all of the prompt's logits [T·V].
func logits(t *testing.T, m *model.Model) []float32 {
	t.Helper()
	vocab := m.Spec.Vocab
	out := make([]float32, len(prompt)*vocab)
	var at []int32
	for i := range prompt {
		at = append(at, int32(i))
	}
	err := m.Logits(prompt, at, func(i int, l []float32) { copy(out[i*vocab:(i+1)*vocab], l) })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// same fails when got is further from want than tol times want's largest value.
func same(t *testing.T, got, want []float32, tol float64) {
	t.Helper()
	testkit.Near(t, "logits", got, want, tol, 0)
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
