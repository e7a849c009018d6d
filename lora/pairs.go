package lora

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ft/nn"
	"ft/peft"
)

// Pair is what a LoRA adapter adds to one module, Scale·B·A with A [Rank,In] and B [Out,Rank]. Of an embedding [V,D] it is the
// transpose: In is V, Out is D.
type Pair struct {
	Module    string // path
	Embedding bool
	Rank      int
	In, Out   int
	Scale     float64
	A, B      []float32
}

// The endings of the names of a pair's tensors, for linear layers and for embeddings.
var (
	endA = map[bool]string{false: ".lora_A.weight", true: ".lora_embedding_A"}
	endB = map[bool]string{false: ".lora_B.weight", true: ".lora_embedding_B"}
)

// pairFile is the part of adapter_config.json that pairs without a base depend on.
type pairFile struct {
	R            int     `json:"r"`
	Alpha        float64 `json:"lora_alpha"`
	UseRSLoRA    bool    `json:"use_rslora"`
	RankPattern  rules   `json:"rank_pattern"`
	AlphaPattern rules   `json:"alpha_pattern"`
	Init         any     `json:"init_lora_weights"`
}

// chosen are keys that say which modules an adapter changes, which its tensors show.
var chosen = []string{"target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "bias", "lora_dropout"}

// Unconverted tells that a saved adapter is PiSSA's or OLoRA's and was not made a plain one when it was saved: it goes with a
// weight that is not the base's, and only Load, which has the base, can read it.
func Unconverted(saved *peft.Saved) (bool, error) {
	f := pairFile{}
	if _, err := saved.Decode(&f); err != nil {
		return false, fmt.Errorf("lora: %s: %s: %w", saved.Dir, peft.ConfigFile, err)
	}
	return saved.Type == peftType && !slices.Contains(plainInits, f.Init), nil
}

// Pairs reads a saved adapter without its base, sorted by module. An adapter that is more than pairs (DoRA, trained biases
// or whole modules) is refused by the name of what it is more.
func Pairs(saved *peft.Saved) ([]Pair, error) {
	pairs, err := readPairs(saved)
	if err != nil {
		return nil, fmt.Errorf("lora: %s: %w", saved.Dir, err)
	}
	return pairs, nil
}

func readPairs(saved *peft.Saved) ([]Pair, error) {
	if saved.Type != peftType {
		return nil, fmt.Errorf("peft_type is %q: only LoRA adapters can be combined, cut or scaled", saved.Type)
	}
	f := pairFile{R: 8, Alpha: 8}
	unknown, err := saved.Decode(&f, append(slices.Clone(inert), chosen...)...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", peft.ConfigFile, err)
	}
	if !slices.Contains(plainInits, f.Init) {
		unknown = append(unknown, fmt.Sprintf("init_lora_weights: %v without the base it changes", f.Init))
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("%s: no plain LoRA adapter, which alone can be combined, cut or scaled: %s", peft.ConfigFile, strings.Join(unknown, "; "))
	}
	s := settings{rank: f.R, alpha: f.Alpha, stabilized: f.UseRSLoRA, ranks: f.RankPattern, alphas: f.AlphaPattern}
	if err := s.compile(); err != nil {
		return nil, err
	}
	var pairs []Pair
	seen := 0
	for _, name := range slices.Sorted(maps.Keys(saved.Tensors)) {
		if strings.HasSuffix(name, ".base_layer.weight") {
			seen++ // a frozen copy of the base's weight
			continue
		}
		for _, embedding := range []bool{false, true} {
			module, ok := strings.CutSuffix(name, endA[embedding])
			if !ok {
				continue
			}
			p, err := s.pair(saved, module, embedding)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, p)
			seen += 2
		}
	}
	if seen != len(saved.Tensors) {
		return nil, fmt.Errorf("%s: no plain LoRA adapter, which alone can be combined, cut or scaled: it holds %s", peft.TensorFile, odd(saved))
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("%s: no lora_A in it", peft.TensorFile)
	}
	return pairs, nil
}

// odd names a tensor that belongs to no pair.
func odd(saved *peft.Saved) string {
	for _, name := range slices.Sorted(maps.Keys(saved.Tensors)) {
		known := strings.HasSuffix(name, ".base_layer.weight")
		for _, embedding := range []bool{false, true} {
			if module, ok := strings.CutSuffix(name, endB[embedding]); ok {
				_, known = saved.Tensors[module+endA[embedding]]
			}
			known = known || strings.HasSuffix(name, endA[embedding])
		}
		if !known {
			return name
		}
	}
	return "tensors without their partners"
}

// pair reads one module's.
func (s *settings) pair(saved *peft.Saved, module string, embedding bool) (Pair, error) {
	a := saved.Tensors[module+endA[embedding]]
	b, ok := saved.Tensors[module+endB[embedding]]
	if !ok {
		return Pair{}, fmt.Errorf("%s: %s has no partner %s", peft.TensorFile, module+endA[embedding], endB[embedding])
	}
	rank, scale, err := s.of(module)
	if err != nil {
		return Pair{}, err
	}
	if len(a.Shape) != 2 || len(b.Shape) != 2 || a.Shape[0] != rank || b.Shape[1] != rank {
		return Pair{}, fmt.Errorf("%s: %s is %v and %v, but %s says rank %d", peft.TensorFile, module, a.Shape, b.Shape, peft.ConfigFile, rank)
	}
	return Pair{
		Module: module, Embedding: embedding, Rank: rank, In: a.Shape[1], Out: b.Shape[0],
		Scale: float64(scale), A: a.Data, B: b.Data,
	}, nil
}

// PairState is the adapter of the given pairs, as its directory keeps it. All get the largest rank, filled up with zeros, and their scale
// goes into A: so one r and alpha = r hold for every module, and readers that know no patterns read it right.
func PairState(pairs []Pair) peft.State {
	rank := 1
	for _, p := range pairs {
		rank = max(rank, p.Rank)
	}
	var params []*nn.Param
	var modules []string
	for _, p := range pairs {
		a, b := make([]float32, rank*p.In), make([]float32, p.Out*rank)
		for i, v := range p.A {
			a[i] = float32(p.Scale * float64(v))
		}
		for i := range p.Out {
			copy(b[i*rank:], p.B[i*p.Rank:(i+1)*p.Rank])
		}
		params = append(params,
			&nn.Param{Name: p.Module + endA[p.Embedding], Shape: []int{rank, p.In}, Data: a},
			&nn.Param{Name: p.Module + endB[p.Embedding], Shape: []int{p.Out, rank}, Data: b})
		modules = append(modules, p.Module)
	}
	slices.Sort(modules)
	return peft.State{Type: peftType, Params: params, Config: map[string]any{
		"alpha_pattern": map[string]any{}, "bias": "none", "fan_in_fan_out": false, "init_lora_weights": true,
		"layers_pattern": nil, "layers_to_transform": nil, "loftq_config": map[string]any{},
		"lora_alpha": rank, "lora_dropout": 0.0, "megatron_config": nil, "megatron_core": "megatron.core",
		"modules_to_save": nil, "r": rank, "rank_pattern": map[string]any{}, "target_modules": modules,
		"use_dora": false, "use_rslora": false,
	}}
}
