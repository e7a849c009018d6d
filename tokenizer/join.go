package tokenizer

import "math"

// longWord is the number of symbols from which a heap beats looking at every pair.
const longWord = 48

// join merges ids in place until no pair has a merge and returns how many are left.
func (p *pairTable) join(ids []int32) int {
	if len(ids) < 2 {
		return len(ids)
	}
	if len(ids) >= longWord {
		return p.joinLong(ids)
	}
	var merges [longWord]pairMerge // of ids[i] and ids[i+1]
	n := len(ids)
	look := func(i int) {
		m, ok := p.get(ids[i], ids[i+1])
		if !ok {
			m.rank = math.MaxInt32
		}
		merges[i] = m
	}
	for i := range n - 1 {
		look(i)
	}
	for n > 1 {
		best := 0
		for i := 1; i < n-1; i++ {
			if merges[i].rank < merges[best].rank {
				best = i
			}
		}
		if merges[best].rank == math.MaxInt32 {
			break
		}
		ids[best] = merges[best].id
		copy(ids[best+1:n-1], ids[best+2:n])
		copy(merges[best:n-2], merges[best+1:n-1])
		n--
		if best > 0 {
			look(best - 1)
		}
		if best < n-1 {
			look(best)
		}
	}
	return n
}

// symbol is a token of a long word in a doubly linked list; id -1 marks one that was merged away.
type symbol struct{ id, prev, next int32 }

// candidate is a possible merge at pos, valid while the pair there still merges into id.
type candidate struct{ rank, pos, id int32 }

func (a candidate) before(b candidate) bool {
	return a.rank < b.rank || a.rank == b.rank && a.pos < b.pos
}

// joinLong is join for long words: candidates wait in a heap, O(n log n).
func (p *pairTable) joinLong(ids []int32) int {
	n := int32(len(ids))
	list := make([]symbol, n)
	for i, id := range ids {
		list[i] = symbol{id, int32(i) - 1, int32(i) + 1}
	}
	h := make(mergeHeap, 0, n)
	offer := func(left, right int32) {
		if left < 0 || right >= n {
			return
		}
		if m, ok := p.get(list[left].id, list[right].id); ok {
			h.push(candidate{m.rank, left, m.id})
		}
	}
	for i := range n - 1 {
		offer(i, i+1)
	}
	for len(h) > 0 {
		c := h.pop()
		left := &list[c.pos]
		if left.id < 0 || left.next >= n {
			continue
		}
		right := &list[left.next]
		if m, ok := p.get(left.id, right.id); !ok || m.id != c.id {
			continue
		}
		left.id = c.id
		right.id = -1
		left.next = right.next
		if left.next < n {
			list[left.next].prev = c.pos
		}
		offer(left.prev, c.pos)
		offer(c.pos, left.next)
	}
	k := 0
	for i := int32(0); i < n; i = list[i].next {
		ids[k] = list[i].id
		k++
	}
	return k
}

// mergeHeap is a binary heap with the next candidate on top.
type mergeHeap []candidate

func (h *mergeHeap) push(c candidate) {
	*h = append(*h, c)
	s := *h
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !c.before(s[up]) {
			break
		}
		s[i] = s[up]
		i = up
	}
	s[i] = c
}

func (h *mergeHeap) pop() candidate {
	s := *h
	top := s[0]
	last := s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	i := 0
	for {
		down := 2*i + 1
		if down >= len(s) {
			break
		}
		if down+1 < len(s) && s[down+1].before(s[down]) {
			down++
		}
		if !s[down].before(last) {
			break
		}
		s[i] = s[down]
		i = down
	}
	if len(s) > 0 {
		s[i] = last
	}
	return top
}
