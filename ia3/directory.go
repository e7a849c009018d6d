package ia3

import (
	"fmt"
	"slices"
	"strings"

	"ft/peft"
)

// peftType is IA³'s name in adapter_config.json.
const peftType = "IA3"

// file is the part of adapter_config.json that decides what an IA³ adapter computes.
type file struct {
	Targets     peft.Names `json:"target_modules"`
	FeedForward peft.Names `json:"feedforward_modules"`
	Exclude     peft.Names `json:"exclude_modules"`
}

// inert are the keys that change nothing here: how training began, and how the base stores its weights, which ft's layers know.
var inert = []string{"fan_in_fan_out", "init_ia3_weights"}

// Load puts a saved adapter on a base. It returns an error, and leaves the base as it was, when the adapter needs what ft does not
// compute or does not fit.
func Load(h peft.Host, saved *peft.Saved) (peft.Adapter, error) {
	a, err := load(h, saved)
	if err != nil {
		return nil, fmt.Errorf("ia3: %s: %w", saved.Dir, err)
	}
	a.fill()
	return a, nil
}

func load(h peft.Host, saved *peft.Saved) (*adapter, error) {
	if saved.Type != peftType {
		return nil, fmt.Errorf("peft_type is %q, not %q", saved.Type, peftType)
	}
	var f file
	unsupported, err := saved.Decode(&f, inert...)
	if err != nil {
		return nil, err
	}
	if len(unsupported) > 0 {
		return nil, fmt.Errorf("not supported: %s", strings.Join(unsupported, "; "))
	}
	c, err := Config(f).complete(h)
	if err != nil {
		return nil, err
	}
	targets, err := c.targets().Match(h)
	if err != nil {
		return nil, err
	}
	a, err := newAdapter(c, targets)
	if err != nil {
		return nil, err
	}
	want := map[string][]int{}
	for _, m := range a.modules {
		want[m.name()] = m.shape()
	}
	if err := saved.FitsOn(targets, want); err != nil {
		return nil, err
	}
	for _, m := range a.modules {
		m.allocate()
		copy(m.scale.Data, saved.Tensors[m.name()].Data)
	}
	return a, nil
}

// spell writes a fresh adapter's choice of layers out as paths where PEFT would not read it: it tries expressions on every module and
// fails where one is no linear layer, and it asks that feedforward names are among those of targets.
func (a *adapter) spell() {
	c := &a.config
	plain := c.Targets.Expr == "" && c.FeedForward.Expr == ""
	for _, entry := range c.FeedForward.List {
		plain = plain && slices.Contains(c.Targets.List, entry)
	}
	if plain {
		return
	}
	input := []string{}
	for _, m := range a.modules {
		if m.input {
			input = append(input, m.linear.Name)
		}
	}
	c.Targets = peft.Names{List: slices.Sorted(slices.Values(a.Targets()))}
	c.FeedForward = peft.Names{List: slices.Sorted(slices.Values(input))}
}

// State is the adapter in PEFT's terms. exclude_modules is newer than the other keys and appears when it is used.
func (a *adapter) State() (peft.State, error) {
	c := &a.config
	config := map[string]any{
		"fan_in_fan_out": peft.FanInFanOut(a.modules, (*module).layer), "feedforward_modules": c.FeedForward, "init_ia3_weights": true, "modules_to_save": nil,
		"target_modules": c.Targets,
	}
	if !c.Exclude.Empty() {
		config["exclude_modules"] = c.Exclude
	}
	return peft.State{Type: peftType, Config: config, Params: a.Params()}, nil
}
