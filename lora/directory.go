package lora

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ft/nn"
	"ft/peft"
)

// peftType is LoRA's name in adapter_config.json.
const peftType = "LORA"

// file is the part of adapter_config.json that decides what a LoRA adapter computes, with PEFT's defaults for
// the keys that older versions did not write.
type file struct {
	R               int        `json:"r"`
	Alpha           float64    `json:"lora_alpha"`
	Dropout         float64    `json:"lora_dropout"`
	Targets         peft.Names `json:"target_modules"`
	Exclude         peft.Names `json:"exclude_modules"`
	Layers          ints       `json:"layers_to_transform"`
	LayersPattern   peft.Names `json:"layers_pattern"`
	UseRSLoRA       bool       `json:"use_rslora"`
	RankPattern     rules      `json:"rank_pattern"`
	AlphaPattern    rules      `json:"alpha_pattern"`
	Bias            string     `json:"bias"`
	InitLoraWeights any        `json:"init_lora_weights"`
}

// inert are the keys that change nothing here, whatever their value: how training began, how the base stores its
// weights (ft's layers know), and settings of features that have a switch of their own.
var inert = []string{
	"fan_in_fan_out", "megatron_core", "loftq_config", "eva_config", "corda_config", "lora_ga_config",
	"qalora_group_size", "ensure_weight_tying", "runtime_config",
}

// plainInits are the values of init_lora_weights that leave the base's weights alone.
var plainInits = []any{nil, true, false, "gaussian", "orthogonal", "eva"}

// parse reads the settings of a saved adapter and refuses what ft would compute otherwise than PEFT.
func parse(saved *peft.Saved, h peft.Host) (settings, error) {
	if saved.Type != peftType {
		return settings{}, fmt.Errorf("peft_type is %q, not %q", saved.Type, peftType)
	}
	f := file{R: 8, Alpha: 8, Bias: "none"}
	unsupported, err := saved.Decode(&f, inert...)
	if err != nil {
		return settings{}, err
	}
	if f.Bias != "none" {
		unsupported = append(unsupported, fmt.Sprintf("bias: %q", f.Bias))
	}
	init := initDefault
	if name, _ := f.InitLoraWeights.(string); takesOver(name) {
		init = name
	} else if !slices.Contains(plainInits, f.InitLoraWeights) {
		unsupported = append(unsupported, fmt.Sprintf("init_lora_weights: %q (it changes the base's weights)", f.InitLoraWeights))
	}
	if len(unsupported) > 0 {
		return settings{}, fmt.Errorf("not supported: %s", strings.Join(unsupported, "; "))
	}
	if f.Targets.Empty() {
		f.Targets.List = h.DefaultTargets("lora")
		if len(f.Targets.List) == 0 {
			return settings{}, fmt.Errorf("target_modules is missing and model type %q has no default", h.ModelType())
		}
	}
	s := settings{
		rank: f.R, alpha: f.Alpha, dropout: f.Dropout, stabilized: f.UseRSLoRA, init: init, ranks: f.RankPattern, alphas: f.AlphaPattern,
		targets: peft.Targets{Modules: f.Targets, Exclude: f.Exclude, Layers: f.Layers, LayersPattern: f.LayersPattern.List},
	}
	if f.LayersPattern.Expr != "" {
		s.targets.LayersPattern = []string{f.LayersPattern.Expr}
	}
	return s, cmp.Or(s.check(), s.compile())
}

// check bounds what a downloaded file says.
func (s *settings) check() error {
	var errs []error
	rank := func(key string, v float64) {
		if v != math.Trunc(v) || v < 1 || v > maxRank {
			errs = append(errs, fmt.Errorf("%s: must be a whole number from 1 to %d, got %v", key, maxRank, v))
		}
	}
	rank("r", float64(s.rank))
	for _, r := range s.ranks {
		rank("rank_pattern: "+r.match, r.value)
	}
	if !(s.dropout >= 0 && s.dropout < 1) {
		errs = append(errs, fmt.Errorf("lora_dropout: must be from 0 to below 1, got %v", s.dropout))
	}
	return errors.Join(errs...)
}

// Load puts a saved adapter on the base it was made for. It returns an error, and leaves the base as it was, that
// names every feature of the adapter that ft lacks, or every tensor that does not fit the base.
func Load(h peft.Host, saved *peft.Saved) (peft.Adapter, error) {
	fail := func(err error) (peft.Adapter, error) { return nil, fmt.Errorf("lora: %s: %w", saved.Dir, err) }
	s, err := parse(saved, h)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", peft.ConfigFile, err))
	}
	if err := foreign(saved); err != nil {
		return fail(err)
	}
	targets, err := s.targets.Match(h)
	if err != nil {
		return fail(err)
	}
	a, err := newAdapter(s, targets)
	if err != nil {
		return fail(err)
	}
	want := map[string][]int{}
	for _, m := range a.modules {
		want[m.nameA()] = []int{m.rank, m.linear.In()}
		want[m.nameB()] = []int{m.linear.Out(), m.rank}
		if name := m.linear.Name + copySuffix; saved.Tensors[name].Data != nil {
			want[name] = []int{m.linear.Out(), m.linear.In()}
		}
	}
	if err := saved.Fits(want); err != nil {
		return fail(err)
	}
	for _, m := range a.modules {
		if t := saved.Tensors[m.linear.Name+copySuffix]; t.Data != nil {
			if err := checkCopy(m, t.Data); err != nil {
				return fail(err)
			}
		}
		m.allocate()
	}
	if err := a.takeOver(h); err != nil {
		return fail(err)
	}
	for _, m := range a.modules {
		for _, p := range []*nn.Param{m.a, m.b} {
			copy(p.Data, saved.Tensors[p.Name].Data)
		}
	}
	a.fill()
	return a, nil
}

