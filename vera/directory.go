package vera

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ft/nn"
	"ft/peft"
)

// peftType is VeRA's name in adapter_config.json.
const peftType = "VERA"

// file is the part of adapter_config.json that decides what a VeRA adapter computes.
type file struct {
	peft.Selection
	R        int     `json:"r"`
	Key      int64   `json:"projection_prng_key"`
	Saves    bool    `json:"save_projection"`
	Dropout  float64 `json:"vera_dropout"`
	DInitial float64 `json:"d_initial"`
	Bias     string  `json:"bias"`
}

// inert are the keys that change nothing here, whatever their value: how training began, and how the base stores its weights.
var inert = []string{"fan_in_fan_out", "init_weights"}

// parse reads the settings of a saved adapter and refuses what ft would compute otherwise than PEFT.
func parse(saved *peft.Saved, h peft.Host) (settings, error) {
	if saved.Type != peftType {
		return settings{}, fmt.Errorf("peft_type is %q, not %q", saved.Type, peftType)
	}
	f := file{R: 256, Saves: true, DInitial: 0.1, Bias: "none"}
	unsupported, err := saved.Decode(&f, inert...)
	if err != nil {
		return settings{}, err
	}
	if !slices.Contains(biases, f.Bias) {
		unsupported = append(unsupported, fmt.Sprintf("bias: %q", f.Bias))
	}
	if len(unsupported) > 0 {
		return settings{}, fmt.Errorf("not supported: %s", strings.Join(unsupported, "; "))
	}
	s := settings{rank: f.R, dInitial: f.DInitial, dropout: f.Dropout, key: f.Key, saves: f.Saves, bias: f.Bias}
	if s.targets, err = f.Of(h, "vera"); err != nil {
		return settings{}, err
	}
	var errs []error
	if s.rank < 1 || s.rank > maxRank {
		errs = append(errs, fmt.Errorf("r: must be from 1 to %d, got %d", maxRank, s.rank))
	}
	if !(s.dropout >= 0 && s.dropout < 1) {
		errs = append(errs, fmt.Errorf("vera_dropout: must be from 0 to below 1, got %v", s.dropout))
	}
	if math.IsNaN(s.dInitial) || math.IsInf(s.dInitial, 0) {
		errs = append(errs, fmt.Errorf("d_initial: must be a number, got %v", s.dInitial))
	}
	return s, errors.Join(errs...)
}

// Load puts a saved adapter on the base it was made for. It returns an error, and leaves the base as it was, that names every feature of the
// adapter that ft lacks, or every tensor that does not fit the base. An adapter that was saved without the shared pair gets it from its
// key; as PEFT does, such an adapter is given the drawn pair even if the file has one.
func Load(h peft.Host, saved *peft.Saved) (peft.Adapter, error) {
	fail := func(err error) (peft.Adapter, error) { return nil, fmt.Errorf("vera: %s: %w", saved.Dir, err) }
	s, err := parse(saved, h)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", peft.ConfigFile, err))
	}
	targets, err := s.targets.Match(h)
	if err != nil {
		return fail(err)
	}
	a := newAdapter(s, h, targets)
	want := map[string][]int{}
	for _, p := range a.Params() {
		want[p.Name] = p.Shape
	}
	pair := []*nn.Param{a.a, a.b}
	for _, p := range pair {
		if s.saves || saved.Tensors[p.Name].Data != nil {
			want[p.Name] = p.Shape
		}
	}
	if err := saved.FitsOn(targets, want); err != nil {
		return fail(err)
	}
	if s.saves {
		for _, p := range pair {
			p.Data = saved.Tensors[p.Name].Data
		}
	} else {
		a.draw()
	}
	for _, p := range a.Params() {
		copy(p.Data, saved.Tensors[p.Name].Data)
	}
	a.fill(h)
	return a, nil
}

// State is the adapter in PEFT's terms.
func (a *adapter) State() (peft.State, error) {
	s := &a.settings
	config := map[string]any{
		"bias": s.bias, "d_initial": s.dInitial, "fan_in_fan_out": peft.FanInFanOut(a.modules, (*module).layer), "init_weights": true, "modules_to_save": nil,
		"projection_prng_key": s.key, "r": s.rank, "save_projection": s.saves, "vera_dropout": s.dropout,
	}
	s.targets.Keys(config)
	ps := a.Params()
	if s.saves {
		ps = append(ps, a.a, a.b)
	}
	return peft.State{Type: peftType, Config: config, Params: ps}, nil
}
