package vera

import (
	"fmt"
	"strings"

	"ft/internal/kernels"
	"ft/nn"
	"ft/peft"
)

// Method puts fresh VeRA adapters on base models. Nothing in them is random but the shared pair, which has a key of its own.
type Method struct{ Config Config }

// New is the method of a config's settings. Nothing about its start is random.
func New(c Config, _ uint64) peft.Method { return Method{Config: c} }

// Attach fills the low-rank slot of every target. It returns an error, and leaves the base as it was, when the settings are out of bounds
// or fit no layer.
func (m Method) Attach(h peft.Host) (peft.Adapter, error) {
	fail := func(err error) (peft.Adapter, error) { return nil, fmt.Errorf("vera: %w", err) }
	c := m.Config
	if err := c.Validate(); err != nil {
		return fail(err)
	}
	t := c.targets()
	picked, err := t.Select(h)
	if err != nil {
		return fail(err)
	}
	if t.Modules.Expr != "" || !t.Exclude.Empty() { // PEFT's VeRA has no exclude_modules
		t = peft.Paths(picked)
	}
	a := newAdapter(settings{
		rank: c.Rank, dInitial: c.DInitial, dropout: c.Dropout, key: c.ProjectionKey, saves: c.SaveProjection, bias: c.Bias, targets: t,
	}, h, picked)
	if c.Bias != peft.BiasNone && len(a.biases.Params()) == 0 {
		return fail(fmt.Errorf("bias: %s: this base has no such biases, so there is nothing to train; leave the key out", c.Bias))
	}
	a.draw()
	for _, mod := range a.modules {
		for i := range mod.d.Data {
			mod.d.Data[i] = float32(c.DInitial)
		}
	}
	a.fill(h)
	return a, nil
}

// settings is what an adapter is made with, whether a config file or adapter_config.json said it.
type settings struct {
	rank              int
	dInitial, dropout float64
	key               int64
	saves             bool   // the shared pair is stored with the adapter
	bias              string // which biases are trained
	targets           peft.Targets
}

// adapter is the vectors of a base model, and the pair they share.
type adapter struct {
	settings settings
	modules  []*module // in the host's order
	byName   map[string]*module
	a, b     *nn.Param // the frozen pair: [rank, widest input], [widest output, rank]
	leading  map[int]*nn.Param
	biases   *peft.Biases
	targets  []string // changed modules' paths in the host's order
}

// module is one adapted layer.
type module struct {
	linear *nn.Linear
	d, b   *nn.Param // [rank], [Out]
	// right is diag(b)·B·diag(d) [Out,rank], the layer's B. With d on this side all layers of one width have the same A, and the gradients
	// of both vectors follow from that of right alone.
	right *nn.Param
	sums  []float64 // [rank], for Backward
}

func (m *module) layer() *nn.Linear { return m.linear }

// The names of the shared pair: it belongs to no module.
const (
	nameA = "base_model.vera_A"
	nameB = "base_model.vera_B"
)

// newAdapter makes zero vectors for the targets. The pair has no values yet.
func newAdapter(s settings, h peft.Host, targets []*nn.Linear) *adapter {
	a := &adapter{settings: s, byName: map[string]*module{}, leading: map[int]*nn.Param{}, biases: peft.NewBiases(h, s.bias, targets)}
	for _, l := range targets {
		m := &module{
			linear: l, d: nn.NewParam(l.Name+".vera_lambda_d", s.rank), b: nn.NewParam(l.Name+".vera_lambda_b", l.Out()),
			right: nn.NewParam("", l.Out(), s.rank), sums: make([]float64, s.rank),
		}
		a.modules = append(a.modules, m)
		a.byName[l.Name] = m
	}
	in, out := a.widest()
	a.targets = a.biases.Join(h, targets)
	a.a, a.b = &nn.Param{Name: nameA, Shape: []int{s.rank, in}}, &nn.Param{Name: nameB, Shape: []int{out, s.rank}}
	return a
}

// widest is the largest input and the largest output of the targets.
func (a *adapter) widest() (in, out int) {
	for _, m := range a.modules {
		in, out = max(in, m.linear.In()), max(out, m.linear.Out())
	}
	return in, out
}

// draw makes the pair from its key.
func (a *adapter) draw() {
	in, out := a.widest()
	a.a.Data, a.b.Data = projections(a.settings.key, a.settings.rank, in, out)
}

// fill puts every layer's matrices into its slot.
func (a *adapter) fill(h peft.Host) {
	for _, m := range a.modules {
		m.linear.SetLowRank(a.columns(m.linear.In()), m.right, 1, float32(a.settings.dropout))
	}
	a.biases.Fill()
	h.Stack().Derive(a)
}

// columns are the leading n columns of A, frozen.
func (a *adapter) columns(n int) *nn.Param {
	if p := a.leading[n]; p != nil {
		return p
	}
	p := &nn.Param{Shape: []int{a.settings.rank, n}, Data: make([]float32, a.settings.rank*n)}
	for r := range a.settings.rank {
		copy(p.Data[r*n:(r+1)*n], a.a.Data[r*a.a.Shape[1]:])
	}
	a.leading[n] = p
	return p
}

// Params are d and b of every target, in the host's order, and the trained biases.
func (a *adapter) Params() []*nn.Param {
	var ps []*nn.Param
	for _, m := range a.modules {
		ps = append(ps, m.d, m.b)
	}
	return append(ps, a.biases.Params()...)
}

// Targets are the changed modules' paths in the host's order.
func (a *adapter) Targets() []string { return a.targets }

// Merge adds diag(b)·B·diag(d)·A to a weight, and puts trained biases in the place of the base's.
func (a *adapter) Merge(tensor string, w []float32, out, in int) (bool, error) {
	name, _ := strings.CutSuffix(tensor, ".weight")
	m, ok := a.byName[name]
	if !ok {
		return a.biases.Merge(tensor, w)
	}
	if err := peft.Sized(w, out, in, m.linear.Out(), m.linear.In()); err != nil {
		return false, fmt.Errorf("vera: merging %s: %w", tensor, err)
	}
	m.derive(a.b.Data)
	r := a.settings.rank
	kernels.Gemm(w, in, m.right.Data, r, false, a.columns(in).Data, in, false, out, in, r, 1, true)
	return true, nil
}