// features are the marks that what ft lacks leaves in tensor names, the telling ones first.
var features = []struct{ part, name string }{
	{".lora_embedding_", "LoRA on an embedding"},
	{".lora_magnitude_vector", "DoRA"},
	{".lora_B.bias", "lora_bias"},
	{".token_adapter.", "trainable tokens"},
	{".base_layer.bias", "trained biases"},
}

// foreign refuses tensors of features that ft lacks, by the feature's name. They may come without a trace in
// the config: PEFT saves resized embeddings, for one.
func foreign(saved *peft.Saved) error {
	var found []string
	for name := range saved.Tensors {
		feature := ""
		for _, f := range features {
			if feature == "" && strings.Contains(name, f.part) {
				feature = f.name
			}
		}
		if feature == "" && !strings.Contains(name, ".lora_") && !strings.HasSuffix(name, copySuffix) {
			feature = "a whole trained tensor"
		}
		if feature != "" {
			found = append(found, fmt.Sprintf("%s (%s)", name, feature))
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.Sort(found)
	return fmt.Errorf("%s: not supported: %s", peft.TensorFile, strings.Join(found, "; "))
}

// copySuffix ends the name of the frozen base weight that PEFT stores beside the adapter when an output head is a
// target.
const copySuffix = ".base_layer.weight"

// sameWeight is the largest relative distance at which a stored copy counts as the base's own weight: bases
// quantised to 4 bits are 5 to 9 % away from their origin, other models' weights above 100 %.
const sameWeight = 0.2

// checkCopy is an error when the stored copy of a target's weight is another base's. The right one is of no use.
func checkCopy(m *module, stored []float32) error {
	row := make([]float32, m.linear.In())
	var diff, size float64
	for r := range m.linear.Out() {
		m.linear.Weight().Row(row, r)
		for c, w := range row {
			d := float64(w - stored[r*len(row)+c])
			diff += d * d
			size += float64(w) * float64(w)
		}
	}
	if distance := math.Sqrt(diff / size); !(distance <= sameWeight) {
		return fmt.Errorf("%s%s: the stored base weight is not this base's (relative distance %.2g): the adapter is for another base",
			m.linear.Name, copySuffix, distance)
	}
	return nil
}

// State is the adapter in PEFT's terms. Only keys that PEFT has long had are written, because older versions
// refuse unknown ones; exclude_modules is newer and appears when it is used.
func (a *adapter) State() (peft.State, error) {
	s := a.settings.converted()
	ranks, err := s.ranks.object(a.Targets())
	if err != nil {
		return peft.State{}, err
	}
	alphas, err := s.alphas.object(a.Targets())
	if err != nil {
		return peft.State{}, err
	}
	var params []*nn.Param
	for _, m := range a.modules {
		wa, wb := m.slot()
		params = append(params,
			&nn.Param{Name: m.nameA(), Shape: wa.Shape, Data: wa.Data, Grad: wa.Grad}, &nn.Param{Name: m.nameB(), Shape: wb.Shape, Data: wb.Data, Grad: wb.Grad})
	}
	t := s.targets
	config := map[string]any{
		"alpha_pattern": alphas, "bias": "none", "fan_in_fan_out": peft.FanInFanOut(a.modules, (*module).layer), "init_lora_weights": true,
		"layers_pattern": nil, "layers_to_transform": nil, "loftq_config": map[string]any{},
		"lora_alpha": s.alpha, "lora_dropout": s.dropout, "megatron_config": nil, "megatron_core": "megatron.core",
		"modules_to_save": nil, "r": s.rank, "rank_pattern": ranks, "target_modules": t.Modules,
		"use_dora": false, "use_rslora": s.stabilized,
	}
	if len(t.Layers) > 0 {
		config["layers_to_transform"] = t.Layers
	}
	if len(t.LayersPattern) > 0 {
		config["layers_pattern"] = t.LayersPattern
	}
	if !t.Exclude.Empty() {
		config["exclude_modules"] = t.Exclude
	}
	return peft.State{Type: peftType, Config: config, Params: params}, nil
}

// ints is a list of numbers, or one number, as layers_to_transform may be.
type ints []int

// UnmarshalJSON reads a list of whole numbers, one whole number, or null.
func (v *ints) UnmarshalJSON(data []byte) error {
	var one *int
	if err := json.Unmarshal(data, &one); err == nil {
		*v = nil
		if one != nil {
			*v = ints{*one}
		}
		return nil
	}
	var list []int
	if err := json.Unmarshal(data, &list); err != nil {
		return errors.New("must be a number or a list of numbers")
	}
	*v = list
	return nil
}

// UnmarshalJSON reads an object of numbers and keeps the order of its keys, which decides.
func (rs *rules) UnmarshalJSON(data []byte) error {
	*rs = nil
	if string(bytes.TrimSpace(data)) == "null" {
		return nil
	}
	bad := errors.New("must be an object of numbers")
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return bad
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return bad
		}
		r := rule{match: key.(string)}
		if err := dec.Decode(&r.value); err != nil {
			return bad
		}
		*rs = append(*rs, r)
	}
	return nil
}
