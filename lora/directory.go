package lora

import (
	"fmt"
	"slices"
	"strings"

	"ft/internal/kernels"
	"ft/internal/linalg"
	"ft/nn"
	"ft/peft"
	"ft/weights"
)

// Load puts a saved adapter on the base it was made for. It returns an error, and leaves the base as it was, that
// names every feature of the adapter that ft lacks, or every tensor that does not fit the base.
func Load(h peft.Host, saved *peft.Saved) (peft.Adapter, error) {
	a, err := load(h, saved)
	if err != nil {
		return nil, fmt.Errorf("lora: %s: %w", saved.Dir, err)
	}
	return a, nil
}

func load(h peft.Host, saved *peft.Saved) (*adapter, error) {
	s, err := parse(saved, h)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", peft.ConfigFile, err)
	}
	if err := foreign(saved, s); err != nil {
		return nil, err
	}
	picked, err := s.targets.MatchAny(h)
	if err != nil {
		return nil, err
	}
	a, err := newAdapter(s, h, picked)
	if err != nil {
		return nil, err
	}
	want := map[string][]int{}
	for _, p := range a.Params() {
		want[p.Name] = a.fileShape(p)
	}
	copies := a.copies(saved)
	for name, m := range copies {
		want[name] = []int{m.Rows, m.Cols}
	}
	a.expectSpares(saved, want)
	if err := saved.Fits(want); err != nil {
		return nil, err
	}
	for name, m := range copies {
		if err := peft.CheckCopy(name, m, saved.Tensors[name].Data); err != nil {
			return nil, err
		}
	}
	if err := a.takeOver(h, linalg.Exact); err != nil {
		return nil, err
	}
	for _, p := range a.Params() {
		data := saved.Tensors[p.Name].Data
		if a.isTransposed(p) {
			data = weights.Transposed(data, p.Shape[1], p.Shape[0])
		}
		copy(p.Data, data)
	}
	a.fill(h)
	return a, nil
}

// isTransposed reports whether the file has a parameter the other way around than the layer uses it: a whole copy of a weight that
// Hugging Face stores so.
func (a *adapter) isTransposed(p *nn.Param) bool {
	return slices.ContainsFunc(a.parts, func(x part) bool {
		w, ok := x.(*whole)
		return ok && w.weight == p && w.transposed
	})
}

func (a *adapter) fileShape(p *nn.Param) []int {
	if a.isTransposed(p) {
		return []int{p.Shape[1], p.Shape[0]}
	}
	return p.Shape
}

// features are the marks that what the config does not ask for leaves in tensor names.
var features = []struct {
	part, name string
	asked      func(s settings) bool
}{
	{".lora_magnitude_vector", "DoRA", func(s settings) bool { return s.dora }},
	{endBiasB, "lora_bias", func(s settings) bool { return s.loraBias }},
	{".token_adapter.", "trainable tokens", func(s settings) bool { return len(s.tokens) > 0 }},
	{".base_layer.bias", "trained biases", func(s settings) bool { return s.bias != biasNone }},
}

