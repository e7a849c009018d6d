package dataset

import (
	"slices"
	"sort"
)

// Distribution sums up lengths.
type Distribution struct {
	Count int     `json:"count"`
	Sum   int     `json:"sum"`
	Min   int     `json:"min"`
	Mean  float64 `json:"mean"`
	P50   int     `json:"p50"` // quantiles by nearest rank
	P90   int     `json:"p90"`
	P99   int     `json:"p99"`
	Max   int     `json:"max"`
	// Bins are the lengths from From up to, but without, To.
	Bins []Bin `json:"histogram"`

	sorted []int32
}

// Bin is a part of a histogram.
type Bin struct {
	From  int `json:"from"`
	To    int `json:"to"` // 0 in the last bin, which has no end
	Count int `json:"count"`
}

// Distribute sums up lengths, which it sorts and keeps. There are at most bins bins of one width, a round number, up to the quantile of 99 %; the last
// one has all that is above.
func Distribute(lengths []int32, bins int) Distribution {
	slices.Sort(lengths)
	d := Distribution{Count: len(lengths), sorted: lengths, Bins: []Bin{}}
	if d.Count == 0 {
		return d
	}
	for _, n := range lengths {
		d.Sum += int(n)
	}
	rank := func(percent int) int { return int(lengths[(d.Count*percent+99)/100-1]) }
	d.Mean = float64(d.Sum) / float64(d.Count)
	d.Min, d.P50, d.P90, d.P99, d.Max = int(lengths[0]), rank(50), rank(90), rank(99), rank(100)
	width := roundUp((d.P99 - d.Min + bins) / bins)
	from := d.Min / width * width
	for at := 0; at < d.Count; from += width {
		to := from + width
		end := d.below(to)
		if to > d.P99 && end < d.Count {
			to, end = 0, d.Count
		}
		d.Bins = append(d.Bins, Bin{from, to, end - at})
		at = end
	}
	return d
}

// roundUp is the next of 1, 2, 5, 10, 20, 50, …
func roundUp(n int) int {
	for w := 1; ; w *= 10 {
		for _, k := range []int{1, 2, 5} {
			if k*w >= n {
				return k * w
			}
		}
	}
}

// below counts the lengths under n.
func (d *Distribution) below(n int) int {
	return sort.Search(len(d.sorted), func(i int) bool { return int(d.sorted[i]) >= n })
}

// Longer counts the lengths above n.
func (d *Distribution) Longer(n int) int { return d.Count - d.below(n+1) }

// Sizes are samples known by their keys and sizes alone, for questions about packing.
type Sizes struct {
	keys  []uint64
	sizes []int
}

// Add puts a sample behind the others.
func (s *Sizes) Add(key uint64, size int) {
	s.keys, s.sizes = append(s.keys, key), append(s.sizes, size)
}

// Len is the number of samples.
func (s *Sizes) Len() int { return len(s.keys) }

// Key is Sample.Key of sample i.
func (s *Sizes) Key(i int) uint64 { return s.keys[i] }

// At has the key of sample i and nothing else.
func (s *Sizes) At(i int) Sample { return Sample{Key: s.keys[i]} }

// Packed packs all samples into passes of the given size, as if they were one step's.
func (s *Sizes) Packed(window int) Packing { return packed(s.sizes, window) }

// PackedSteps packs an epoch's steps of batch samples each for itself, as training does.
func (s *Sizes) PackedSteps(seed uint64, batch, window int) Packing {
	order := Order(s, seed, 0)
	p := Packing{Window: window}
	used, room := 0, 0
	step := make([]int, 0, batch)
	for len(order) > 0 {
		n := min(batch, len(order))
		step = step[:0]
		for _, i := range order[:n] {
			step = append(step, s.sizes[i])
			used += s.sizes[i]
			room += max(0, s.sizes[i]-window)
		}
		_, passes := pack(step, window)
		p.Passes += passes
		order = order[n:]
	}
	if room += p.Passes * window; room > 0 {
		p.Fill = float64(used) / float64(room)
	}
	return p
}
