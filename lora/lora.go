package lora

import (
	"fmt"
	"slices"
	"strings"

	"ft/nn"
	"ft/peft"
)

// Method puts fresh LoRA adapters on base models.
type Method struct {
	Config Config
	Seed   uint64 // keys every random start

	encode func(text string) []int32
}

// Tokenized is the method with the base's tokenizer, for tokens that are given as texts.
func (m Method) Tokenized(encode func(text string) []int32) peft.Method {
	m.encode = encode
	return m
}

// New is the method of a config's settings; seed keys every random start.
func New(c Config, seed uint64) peft.Method { return Method{Config: c, Seed: seed} }

// Attach puts a fresh adapter on the base. It returns an error, and leaves the base as it was, when the settings are out of bounds
// or do not fit it.
func (m Method) Attach(h peft.Host) (peft.Adapter, error) {
	a, err := m.attach(h)
	if err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	return a, nil
}

func (m Method) attach(h peft.Host) (*adapter, error) {
	if err := m.Config.Validate(); err != nil {
		return nil, err
	}
	s, err := m.Config.settings()
	if err != nil {
		return nil, err
	}
	if err := m.addTokens(&s, h); err != nil {
		return nil, err
	}
	picked, err := s.targets.SelectAny(h)
	if err != nil {
		return nil, err
	}
	a, err := newAdapter(s, h, picked)
	if err != nil {
		return nil, err
	}
	if err := a.checkFresh(h); err != nil {
		return nil, err
	}
	if s.targets.Modules.Expr != "" {
		a.settings.targets = peft.Paths(picked.Linears)
		if e := picked.Embedding; e != nil {
			a.settings.targets.Modules.List = append(a.settings.targets.Modules.List, e.Name)
			slices.Sort(a.settings.targets.Modules.List)
		}
	}
	for _, p := range a.parts {
		p.start(s.init, m.Seed)
	}
	if err := a.takeOver(h, freshTol); err != nil {
		return nil, err
	}
	for _, l := range a.modules {
		if l.m != nil {
			l.startMagnitudes()
		}
	}
	if m.Config.LRRatio != 1 {
		a.scaleRates(m.Config.LRRatio)
	}
	a.fill(h)
	return a, nil
}

// checkFresh refuses settings without effect, and ranks that no layer can use.
func (a *adapter) checkFresh(h peft.Host) error {
	s := &a.settings
	var paths []string
	for _, m := range a.modules {
		paths = append(paths, m.path())
		out, in := m.size()
		if least := min(out, in); m.rank > least {
			return fmt.Errorf("rank: %d is above the width of %s [%d,%d]; its rank cannot be above %d: lower it, or give the module one of its own in patterns",
				m.rank, m.path(), out, in, least)
		}
		if s.init == initOrthogonal && m.linear != nil && m.rank%2 != 0 {
			return fmt.Errorf("init: orthogonal needs an even rank, %s has %d", m.path(), m.rank)
		}
	}
	for _, rs := range []rules{s.ranks, s.alphas} {
		if err := rs.used(paths); err != nil {
			return err
		}
	}
	if s.bias != biasNone && !slices.ContainsFunc(a.parts, func(p part) bool { _, ok := p.(*bias); return ok }) {
		return fmt.Errorf("bias: %s: this base (model type %s) has no such biases, so there is nothing to train; leave the key out", s.bias, h.ModelType())
	}
	for _, name := range s.saved {
		if !slices.ContainsFunc(leavesOf(h), func(m leaf) bool { return m.saved([]string{name}) }) {
			return fmt.Errorf("save_modules: no module's path ends in %q (the first are %s)", name, firstPaths(h))
		}
	}
	return nil
}

// scaleRates sets LoRA+'s learning rates as PEFT's create_loraplus_optimizer does: the ratio is for every lora_B and every vector.
// Unlike there, LoRA on an embedding keeps the common rate, instead of 1e-6 whatever the other rates are.
func (a *adapter) scaleRates(ratio float64) {
	for _, p := range a.Params() {
		embedding := strings.Contains(p.Name, embeddingMark)
		if !embedding && (strings.HasSuffix(p.Name, endB[false]) || len(p.Shape) == 1) {
			p.LRScale = ratio
		}
	}
}

