package model

import (
	"ft/dataset"
	"ft/internal/op"
	"ft/nn"
)

// What callers of a Model see is in text tokens, whatever a method puts in front of each sequence: batches, losses and the positions of
// logits. This file is where the two ways to count meet.

// Virtual is the number of positions that a method puts in front of every sequence.
func (m *Model) Virtual() int { return m.stack.Prompt() + m.stack.Prefix() }

// Room is the number of positions that are left for text.
func (m *Model) Room() int { return m.Spec.Context - m.Virtual() }

// ahead puts the prompt in front of each of the packed sequences. Without one it returns what it is given.
func (m *Model) ahead(ids, starts []int32) (newStarts, newIDs []int32) {
	n := m.stack.Prompt()
	if n == 0 {
		return starts, ids
	}
	newStarts, newIDs = m.arena.Ints(len(starts)), m.arena.Ints(len(ids) + (len(starts)-1)*n)[:0]
	newStarts[0] = 0
	for s := range len(starts) - 1 {
		newIDs = append(appendVirtual(newIDs, n), ids[starts[s]:starts[s+1]]...)
		newStarts[s+1] = int32(len(newIDs))
	}
	return newStarts, newIDs
}

// appendVirtual adds the ids of n virtual tokens.
func appendVirtual(ids []int32, n int) []int32 {
	for i := range n {
		ids = append(ids, nn.Virtual(i))
	}
	return ids
}

// labels are the batch's, with none at virtual tokens.
func (m *Model) labels(p *op.Pass, b *dataset.Batch) []int32 {
	n := m.stack.Prompt()
	if n == 0 {
		return b.Labels
	}
	labels := m.arena.Ints(p.T)[:0]
	for s := range len(b.Starts) - 1 {
		for range n {
			labels = append(labels, dataset.Ignore)
		}
		labels = append(labels, b.Labels[b.Starts[s]:b.Starts[s+1]]...)
	}
	return labels
}

// promptOf is the number of virtual tokens that go before the next tokens of a cache's sequence: all at its beginning.
func (m *Model) promptOf(c *nn.Cache) int {
	if c.Len() > m.stack.Prefix() {
		return 0
	}
	return m.stack.Prompt()
}
