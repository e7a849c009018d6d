package dataset

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDistribute(t *testing.T) {
	for _, c := range []struct {
		lengths []int32
		bins    int
		want    Distribution
	}{
		{nil, 4, Distribution{Bins: []Bin{}}},
		{[]int32{7}, 4, Distribution{1, 7, 7, 7, 7, 7, 7, 7, []Bin{{7, 8, 1}}, nil}},
		{[]int32{9, 1, 2, 3, 4, 5, 6, 7, 8, 0}, 5, Distribution{10, 45, 0, 4.5, 4, 8, 9, 9, []Bin{{0, 2, 2}, {2, 4, 2}, {4, 6, 2}, {6, 8, 2}, {8, 10, 2}}, nil}},
	} {
		got := Distribute(c.lengths, c.bins)
		if d := cmp.Diff(c.want, got, cmpopts.IgnoreUnexported(Distribution{})); d != "" {
			t.Errorf("%v: %s", c.lengths, d)
		}
	}
	var many []int32
	for i := range 1000 {
		many = append(many, int32(i%100))
	}
	many = append(many, 100_000)
	d := Distribute(many, 12)
	sum := 0
	for _, b := range d.Bins {
		sum += b.Count
	}
	last := d.Bins[len(d.Bins)-1]
	if sum != d.Count || len(d.Bins) > 13 || last.To != 0 || last.Count == 0 {
		t.Errorf("bins %v of %d lengths", d.Bins, d.Count)
	}
	if d.Longer(98) != 11 || d.Longer(99) != 1 || d.Longer(100_000) != 0 || d.Longer(-1) != 1001 {
		t.Errorf("%d above 98, %d above 99", d.Longer(98), d.Longer(99))
	}
}

// PackedSteps is what training does: Order, then each step's samples by Passes.
func TestSizes(t *testing.T) {
	var sizes Sizes
	samples := sized(4, 3, 2, 5, 1, 9, 4, 4, 2, 2, 7)
	for _, s := range samples {
		sizes.Add(s.Key, len(s.IDs))
	}
	passes, used, room := 0, 0, 0
	order := Order(List(samples), 3, 0)
	for len(order) > 0 {
		n := min(4, len(order))
		var step []Sample
		for _, i := range order[:n] {
			step = append(step, samples[i])
		}
		for _, b := range Passes(step, 8, 0) {
			passes++
			used += b.Tokens()
			room += max(8, b.Tokens())
		}
		order = order[n:]
	}
	if got, want := sizes.PackedSteps(3, 4, 8), (Packing{8, passes, float64(used) / float64(room)}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := sizes.Packed(8); got.Passes != len(Passes(samples, 8, 0)) {
		t.Errorf("%+v, want %d passes", got, len(Passes(samples, 8, 0)))
	}
}
