package arith_test

import (
	"slices"
	"testing"

	"ft/internal/testkit"
	"ft/lora"
	"ft/lora/arith"
	"ft/model"
	"ft/peft"
	"ft/peft/pefttest"
)

// TestSwitch: adapters come and go on one open base, and the sum of two is what both do together.
func TestSwitch(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{Seed: 1}.Write(t, dir)
	m := pefttest.Open(t, dir)
	pair := func(seed uint64) []lora.Pair {
		var pairs []lora.Pair
		for _, l := range m.Linears()[:3] {
			p := random(seed, 2, l.Out(), l.In(), l.Name)[0]
			p.Scale = 0.02
			pairs = append(pairs, p)
		}
		return pairs
	}
	put := func(pairs []lora.Pair) []float32 {
		m.Stack().ClearSlots()
		saved, err := lora.PairState(pairs).Saved("test", peft.Meta{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lora.Load(m, saved); err != nil {
			t.Fatal(err)
		}
		return last(t, m)
	}
	base := last(t, m)
	a, b := pair(1), pair(2)
	first, second := put(a), put(b)
	if !slices.Equal(put(a), first) || slices.Equal(first, second) || slices.Equal(first, base) {
		t.Error("the first adapter again is not what it was, or does nothing")
	}
	m.Stack().ClearSlots()
	if !slices.Equal(last(t, m), base) {
		t.Error("without an adapter the base is not what it was")
	}
	sum, err := arith.Combine([]arith.Input{{Name: "a", Pairs: a, Weight: 1}, {Name: "b", Pairs: b, Weight: 1}}, arith.Options{Combine: "cat"})
	if err != nil {
		t.Fatal(err)
	}
	both := put(sum.Pairs)
	back, err := arith.Combine([]arith.Input{{Name: "sum", Pairs: sum.Pairs, Weight: 1}, {Name: "b", Pairs: b, Weight: -1}}, arith.Options{Combine: "cat"})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Near(t, "sum less the second", put(back.Pairs), first, 1e-5, 0)
	if slices.Equal(both, first) {
		t.Error("the sum is the first alone")
	}
}

func last(t *testing.T, m *model.Model) (out []float32) {
	t.Helper()
	ids := []int32{1, 50, 60, 2, 70}
	if err := m.Logits(ids, []int32{4}, func(_ int, l []float32) { out = slices.Clone(l) }); err != nil {
		t.Fatal(err)
	}
	return out
}
