package adalora

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ft/nn"
	"ft/peft"
)

// peftType is AdaLoRA's name in adapter_config.json.
const peftType = "ADALORA"

// file is the part of adapter_config.json that decides what an AdaLoRA adapter computes and how it is trained, with PEFT's defaults.
type file struct {
	peft.Selection
	InitR    int               `json:"init_r"`
	TargetR  int               `json:"target_r"`
	Alpha    float64           `json:"lora_alpha"`
	Dropout  float64           `json:"lora_dropout"`
	TInit    int               `json:"tinit"`
	TFinal   int               `json:"tfinal"`
	DeltaT   int               `json:"deltaT"`
	Beta1    float64           `json:"beta1"`
	Beta2    float64           `json:"beta2"`
	Orth     float64           `json:"orth_reg_weight"`
	Total    int               `json:"total_step"`
	Bias     string            `json:"bias"`
	Patterns map[string][]bool `json:"rank_pattern"`
}

// inert are the keys that change nothing here, whatever their value: how training began, how the base stores its weights, settings of features
// that have a switch of their own, and what PEFT's AdaLoRA inherits from its LoRA and does not use.
var inert = []string{
	"fan_in_fan_out", "init_lora_weights", "megatron_core", "loftq_config", "eva_config", "corda_config", "lora_ga_config",
	"qalora_group_size", "ensure_weight_tying", "runtime_config", "r", "alpha_pattern", "use_rslora", "lora_bias",
}

// parse reads the settings of a saved adapter and refuses what ft would compute otherwise than PEFT.
func parse(saved *peft.Saved) (*file, error) {
	if saved.Type != peftType {
		return nil, fmt.Errorf("peft_type is %q, not %q", saved.Type, peftType)
	}
	f := &file{InitR: 12, TargetR: 8, Alpha: 8, DeltaT: 1, Beta1: 0.85, Beta2: 0.85, Orth: 0.5, Bias: "none"}
	unsupported, err := saved.Decode(f, inert...)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(biases, f.Bias) {
		unsupported = append(unsupported, fmt.Sprintf("bias: %q", f.Bias))
	}
	if len(unsupported) > 0 {
		return nil, fmt.Errorf("not supported: %s", strings.Join(unsupported, "; "))
	}
	var errs []error
	if f.InitR < 1 || f.InitR > maxRank {
		errs = append(errs, fmt.Errorf("init_r: must be from 1 to %d, got %d", maxRank, f.InitR))
	}
	if !(f.Dropout >= 0 && f.Dropout < 1) {
		errs = append(errs, fmt.Errorf("lora_dropout: must be from 0 to below 1, got %v", f.Dropout))
	}
	if math.IsNaN(f.Alpha) || math.IsInf(f.Alpha, 0) {
		errs = append(errs, fmt.Errorf("lora_alpha: must be a number, got %v", f.Alpha))
	}
	if f.DeltaT < 1 {
		errs = append(errs, fmt.Errorf("deltaT: must be at least 1, got %d", f.DeltaT))
	}
	return f, errors.Join(errs...)
}

// Load puts a saved adapter on the base it was made for, cut to the triplets that were left or not yet. It returns an error, and leaves
// the base as it was, that names every feature of the adapter that ft lacks, or every tensor that does not fit the base.
func Load(h peft.Host, saved *peft.Saved) (peft.Adapter, error) {
	fail := func(err error) (peft.Adapter, error) { return nil, fmt.Errorf("adalora: %s: %w", saved.Dir, err) }
	f, err := parse(saved)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", peft.ConfigFile, err))
	}
	t, err := f.Of(h, "adalora")
	if err != nil {
		return fail(fmt.Errorf("%s: %w", peft.ConfigFile, err))
	}
	targets, err := t.Match(h)
	if err != nil {
		return fail(err)
	}
	a := newAdapter(Config{
		InitRank: f.InitR, TargetRank: f.TargetR, Alpha: f.Alpha, Dropout: f.Dropout, TInit: float64(f.TInit), TFinal: float64(f.TFinal),
		DeltaT: f.DeltaT, Beta1: f.Beta1, Beta2: f.Beta2, OrthRegWeight: f.Orth, Bias: f.Bias,
	}, t, h, targets)
	a.plan = plan{f.TInit, f.TFinal, f.Total}
	if err := a.patterns(f.Patterns); err != nil {
		return fail(fmt.Errorf("%s: %w", peft.ConfigFile, err))
	}
	want := map[string][]int{}
	for _, m := range a.modules {
		rank := m.left()
		if m.pattern == nil {
			rank = f.InitR
		}
		m.allocate(rank)
	}
	for _, p := range a.Params() {
		want[p.Name] = p.Shape
	}
	if err := saved.FitsOn(targets, want); err != nil {
		return fail(err)
	}
	for _, p := range a.Params() {
		copy(p.Data, saved.Tensors[p.Name].Data)
	}
	a.fill(h)
	return a, nil
}

