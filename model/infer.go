package model

import (
	"fmt"

	"ft/internal/kernels"
	"ft/internal/op"
	"ft/nn"
)

// NewPool makes a pool for the key/value caches of sequences, in the model's present precision.
func (m *Model) NewPool() *nn.Pool {
	return nn.NewPool(m.Spec.Layers, m.Spec.KVHeads*m.Spec.HeadDim, kernels.CachePrecision(m.Precision(), m.Spec.HeadDim))
}

// step is memory that Extend uses again from call to call.
type step struct {
	decoder      op.Decoder
	ones, longer []int // the sequences that get one token, and the others
	ids          []int32
	caches       []*nn.Cache
}

// Extend feeds ids[s], at least one token each, to the sequence in caches[s] and calls f with the logits [V] that predict what
// follows each sequence's last token. f may be called in parallel for different s and may change the logits, which are
// valid during the call. A sequence's logits do not depend on what else is in the batch: single tokens are decoded, several
// go through the stages of a pass, and the two differ by rounding.
func (m *Model) Extend(caches []*nn.Cache, ids [][]int32, f func(s int, logits []float32)) error {
	if len(caches) != len(ids) {
		return fmt.Errorf("model: %d caches for %d sequences", len(caches), len(ids))
	}
	t := &m.step
	t.ones, t.longer = t.ones[:0], t.longer[:0]
	for s, seq := range ids {
		switch {
		case len(seq) == 0:
			return fmt.Errorf("model: sequence %d has no tokens to add", s)
		case len(seq)+m.promptOf(caches[s]) == 1:
			t.ones = append(t.ones, s)
		default:
			t.longer = append(t.longer, s)
		}
		if err := m.checkTokens(seq); err != nil {
			return err
		}
	}
	m.stack.Begin(caches)
	if err := m.extendPass(caches, ids, f); err != nil {
		return err
	}
	return m.decode(caches, ids, f)
}

// extendPass is Extend for the sequences that get several tokens.
func (m *Model) extendPass(caches []*nn.Cache, ids [][]int32, f func(s int, logits []float32)) error {
	longer := m.step.longer
	if len(longer) == 0 {
		return nil
	}
	t := 0
	for _, s := range longer {
		t += m.promptOf(caches[s]) + len(ids[s])
	}
	p := m.newPass(t)
	p.Starts = []int32{0}
	var all, last []int32
	own := make([]*nn.Cache, len(longer))
	for i, s := range longer {
		own[i] = caches[s]
		all = append(appendVirtual(all, m.promptOf(caches[s])), ids[s]...)
		for j := range len(all) - len(p.Pos) {
			p.Pos = append(p.Pos, int32(caches[s].Len()+j))
		}
		last = append(last, int32(len(all)-1))
		p.Starts = append(p.Starts, int32(len(all)))
	}
	if err := m.checkPositions(p.Pos); err != nil {
		return err
	}
	x := m.stack.Extend(p, all, own)
	m.stack.Logits(p, x, last, func(i int, logits []float32) { f(longer[i], logits) })
	return nil
}

// decode is Extend for the sequences that get one token.
func (m *Model) decode(caches []*nn.Cache, ids [][]int32, f func(s int, logits []float32)) error {
	t := &m.step
	if len(t.ones) == 0 {
		return nil
	}
	d := &t.decoder
	d.T, d.Prec, d.Arena, d.Pos = len(t.ones), m.Precision(), m.arena, d.Pos[:0]
	t.ids, t.caches = t.ids[:0], t.caches[:0]
	for _, s := range t.ones {
		d.Pos = append(d.Pos, int32(caches[s].Len()))
		t.ids = append(t.ids, ids[s][0])
		t.caches = append(t.caches, caches[s])
	}
	if err := m.checkPositions(d.Pos); err != nil {
		return err
	}
	m.arena.Reset()
	x := m.stack.Decode(d, t.ids, t.caches)
	m.stack.DecodeLogits(d, x, func(i int, logits []float32) { f(t.ones[i], logits) })
	clear(t.caches) // hold on to nobody's memory
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
	p, all, err := m.begin(ids, []int32{0, int32(len(ids))})
	if err != nil {
		return err
	}
	x := m.stack.Hidden(p, all)
	rows := m.arena.Ints(len(positions))
	for i, at := range positions {
		rows[i] = at + int32(m.stack.Prompt())
	}
	m.stack.Logits(p, x, rows, f)
	return nil
}