// adapter is everything that one adapter changes in a base model.
type adapter struct {
	settings settings
	modules  []*lowRank // the low-rank ones of parts
	parts    []part
	byTensor map[string][]part
	targets  []string
	unties   bool
}

// part is one thing that an adapter changes: a pair of low rank, a trained copy, rows of a weight.
type part interface {
	// path is the module it belongs to, and tensors are the base's that it changes when it is merged.
	path() string
	tensors() []string
	// params are what it trains. They are zero at first; start gives them their values for a fresh adapter.
	params() []*nn.Param
	start(init string, seed uint64)
	// fill puts them into the module's slots.
	fill(s *nn.Stack)
	// merge changes a tensor w [out,in].
	merge(tensor string, w []float32, out, in int) error
}

// newAdapter makes the parts. Their parameters are zero, and the base is as it was.
func newAdapter(s settings, h peft.Host, picked peft.Picked) (*adapter, error) {
	a := &adapter{settings: s, byTensor: map[string][]part{}}
	if e := picked.Embedding; e != nil {
		if s.dora {
			return nil, fmt.Errorf("targets: DoRA on the embedding %q is not supported; name it in save_modules, or leave dora out", e.Name)
		}
		if s.loraBias {
			return nil, fmt.Errorf("targets: lora_bias does not go with the embedding %q, as in PEFT", e.Name)
		}
		if err := a.addLowRank(&lowRank{embed: e}); err != nil {
			return nil, err
		}
	}
	for _, l := range picked.Linears {
		if err := a.addLowRank(&lowRank{linear: l}); err != nil {
			return nil, err
		}
	}
	a.addBiases(h)
	a.addWhole(h)
	if s.tie && h.Stack().Head.Tied && a.apart(h) {
		return nil, fmt.Errorf("ensure_weight_tying: embedding and head share a weight in this base; as targets or in modules_to_save they cannot follow each other")
	}
	if err := a.addRows(h); err != nil {
		return nil, err
	}
	for _, p := range slices.Backward(a.parts) { // a trained bias comes before what is added to it
		for _, t := range p.tensors() {
			a.byTensor[t] = append(a.byTensor[t], p)
		}
	}
	for _, m := range leavesOf(h) {
		if slices.ContainsFunc(a.parts, func(p part) bool { return p.path() == m.path }) {
			a.targets = append(a.targets, m.path)
		}
	}
	a.unties = h.Stack().Head.Tied && a.apart(h)
	return a, nil
}

// apart reports whether embedding and head, which share a weight, do not change alike.
func (a *adapter) apart(h peft.Host) bool {
	of := func(path string) (of []part) {
		for _, p := range a.parts {
			if _, ok := p.(*bias); p.path() == path && !ok {
				of = append(of, p)
			}
		}
		return of
	}
	embed, head := of(h.Stack().Embed.Name), of(h.Stack().Head.Name)
	if len(embed)+len(head) == 0 {
		return false
	}
	both := func(p part) bool {
		f, ok := p.(interface{ followed() bool })
		return ok && f.followed()
	}
	return len(head) > 0 || !both(embed[0])
}

// Unties reports whether a merge of the adapter separates the output head from the embedding that it shares its weight with.
func (a *adapter) Unties() bool { return a.unties }

// fill puts everything into the base's slots.
func (a *adapter) fill(h peft.Host) {
	s := h.Stack()
	for _, p := range a.parts {
		p.fill(s)
	}
	if d := newDoRA(a.modules); d != nil {
		s.Derive(d)
	}
}

// Params are what is trained: of the low-rank parts first, in the host's order.
func (a *adapter) Params() []*nn.Param {
	var ps []*nn.Param
	for _, p := range a.parts {
		ps = append(ps, p.params()...)
	}
	return ps
}

// Targets are the changed modules' paths: the embedding, the linear layers in the host's order, and the norms.
func (a *adapter) Targets() []string { return a.targets }

// Merge changes w as the adapter's parts in its module do.
func (a *adapter) Merge(tensor string, w []float32, out, in int) (bool, error) {
	parts := a.byTensor[tensor]
	for _, p := range parts {
		if err := p.merge(tensor, w, out, in); err != nil {
			return false, fmt.Errorf("lora: merging %s: %w", tensor, err)
		}
	}
	return len(parts) > 0, nil
}
