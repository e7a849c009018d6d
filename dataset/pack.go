package dataset

import (
	"cmp"
	"math/bits"
	"slices"
)

// Passes packs the samples of one optimizer step, or of an evaluation, into passes of at most microTokens
// positions; each sample takes one a token and the ahead ones that a method puts before it. One that is longer
// than microTokens gets a pass of its own, so microTokens 1 gives every sample its own; for the others see pack. Samples of a pass, and
// passes by their first sample, are in the order given.
func Passes(samples []Sample, microTokens, ahead int) []Batch {
	sizes := make([]int, len(samples))
	for i := range samples {
		sizes[i] = ahead + len(samples[i].IDs)
	}
	pass, n := pack(sizes, microTokens)
	in := make([][]Sample, n)
	for i, s := range samples {
		in[pass[i]] = append(in[pass[i]], s)
	}
	batches := make([]Batch, n)
	for i, p := range in {
		batches[i] = Pack(p)
	}
	return batches
}

// Packing is how well samples fill passes.
type Packing struct {
	Window int     `json:"window"` // positions of a pass
	Passes int     `json:"passes"`
	Fill   float64 `json:"fill"` // part of the passes' positions that samples take; a pass of one longer sample is full
}

// packed packs samples of the given sizes as Passes does.
func packed(sizes []int, window int) Packing {
	_, n := pack(sizes, window)
	used, room := 0, n*window
	for _, size := range sizes {
		used += size
		room += max(0, size-window)
	}
	p := Packing{Window: window, Passes: n}
	if room > 0 {
		p.Fill = float64(used) / float64(room)
	}
	return p
}

// pack places sizes into as few bins of the given room as two heuristics find, and returns the bin of each and how many there
// are. Bins are numbered by the first index in them.
//
// Best fit decreasing (Johnson 1973) places the largest first, each into the fullest bin that has room for it. Filling bins one by one (the minimum
// bin slack of Gupta and Ho 1999, each bin begun with the largest left, the search cut short) leaves less room
// where sizes are a large part of it.
func pack(sizes []int, room int) (bin []int, n int) {
	order := make([]int, len(sizes))
	total := 0
	for i, size := range sizes {
		order[i] = i
		total += size
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(sizes[b], sizes[a]), cmp.Compare(a, b)) })
	room = min(room, total)
	bin, n = bestFit(sizes, order, room)
	if n > 1 && n > (total+room-1)/room {
		if other, m := leastSlack(sizes, order, room); m < n {
			bin, n = other, m
		}
	}
	number := make([]int, n)
	for i := range number {
		number[i] = -1
	}
	next := 0
	for i, at := range bin {
		if number[at] < 0 {
			number[at] = next
			next++
		}
		bin[i] = number[at]
	}
	return bin, n
}

// bestFit is best fit decreasing; order has the largest first.
func bestFit(sizes, order []int, room int) (bin []int, n int) {
	open := newShelf(room)
	bin = make([]int, len(sizes))
	for _, i := range order {
		left, at, ok := open.take(sizes[i])
		if !ok {
			left, at = room, n
			n++
		}
		bin[i] = at
		open.put(left-sizes[i], at)
	}
	return bin, n
}

// shelf holds bins by the room that is left in them.
type shelf struct {
	bins [][]int  // room → bins, the newest last
	any  []uint64 // a bit for each room that some bin has
}

func newShelf(most int) *shelf {
	most = max(most, 0)
	return &shelf{make([][]int, most+1), make([]uint64, most/64+1)}
}

// put adds a bin; one without room is not kept.
func (s *shelf) put(room, bin int) {
	if room <= 0 {
		return
	}
	s.bins[room] = append(s.bins[room], bin)
	s.any[room/64] |= 1 << (room % 64)
}

// take removes the bin with the least room that suffices.
func (s *shelf) take(size int) (room, bin int, ok bool) {
	if size >= len(s.bins) {
		return 0, 0, false
	}
	word := size / 64
	have := s.any[word] &^ (1<<(size%64) - 1)
	for have == 0 {
		if word++; word == len(s.any) {
			return 0, 0, false
		}
		have = s.any[word]
	}
	room = word*64 + bits.TrailingZeros64(have)
	list := s.bins[room]
	bin = list[len(list)-1]
	if s.bins[room] = list[:len(list)-1]; len(list) == 1 {
		s.any[word] &^= 1 << (room % 64)
	}
	return room, bin, true
}