// nameE ends the keys of rank_pattern.
const nameE = ".lora_E"

// patterns gives each module its part of rank_pattern.
func (a *adapter) patterns(patterns map[string][]bool) error {
	for name, p := range patterns {
		path, ok := strings.CutSuffix(name, nameE)
		m := a.byName[path]
		switch {
		case !ok || m == nil:
			return fmt.Errorf("rank_pattern: %q is none of the adapter's layers, such as %q", name, a.modules[0].linear.Name+nameE)
		case len(p) != a.config.InitRank:
			return fmt.Errorf("rank_pattern: %q has %d entries, init_r is %d", name, len(p), a.config.InitRank)
		}
		m.pattern, a.cut = p, true
	}
	return nil
}

// left counts the triplets that a module's pattern leaves.
func (m *module) left() int {
	n := 0
	for _, kept := range m.pattern {
		if kept {
			n++
		}
	}
	return n
}

// State is the adapter in PEFT's terms. Once triplets were dropped it is cut to those whose E is not zero: what is saved computes what was
// trained, also where the optimizer has brought a dropped one back since the last allocation (PEFT would cut that one) and when the weights are of
// an earlier step.
func (a *adapter) State() (peft.State, error) {
	c, p := &a.config, a.plan
	if p.total == 0 { // never trained; PEFT wants to see a schedule all the same
		p = plan{0, 0, 1}
	}
	config := map[string]any{
		"beta1": c.Beta1, "beta2": c.Beta2, "bias": c.Bias, "deltaT": c.DeltaT, "init_lora_weights": true,
		"fan_in_fan_out": peft.FanInFanOut(a.modules, func(m *module) *nn.Linear { return m.linear }),
		"init_r":         c.InitRank, "lora_alpha": c.Alpha, "lora_dropout": c.Dropout, "modules_to_save": nil, "orth_reg_weight": c.OrthRegWeight,
		"rank_pattern": nil, "target_r": c.TargetRank, "tfinal": p.tfinal, "tinit": p.tinit, "total_step": p.total,
	}
	a.targets.Keys(config)
	s := peft.State{Type: peftType, Config: config, Params: a.Params()}
	patterns := map[string][]bool{}
	switch {
	case a.cut:
		for _, m := range a.modules {
			if m.pattern != nil {
				patterns[m.linear.Name+nameE] = m.pattern
			}
		}
	case a.masked:
		s.Params = nil
		for _, m := range a.modules {
			left := m.cut()
			s.Params = append(s.Params, left.a, left.e, left.b)
			patterns[m.linear.Name+nameE] = left.pattern
		}
		s.Params = append(s.Params, a.biases.Params()...)
	default:
		return s, nil
	}
	config["rank_pattern"] = patterns
	return s, nil
}

// Remark tells the ranks that are left: when the best weights are from before the last cut, they are above the target.
func (a *adapter) Remark() string {
	n := 0
	for _, m := range a.modules {
		for _, e := range m.e.Data {
			if e != 0 {
				n++
			}
		}
	}
	text := fmt.Sprintf("ranks    %d of %d triplets are left, %.1f a layer", n, len(a.modules)*a.config.InitRank, float64(n)/float64(len(a.modules)))
	if n > len(a.modules)*a.config.TargetRank {
		text += fmt.Sprintf(", above the target of %d: the best weights are from before the last cut", a.config.TargetRank)
	}
	return text
}

// cut is a copy of the module with the triplets whose E is not zero.
func (m *module) cut() *module {
	c := &module{linear: m.linear, pattern: make([]bool, m.rank)}
	var kept []int
	for k, e := range m.e.Data {
		if c.pattern[k] = e != 0; e != 0 {
			kept = append(kept, k)
		}
	}
	c.allocate(len(kept))
	for to, from := range kept {
		c.copyTriplet(to, m, from)
	}
	return c
}

// copyTriplet copies a triplet of another module of the same layer.
func (m *module) copyTriplet(to int, src *module, from int) {
	in := m.linear.In()
	copy(m.a.Data[to*in:(to+1)*in], src.a.Data[from*in:(from+1)*in])
	m.e.Data[to] = src.e.Data[from]
	for o := range m.linear.Out() {
		m.b.Data[o*m.rank+to] = src.b.Data[o*src.rank+from]
	}
}
