package model

import (
	"fmt"

	"ft/nn"
)

// NewCache makes an empty key/value cache for one sequence.
func (m *Model) NewCache() *nn.Cache {
	return nn.NewCache(m.Spec.Layers, m.Spec.KVHeads*m.Spec.HeadDim)
}

// Extend feeds ids[s], at least one token each, to the sequence in caches[s] and calls f with the logits [V] that predict what
// follows each sequence's last token. f may be called in parallel for different s and may change the logits, which are
// valid during the call. A sequence's logits do not depend on what else is in the batch.
func (m *Model) Extend(caches []*nn.Cache, ids [][]int32, f func(s int, logits []float32)) error {
	if len(caches) != len(ids) {
		return fmt.Errorf("model: %d caches for %d sequences", len(caches), len(ids))
	}
	t := 0
	for _, seq := range ids {
		t += len(seq)
	}
	p := m.newPass(t)
	p.Starts = []int32{0}
	var all, last []int32
	for s, seq := range ids {
		if len(seq) == 0 {
			return fmt.Errorf("model: sequence %d has no tokens to add", s)
		}
		for i := range seq {
			p.Pos = append(p.Pos, int32(caches[s].Len()+i))
		}
		all = append(all, seq...)
		last = append(last, int32(len(all)-1))
		p.Starts = append(p.Starts, int32(len(all)))
	}
	if len(all) == 0 {
		return nil
	}
	x, err := m.embedTokens(p, all)
	if err != nil {
		return err
	}
	m.stack.Extend(p, x, caches)
	m.stack.Logits(p, x, last, f)
	return nil
}

// Logits runs one sequence from its beginning and calls f with the logits [V] of the given positions, as Extend does;
// i is the index in positions.
func (m *Model) Logits(ids, positions []int32, f func(i int, logits []float32)) error {
	for _, at := range positions {
		if at < 0 || int(at) >= len(ids) {
			return fmt.Errorf("model: position %d of a sequence of %d tokens", at, len(ids))
		}
	}
	p, x, err := m.begin(ids, []int32{0, int32(len(ids))})
	if err != nil {
		return err
	}
	m.stack.Hidden(p, x)
	m.stack.Logits(p, x, positions, f)
	return nil
}
