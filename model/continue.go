package model

import "ft/nn"

// Continue is Extend with the logits of more than the last token: it feeds ids[s], at least one token each, to the sequence in
// caches[s] and calls f with the logits [V] of every token of ids[s] from index from[s] on; i is the token's index, and its logits
// predict what follows it. f may be called in parallel and may change the logits, which are valid during the call. All tokens go
// through one pass, single ones too.
func (m *Model) Continue(caches []*nn.Cache, ids [][]int32, from []int, f func(s, i int, logits []float32)) error {
	m.stack.Begin(caches)
	t := 0
	for s, seq := range ids {
		if err := m.checkTokens(seq); err != nil {
			return err
		}
		t += m.promptOf(caches[s]) + len(seq)
	}
	p := m.newPass(t)
	p.Starts = []int32{0}
	type place struct{ s, i int }
	var all, rows []int32
	var places []place
	for s, seq := range ids {
		all = append(appendVirtual(all, m.promptOf(caches[s])), seq...)
		for j := range len(all) - len(p.Pos) {
			p.Pos = append(p.Pos, int32(caches[s].Len()+j))
		}
		for i := from[s]; i < len(seq); i++ {
			rows, places = append(rows, int32(len(all)-len(seq)+i)), append(places, place{s, i})
		}
		p.Starts = append(p.Starts, int32(len(all)))
	}
	if err := m.checkPositions(p.Pos); err != nil {
		return err
	}
	x := m.stack.Extend(p, all, caches)
	if len(rows) > 0 {
		m.stack.Logits(p, x, rows, func(k int, logits []float32) { f(places[k].s, places[k].i, logits) })
	}
	return nil
}
