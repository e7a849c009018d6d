package dataset

import (
	"cmp"
	"math/bits"
	"slices"

	"ft/internal/keyed"
)

// Order returns the order in which an epoch visits the samples, as indices. A sample's turn depends on seed,
// epoch and the samples' keys alone, not on their order or on earlier draws, so that a run can be resumed
// anywhere.
func Order(samples Set, seed uint64, epoch int) []int {
	stream := keyed.Mix(keyed.Mix(seed+keyed.Increment) + uint64(epoch) + keyed.Increment)
	turn := func(i int) uint64 { return keyed.Mix((stream ^ samples.Key(i)) + keyed.Increment) }
	// Turns are evenly spread, so their leading bits put about one sample into each bucket: linear in all.
	width := bits.Len(uint(samples.Len()))
	ends := make([]int, 1<<width)
	for i := range samples.Len() {
		ends[turn(i)>>(64-width)]++
	}
	sum := 0
	for b, n := range ends {
		ends[b], sum = sum, sum+n
	}
	order := make([]int, samples.Len())
	for i := range samples.Len() {
		b := turn(i) >> (64 - width)
		order[ends[b]] = i
		ends[b]++
	}
	begin := 0
	for _, end := range ends {
		if end > begin+1 {
			slices.SortFunc(order[begin:end], func(a, b int) int {
				return cmp.Or(cmp.Compare(turn(a), turn(b)), cmp.Compare(samples.At(a).ID, samples.At(b).ID))
			})
		}
		begin = end
	}
	return order
}

// ByLength returns the samples from short to long, equally long ones by id. An evaluation, which may go in
// any order, then has passes of like samples: their work is even, and a pass of long ones comes last.
func ByLength(samples []Sample) []Sample {
	sorted := slices.Clone(samples)
	slices.SortFunc(sorted, func(a, b Sample) int {
		return cmp.Or(cmp.Compare(len(a.IDs), len(b.IDs)), cmp.Compare(a.ID, b.ID))
	})
	return sorted
}
