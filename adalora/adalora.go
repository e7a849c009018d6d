package adalora

import (
	"fmt"
	"strings"

	"ft/internal/kernels"
	"ft/nn"
	"ft/peft"
)

// Method puts fresh AdaLoRA adapters on base models.
type Method struct {
	Config Config
	Seed   uint64 // keys the random start of every A and B
}

// New is the method of a config's settings; seed keys the random start of every A and B.
func New(c Config, seed uint64) peft.Method { return Method{Config: c, Seed: seed} }

// Attach fills the low-rank slot of every target with random A and B and a zero E. It returns an error, and leaves the base as it was, when
// the settings are out of bounds or fit no layer. The adapter has hooks around the optimizer's steps (trainer.Hooks).
func (m Method) Attach(h peft.Host) (peft.Adapter, error) {
	fail := func(err error) (peft.Adapter, error) { return nil, fmt.Errorf("adalora: %w", err) }
	c := m.Config
	if err := c.Validate(); err != nil {
		return fail(err)
	}
	t := c.targets()
	picked, err := t.Select(h)
	if err != nil {
		return fail(err)
	}
	for _, l := range picked {
		if least := min(l.In(), l.Out()); c.InitRank > least {
			return fail(fmt.Errorf("init_rank: %d is more than %s has, whose weight is [%d,%d] and of rank %d at most", c.InitRank, l.Name, l.Out(), l.In(), least))
		}
	}
	if t.Modules.Expr != "" {
		t = peft.Paths(picked)
	}
	a := newAdapter(c, t, h, picked)
	if c.Bias != peft.BiasNone && len(a.biases.Params()) == 0 {
		return fail(fmt.Errorf("bias: %s: this base has no such biases, so there is nothing to train; leave the key out", c.Bias))
	}
	for _, mod := range a.modules {
		mod.allocate(c.InitRank)
		fillNormal(mod.a.Data, m.Seed, mod.a.Name)
		fillNormal(mod.b.Data, m.Seed, mod.b.Name)
	}
	a.fill(h)
	return a, nil
}

// adapter is the triplets of a base model.
type adapter struct {
	config  Config       // of a loaded adapter too; its Targets are not used
	targets peft.Targets // as the file has them
	scale   float32
	modules []*module // in the host's order
	byName  map[string]*module
	biases  *peft.Biases
	changed []string // paths of the modules that are changed, in the host's order

	plan   plan      // the zero value before Begin
	masked bool      // an allocation has dropped triplets
	cut    bool      // loaded with the triplets that were left
	gram   []float32 // buffers
	sorted []float64
}

// module is one adapted layer.
type module struct {
	linear  *nn.Linear
	rank    int
	a, e, b *nn.Param // [rank,In], [rank,1], [Out,rank]
	scaled  *nn.Param // A⊙E [rank,In], the layer's A
	pattern []bool    // of a loaded adapter: which of the first triplets were left

	dropped []bool // [rank], by the last allocation
	scores  scores
}

// newAdapter prepares an adapter whose modules have no parameters yet.
func newAdapter(c Config, t peft.Targets, h peft.Host, picked []*nn.Linear) *adapter {
	alpha := c.Alpha
	if alpha <= 0 { // in files, as PEFT has it
		alpha = float64(c.InitRank)
	}
	a := &adapter{config: c, targets: t, scale: float32(alpha / (float64(c.InitRank) + 1e-5)), byName: map[string]*module{}, biases: peft.NewBiases(h, c.Bias, picked)}
	for _, l := range picked {
		m := &module{linear: l}
		a.modules = append(a.modules, m)
		a.byName[l.Name] = m
	}
	a.gram = make([]float32, c.InitRank*c.InitRank)
	return a
}

// allocate gives the module zero parameters.
func (m *module) allocate(rank int) {
	m.rank = rank
	m.a = nn.NewParam(m.linear.Name+".lora_A", rank, m.linear.In())
	m.e = nn.NewParam(m.linear.Name+".lora_E", rank, 1)
	m.b = nn.NewParam(m.linear.Name+".lora_B", m.linear.Out(), rank)
	m.scaled = nn.NewParam("", rank, m.linear.In())
	m.dropped = make([]bool, rank)
}

// fill puts every layer's matrices into its slot; a layer that no triplet is left of keeps none.
func (a *adapter) fill(h peft.Host) {
	var left []*nn.Linear
	for _, m := range a.modules {
		if m.rank > 0 {
			m.linear.SetLowRank(m.scaled, m.b, a.scale, float32(a.config.Dropout))
			left = append(left, m.linear)
		}
	}
	a.changed = a.biases.Join(h, left)
	a.biases.Fill()
	h.Stack().Derive(a)
}

// Forward computes every layer's A⊙E. It serves nn.Derived.
func (a *adapter) Forward() { kernels.ParallelTasks(len(a.modules), (*derivation)(a)) }

// Backward takes the gradients of every layer's A⊙E to A and E.
func (a *adapter) Backward() { kernels.ParallelTasks(len(a.modules), (*propagation)(a)) }

type (
	derivation  adapter
	propagation adapter
)

func (a *derivation) Task(i int)  { a.modules[i].derive() }
func (a *propagation) Task(i int) { a.modules[i].propagate() }

func (m *module) derive() {
	in := m.linear.In()
	for k, e := range m.e.Data {
		to := m.scaled.Data[k*in : (k+1)*in]
		for i, v := range m.a.Data[k*in : (k+1)*in] {
			to[i] = e * v
		}
	}
}

// propagate adds the gradients of A and E that follow from that of A⊙E, which it clears.
func (m *module) propagate() {
	in := m.linear.In()
	for k, e := range m.e.Data {
		row, grad, to := m.a.Data[k*in:(k+1)*in], m.scaled.Grad[k*in:(k+1)*in], m.a.Grad[k*in:(k+1)*in]
		sum := 0.0
		for i, g := range grad {
			sum += float64(g * row[i])
			to[i] += g * e
		}
		m.e.Grad[k] += float32(sum)
		clear(grad)
	}
}

// Params are A, E and B of every target, in the host's order, and the trained biases.
func (a *adapter) Params() []*nn.Param {
	var ps []*nn.Param
	for _, m := range a.modules {
		ps = append(ps, m.a, m.e, m.b)
	}
	return append(ps, a.biases.Params()...)
}

// Targets are the changed modules' paths in the host's order, without those that no triplet is left of.
func (a *adapter) Targets() []string { return a.changed }

// Merge adds scale·B·(A⊙E) to a weight, and puts trained biases in the place of the base's.
func (a *adapter) Merge(tensor string, w []float32, out, in int) (bool, error) {
	name, _ := strings.CutSuffix(tensor, ".weight")
	m, ok := a.byName[name]
	if !ok {
		return a.biases.Merge(tensor, w)
	}
	if err := peft.Sized(w, out, in, m.linear.Out(), m.linear.In()); err != nil {
		return false, fmt.Errorf("adalora: merging %s: %w", tensor, err)
	}
	if m.rank == 0 {
		return false, nil
	}
	m.derive()
	kernels.Gemm(w, in, m.b.Data, m.rank, false, m.scaled.Data, in, false, out, in, m.rank, a.scale, true)
	return true, nil
}
