package dataset

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sized makes samples of the given lengths, whose tokens are all different.
func sized(lengths ...int) []Sample {
	samples := make([]Sample, len(lengths))
	token := int32(0)
	for i, n := range lengths {
		s := Sample{ID: fmt.Sprintf("s%d", i)}
		s.Key = key(s.ID)
		for range n {
			s.IDs, s.Labels = append(s.IDs, token), append(s.Labels, token)
			token++
		}
		samples[i] = s
	}
	return samples
}

func inOrder(samples []Sample, order []int) []string {
	var ids []string
	for _, i := range order {
		ids = append(ids, samples[i].ID)
	}
	return ids
}

func TestOrder(t *testing.T) {
	samples := sized(slices.Repeat([]int{1}, 500)...)
	first := inOrder(List(samples), Order(List(samples), 42, 0))
	if d := cmp.Diff(first, inOrder(List(samples), Order(List(samples), 42, 0))); d != "" {
		t.Errorf("the same draw differs: %s", d)
	}
	var ids []string
	for _, s := range samples {
		ids = append(ids, s.ID)
	}
	if d := cmp.Diff(slices.Sorted(slices.Values(ids)), slices.Sorted(slices.Values(first))); d != "" {
		t.Errorf("not every sample once: %s", d)
	}
	for name, other := range map[string][]string{
		"file order":      ids,
		"epoch 1":         inOrder(List(samples), Order(List(samples), 42, 1)),
		"seed 43":         inOrder(List(samples), Order(List(samples), 43, 0)),
		"seed 43 epoch 1": inOrder(List(samples), Order(List(samples), 43, 1)),
	} {
		same := 0
		for i := range other {
			if other[i] == first[i] {
				same++
			}
		}
		if same > 10 { // 1 is expected of random orders
			t.Errorf("%s: %d of 500 samples in the same place", name, same)
		}
	}
	// Fewer samples, in another order of files, keep their turns.
	some := slices.Clone(samples[100:])
	slices.Reverse(some)
	without := slices.DeleteFunc(slices.Clone(first), func(id string) bool {
		return slices.ContainsFunc(samples[:100], func(s Sample) bool { return s.ID == id })
	})
	if d := cmp.Diff(without, inOrder(List(some), Order(List(some), 42, 0))); d != "" {
		t.Error(d)
	}
}

func TestOrder_sameKeys(t *testing.T) {
	samples := sized(1, 1, 1)
	for i := range samples {
		samples[i].Key = 7
	}
	slices.Reverse(samples)
	if d := cmp.Diff([]string{"s0", "s1", "s2"}, inOrder(List(samples), Order(List(samples), 1, 1))); d != "" {
		t.Error(d)
	}
}

// The order must stay what it is, or no run could be resumed by the next version.
func TestOrder_isPinned(t *testing.T) {
	samples := sized(1, 1, 1, 1, 1, 1, 1, 1)
	if d := cmp.Diff([]int{4, 0, 6, 3, 2, 7, 5, 1}, Order(List(samples), 42, 3)); d != "" {
		t.Error(d)
	}
}

func TestByLength(t *testing.T) {
	samples := sized(3, 1, 2, 1)
	var got []string
	for _, s := range ByLength(samples) {
		got = append(got, s.ID)
	}
	if d := cmp.Diff([]string{"s1", "s3", "s2", "s0"}, got); d != "" {
		t.Error(d)
	}
	if samples[0].ID != "s0" {
		t.Error("the argument changed")
	}
}

func TestPasses(t *testing.T) {
	for _, c := range []struct {
		lengths []int
		micro   int
		ahead   int
		want    [][]int // samples of each pass
	}{
		{[]int{4, 3, 2, 5, 1}, 8, 0, [][]int{{0, 2, 4}, {1, 3}}},
		{[]int{4, 9, 4}, 8, 0, [][]int{{0, 2}, {1}}},
		{[]int{9, 1, 9}, 8, 0, [][]int{{0}, {1}, {2}}},
		{[]int{8, 8}, 8, 0, [][]int{{0}, {1}}},
		{[]int{1, 2, 3}, 1, 0, [][]int{{0}, {1}, {2}}},
		{[]int{4, 3, 2, 5, 1}, 12, 2, [][]int{{0, 2}, {1, 3}, {4}}},
		{nil, 8, 0, nil},
	} {
		samples := sized(c.lengths...)
		var want []Batch
		for _, pass := range c.want {
			var in []Sample
			for _, i := range pass {
				in = append(in, samples[i])
			}
			want = append(want, Pack(in))
		}
		got := Passes(samples, c.micro, c.ahead)
		if len(got)+len(want) > 0 && !cmp.Equal(want, got) {
			t.Errorf("%v in %d: %s", c.lengths, c.micro, cmp.Diff(want, got))
		}
	}
}

