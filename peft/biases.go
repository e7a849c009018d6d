package peft

import (
	"fmt"
	"slices"
	"strings"

	"ft/nn"
)

// The values of PEFT's key `bias` that every method has; there is also its own name with "_only", such as "lora_only".
const (
	BiasNone = "none"
	BiasAll  = "all"
)

// Biases are biases of a base that are trained, as PEFT's key `bias` has it: with "all" those of every linear layer and norm, with a method's own
// value those of its targets. What the base lacks is not made.
type Biases struct{ all []bias }

// bias is one of them.
type bias struct {
	module string // its path
	param  *nn.Param
	set    func(*nn.Param)
}

// NewBiases makes trained copies of a base's biases and leaves the base as it is.
func NewBiases(h Host, key string, targets []*nn.Linear) *Biases {
	b := &Biases{}
	if key == BiasNone {
		return b
	}
	for _, l := range h.Linears() {
		target := slices.Contains(targets, l)
		if l.Bias() == nil || key != BiasAll && !target {
			continue
		}
		name := l.Name + ".bias"
		if target { // PEFT has wrapped the layer
			name = l.Name + ".base_layer.bias"
		}
		b.add(l.Name, name, l.Bias(), l.SetBias)
	}
	if key != BiasAll {
		return b
	}
	for _, n := range h.Stack().Norms() {
		if n.Bias() != nil {
			b.add(n.Name, n.Name+".bias", n.Bias(), n.SetBias)
		}
	}
	return b
}

func (b *Biases) add(module, name string, values []float32, set func(*nn.Param)) {
	p := nn.NewParam(name, len(values))
	copy(p.Data, values)
	b.all = append(b.all, bias{module, p, set})
}

// Join are the paths of the modules that are targets or have a trained bias, in the host's order, and norms behind.
func (b *Biases) Join(h Host, targets []*nn.Linear) []string {
	changed := map[string]bool{}
	for _, x := range b.all {
		changed[x.module] = true
	}
	var paths []string
	for _, l := range h.Linears() {
		if changed[l.Name] || slices.Contains(targets, l) {
			paths = append(paths, l.Name)
		}
	}
	for _, n := range h.Stack().Norms() {
		if changed[n.Name] {
			paths = append(paths, n.Name)
		}
	}
	return paths
}

// Params are the trained biases: those of linear layers in the host's order, then those of norms.
func (b *Biases) Params() []*nn.Param {
	var ps []*nn.Param
	for _, x := range b.all {
		ps = append(ps, x.param)
	}
	return ps
}

// Fill puts them into their slots.
func (b *Biases) Fill() {
	for _, x := range b.all {
		x.set(x.param)
	}
}

// Merge is their part of Adapter.Merge: w [out,1] becomes the trained bias.
func (b *Biases) Merge(tensor string, w []float32) (bool, error) {
	module, ok := strings.CutSuffix(tensor, ".bias")
	for _, x := range b.all {
		if !ok || x.module != module {
			continue
		}
		if len(w) != x.param.Size() {
			return false, fmt.Errorf("peft: merging %s: it has %d values, the adapter was made for %d", tensor, len(w), x.param.Size())
		}
		copy(w, x.param.Data)
		return true, nil
	}
	return false, nil
}