// foreign refuses tensors that nothing in the config asks for, by the name of what they are. They may come without a trace in
// the config: PEFT saves resized embeddings, for one.
func foreign(saved *peft.Saved, s settings) error {
	var found []string
	for name := range saved.Tensors {
		feature := ""
		for _, f := range features {
			if feature == "" && strings.Contains(name, f.part) && !f.asked(s) {
				feature = f.name
			}
		}
		known := strings.Contains(name, ".lora_") || strings.Contains(name, ".token_adapter.") || strings.HasSuffix(name, copySuffix) ||
			strings.HasSuffix(name, endBias) && s.bias != biasNone || len(s.saved) > 0
		if feature == "" && !known {
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
	return fmt.Errorf("%s: %s says nothing of: %s", peft.TensorFile, peft.ConfigFile, strings.Join(found, "; "))
}

// copySuffix ends the name of the frozen base weight that PEFT stores beside the adapter when the embedding or an output head is a
// target. Ft writes none.
const copySuffix = ".base_layer.weight"

// copies are the base's matrices that the file holds copies of, by the copies' names.
func (a *adapter) copies(saved *peft.Saved) map[string]*kernels.Matrix {
	found := map[string]*kernels.Matrix{}
	for _, l := range a.modules {
		if name := l.path() + copySuffix; saved.Tensors[name].Data != nil {
			if l.embed != nil {
				found[name] = l.embed.Table()
			} else {
				found[name] = l.linear.Weight()
			}
		}
	}
	return found
}

// expectSpares expects what PEFT saves besides the bias of a module's trained copy where all biases are trained: that bias once more,
// and the one that the copy stands for, which nothing uses.
func (a *adapter) expectSpares(saved *peft.Saved, want map[string][]int) {
	for _, p := range a.parts {
		b, ok := p.(*bias)
		if !ok {
			continue
		}
		for _, owner := range []string{".modules_to_save", ".original_module"} {
			if name := b.path() + owner + endBias; saved.Tensors[name].Data != nil {
				want[name] = b.value.Shape
			}
		}
	}
}

// State is the adapter in PEFT's terms. Only keys that PEFT has long had are written, because older versions
// refuse unknown ones; newer ones appear when they are used.
func (a *adapter) State() (peft.State, error) {
	s := a.settings.converted()
	var paths []string
	transposes := false
	for _, l := range a.modules {
		paths = append(paths, l.path())
		transposes = transposes || l.linear != nil && l.linear.Transposed
	}
	ranks, err := s.ranks.object(paths)
	if err != nil {
		return peft.State{}, err
	}
	alphas, err := s.alphas.object(paths)
	if err != nil {
		return peft.State{}, err
	}
	config := map[string]any{
		"alpha_pattern": alphas, "bias": s.bias, "fan_in_fan_out": transposes, "init_lora_weights": fileInits[s.init],
		"loftq_config": map[string]any{}, "lora_alpha": s.alpha, "lora_dropout": s.dropout, "megatron_config": nil,
		"megatron_core": "megatron.core", "modules_to_save": nil, "r": s.rank, "rank_pattern": ranks, "use_dora": s.dora,
		"use_rslora": s.stabilized,
	}
	s.targets.Keys(config)
	if len(s.saved) > 0 {
		config["modules_to_save"] = s.saved
	}
	if s.loraBias {
		config["lora_bias"] = true
	}
	if s.tie {
		config["ensure_weight_tying"] = true
	}
	if len(s.tokens) > 0 {
		config["trainable_token_indices"] = s.tokensKey()
	}
	return peft.State{Type: peftType, Config: config, Params: a.saves()}, nil
}

// tokensKey is trainable_token_indices.
func (s *settings) tokensKey() any {
	if s.tokensListed {
		return s.tokens[0].ids
	}
	sets := map[string][]int32{}
	for _, t := range s.tokens {
		sets[t.module] = t.ids
	}
	return sets
}

// saves are the tensors as the file has them: the live ones, but for those of which it has the transpose or twice the rank.
func (a *adapter) saves() []*nn.Param {
	ps := slices.Clone(a.Params())
	wide := map[*nn.Param]*nn.Param{}
	for _, l := range a.modules {
		wide[l.a], wide[l.b] = l.slot()
	}
	for i, p := range ps {
		switch w := wide[p]; {
		case w != nil && w != p:
			ps[i] = &nn.Param{Name: p.Name, Shape: w.Shape, Data: w.Data, Grad: w.Grad}
		case a.isTransposed(p):
			ps[i] = &nn.Param{Name: p.Name, Shape: a.fileShape(p), Data: weights.Transposed(p.Data, p.Shape[0], p.Shape[1])}
		}
	}
	return ps
}
