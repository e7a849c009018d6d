package lora

import (
	"fmt"
	"slices"
	"strings"

	"ft/internal/kernels"
	"ft/nn"
	"ft/peft"
)

// Method puts fresh LoRA adapters on base models.
type Method struct {
	Config Config
	Seed   uint64 // keys the random start of every A
}

// Attach fills the low-rank slot of every target with a random A and a zero B. It returns an error, and leaves
// the base as it was, when the settings are out of bounds or fit no layer.
func (m Method) Attach(h peft.Host) (peft.Adapter, error) {
	if err := m.Config.Validate(); err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	s, err := m.Config.settings()
	if err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	targets, err := s.targets.Select(h)
	if err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	a, err := newAdapter(s, targets)
	if err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	for _, rs := range []rules{s.ranks, s.alphas} {
		if err := rs.used(a.Targets()); err != nil {
			return nil, fmt.Errorf("lora: %w", err)
		}
	}
	if s.targets.Modules.Expr != "" {
		// PEFT writes "all-linear" as paths too. It keeps expressions, but tries them on every module and
		// fails where one is no linear layer: .*self_attn.* would train here and not load there.
		a.settings.targets = peft.Targets{Modules: peft.Names{List: slices.Sorted(slices.Values(a.Targets()))}}
	}
	for _, mod := range a.modules {
		mod.allocate()
		if m.Config.Init == initGaussian {
			fillNormal(mod.a.Data, mod.rank, m.Seed, mod.linear.Name)
		} else {
			fillUniform(mod.a.Data, mod.linear.In(), m.Seed, mod.linear.Name)
		}
	}
	if err := a.takeOver(h); err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	a.fill()
	return a, nil
}

// adapter is the low-rank pairs of a base model.
type adapter struct {
	settings settings
	modules  []*module // in the host's order
	byName   map[string]*module
}

// module is one adapted layer.
type module struct {
	linear *nn.Linear
	rank   int
	scale  float32
	a, b   *nn.Param // [rank,In], [Out,rank]

	residual *residual // where A and B began with a part of the base's weight
}

func (m *module) layer() *nn.Linear { return m.linear }

// newAdapter works out the rank and scale of every target. The modules have no parameters yet.
func newAdapter(s settings, targets []*nn.Linear) (*adapter, error) {
	a := &adapter{settings: s, byName: map[string]*module{}}
	for _, l := range targets {
		rank, scale, err := s.of(l.Name)
		if err != nil {
			return nil, err
		}
		m := &module{linear: l, rank: rank, scale: scale}
		a.modules = append(a.modules, m)
		a.byName[l.Name] = m
	}
	return a, nil
}

func (m *module) nameA() string { return m.linear.Name + ".lora_A.weight" }
func (m *module) nameB() string { return m.linear.Name + ".lora_B.weight" }

// allocate gives the module zero parameters.
func (m *module) allocate() {
	m.a = nn.NewParam(m.nameA(), m.rank, m.linear.In())
	m.b = nn.NewParam(m.nameB(), m.linear.Out(), m.rank)
}

// fill puts every pair into its layer's slot.
func (a *adapter) fill() {
	for _, m := range a.modules {
		wa, wb := m.slot()
		m.linear.SetLowRank(wa, wb, m.scale, float32(a.settings.dropout))
	}
}

// slot is what the layer's slot holds, and what is saved: A and B, or those with the part of the base that they began with.
func (m *module) slot() (a, b *nn.Param) {
	if m.residual == nil {
		return m.a, m.b
	}
	m.residual.Forward()
	return m.residual.wideA, m.residual.wideB
}

// Params are A and B of every target, in the host's order.
func (a *adapter) Params() []*nn.Param {
	var ps []*nn.Param
	for _, m := range a.modules {
		ps = append(ps, m.a, m.b)
	}
	return ps
}

// Targets are the adapted modules' paths in the host's order.
func (a *adapter) Targets() []string {
	var names []string
	for _, m := range a.modules {
		names = append(names, m.linear.Name)
	}
	return names
}

// Merge adds scale·B·A to w.
func (a *adapter) Merge(tensor string, w []float32, out, in int) (bool, error) {
	name, _ := strings.CutSuffix(tensor, ".weight")
	m, ok := a.byName[name]
	if !ok {
		return false, nil
	}
	if out != m.linear.Out() || in != m.linear.In() || len(w) != out*in {
		return false, fmt.Errorf("lora: merging %s: weight is [%d,%d] with %d values, the adapter was made for [%d,%d]",
			name, out, in, len(w), m.linear.Out(), m.linear.In())
	}
	wa, wb := m.slot()
	rank := wa.Shape[0]
	kernels.Gemm(w, in, wb.Data, rank, false, wa.Data, in, false, out, in, rank, m.scale, true)
	return true, nil
}
