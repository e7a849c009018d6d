package peft

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"ft/nn"
)

// Selection is the part of adapter_config.json that chooses layers. Methods embed it in the struct that they give to Decode.
type Selection struct {
	Targets       Names `json:"target_modules"`
	Exclude       Names `json:"exclude_modules"`
	Layers        Ints  `json:"layers_to_transform"`
	LayersPattern Names `json:"layers_pattern"`
}

// Of is the choice for a base: where the file names no targets, PEFT's own for a method of the given kind (see Host.DefaultTargets)
// in the base's family.
func (s Selection) Of(h Host, kind string) (Targets, error) {
	t := Targets{Modules: s.Targets, Exclude: s.Exclude, Layers: s.Layers, LayersPattern: s.LayersPattern.List}
	if s.LayersPattern.Expr != "" {
		t.LayersPattern = []string{s.LayersPattern.Expr}
	}
	if t.Modules.Empty() {
		t.Modules.List = h.DefaultTargets(kind)
		if len(t.Modules.List) == 0 {
			return t, fmt.Errorf("target_modules is missing and model type %q has no default", h.ModelType())
		}
	}
	return t, nil
}

// Paths is the choice that names the picked layers by their whole paths. PEFT writes "all-linear" as paths too. It keeps expressions, but tries
// them on every module and fails where one is no linear layer: .*self_attn.* would train here and not load there.
func Paths(picked []*nn.Linear) Targets {
	var names []string
	for _, l := range picked {
		names = append(names, l.Name)
	}
	slices.Sort(names)
	return Targets{Modules: Names{List: names}}
}

// Keys adds the choice to the keys of adapter_config.json. Older versions of PEFT refuse keys that they do not know, so
// exclude_modules, which is newer, appears when it is used.
func (t Targets) Keys(config map[string]any) {
	config["target_modules"], config["layers_to_transform"], config["layers_pattern"] = t.Modules, nil, nil
	if len(t.Layers) > 0 {
		config["layers_to_transform"] = t.Layers
	}
	if len(t.LayersPattern) > 0 {
		config["layers_pattern"] = t.LayersPattern
	}
	if !t.Exclude.Empty() {
		config["exclude_modules"] = t.Exclude
	}
}

// Ints is a list of numbers, or one number, as layers_to_transform may be.
type Ints []int

// UnmarshalJSON reads a list of whole numbers, one whole number, or null.
func (v *Ints) UnmarshalJSON(data []byte) error {
	var one *int
	if err := json.Unmarshal(data, &one); err == nil {
		*v = nil
		if one != nil {
			*v = Ints{*one}
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