// Whatever the lengths, passes hold every sample once, in order, keep to the limit, and are no more than those of best fit decreasing.
func TestPasses_properties(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		lengths := make([]int, rng.IntN(60))
		for i := range lengths {
			lengths[i] = 1 + rng.IntN(50)
		}
		samples := sized(lengths...)
		const micro = 40
		order := make([]int, len(lengths))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return lengths[b] - lengths[a] })
		var room []int
		for _, i := range order {
			best := -1
			for k, r := range room {
				if r >= lengths[i] && (best < 0 || r < room[best]) {
					best = k
				}
			}
			if best < 0 {
				best, room = len(room), append(room, micro)
			}
			room[best] -= lengths[i]
		}
		seen := map[uint64]bool{}
		passes := Passes(samples, micro, 0)
		first := -1
		for _, b := range passes {
			if b.Tokens() > micro && len(b.Keys) > 1 {
				t.Fatalf("a pass of %d samples has %d tokens, limit %d", len(b.Keys), b.Tokens(), micro)
			}
			last := -1
			for k, id := range b.Keys {
				at := slices.IndexFunc(samples, func(s Sample) bool { return s.Key == id })
				if seen[id] || at < last || k == 0 && at < first {
					t.Fatalf("sample %d is out of order, or in two passes", at)
				}
				if seen[id], last = true, at; k == 0 {
					first = at
				}
			}
		}
		if len(passes) > len(room) || len(seen) != len(samples) {
			t.Fatalf("%v: %d samples of %d in %d passes, best fit has %d", lengths, len(seen), len(samples), len(passes), len(room))
		}
	}
}

// Where best fit decreasing leaves room, bins filled one by one do not.
func TestPack_slack(t *testing.T) {
	for _, c := range []struct {
		sizes  []int
		room   int
		passes int
	}{
		{[]int{6, 5, 5, 4, 4, 3, 3}, 10, 3},          // best fit takes 6+4, 5+5, 4+3+3
		{[]int{7, 6, 5, 4, 3, 3, 2}, 10, 3},          // 7+3, 6+4, 5+3+2
		{[]int{5, 4, 4, 3, 2, 2}, 10, 2},             // best fit takes 5+4, 4+3+2, 2
		{[]int{51, 27, 26, 23, 24, 49, 100}, 100, 3}, // 51+49, 27+26+23+24, 100
		{nil, 10, 0},
	} {
		_, n := pack(c.sizes, c.room)
		_, best := bestFit(c.sizes, slices.SortedFunc(slices.Values(indices(len(c.sizes))), func(a, b int) int { return c.sizes[b] - c.sizes[a] }), c.room)
		if n != c.passes || n > best {
			t.Errorf("%v in %d: %d bins, want %d; best fit has %d", c.sizes, c.room, n, c.passes, best)
		}
	}
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestPacked(t *testing.T) {
	for _, c := range []struct {
		sizes  []int
		window int
		want   Packing
	}{
		{[]int{5, 3, 4, 4}, 8, Packing{8, 2, 1}},
		{[]int{5, 5, 5}, 8, Packing{8, 3, 15. / 24}},
		{[]int{20, 4}, 8, Packing{8, 2, 24. / 28}},
		{nil, 8, Packing{Window: 8}},
		{[]int{3}, 1 << 40, Packing{1 << 40, 1, 3. / (1 << 40)}},
	} {
		if got := packed(c.sizes, c.window); got != c.want {
			t.Errorf("%v in %d: %+v, want %+v", c.sizes, c.window, got, c.want)
		}
	}
}

func TestPack(t *testing.T) {
	samples := sized(3, 1)
	samples[0].Labels = []int32{Ignore, 1, 2}
	b := Pack(samples)
	want := Batch{
		IDs: []int32{0, 1, 2, 3}, Labels: []int32{1, 2, Ignore, Ignore}, Starts: []int32{0, 3, 4},
		Keys: []uint64{key("s0"), key("s1")},
	}
	if d := cmp.Diff(want, b); d != "" {
		t.Error(d)
	}
	if b.LabelTokens() != samples[0].LabelTokens()+samples[1].LabelTokens() {
		t.Errorf("%d label tokens", b.LabelTokens())
	}
}
