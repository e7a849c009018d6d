package eval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// draw makes a text of up to most tokens of few kinds.
func draw(r *rand.Rand, most, kinds int) []int32 {
	out := make([]int32, r.IntN(most+1))
	for i := range out {
		out[i] = int32(1 + r.IntN(kinds))
	}
	return out
}

// TestClipper compares with counts in maps, with one clipper for all texts.
func TestClipper(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var c clipper
	for range 2000 {
		orders, kinds := 1+r.IntN(6), 1+r.IntN(8)
		hyp, refs, tokens := draw(r, 40, kinds), make([][]int32, 1+r.IntN(3)), 0
		for i := range refs {
			refs[i] = draw(r, 40, kinds)
			tokens += len(refs[i])
		}
		c.reset(tokens, orders)
		for _, ref := range refs {
			c.reference(ref, orders)
		}
		got, want := make([]int, orders), make([]int, orders)
		c.matches(hyp, got)
		for i := range want {
			allowed := map[string]int{}
			for _, ref := range refs {
				for g, n := range countInMap(ref, i+1) {
					allowed[g] = max(allowed[g], n)
				}
			}
			for g, n := range countInMap(hyp, i+1) {
				want[i] += min(n, allowed[g])
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v of %v in %v: %v, want %v", orders, hyp, refs, got, want)
		}
	}
}

func countInMap(tokens []int32, order int) map[string]int {
	out := map[string]int{}
	for i := range grams(len(tokens), order) {
		out[fmt.Sprint(tokens[i:i+order])]++
	}
	return out
}

// TestLCS compares lengths and marks with the table that rouge_score fills and walks back, around the lengths at which rows get
// another word.
func TestLCS(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var l lcs
	for n := range 3000 {
		most, kinds := 12, 1+r.IntN(6)
		if n%10 == 0 {
			most, kinds = 200, 1+r.IntN(60)
		}
		ref, hyp := draw(r, most, kinds), draw(r, most, kinds)
		if n%7 == 0 {
			ref = make([]int32, 62+r.IntN(5))
			for i := range ref {
				ref[i] = int32(1 + r.IntN(kinds))
			}
		}
		l.reference(ref, hyp)
		want, in := slowLCS(ref, hyp)
		if got := l.length(hyp); got != want {
			t.Fatalf("%v and %v: %d, want %d", ref, hyp, got, want)
		}
		got := make([]bool, len(ref))
		if l.mark(hyp, got); !slices.Equal(got, in) {
			t.Fatalf("%v and %v: %v, want %v", ref, hyp, got, in)
		}
	}
}

// slowLCS is the textbook's table.
func slowLCS(ref, hyp []int32) (int, []bool) {
	table := make([][]int, len(ref)+1)
	for i := range table {
		table[i] = make([]int, len(hyp)+1)
	}
	for i, x := range ref {
		for j, y := range hyp {
			if x == y {
				table[i+1][j+1] = table[i][j] + 1
			} else {
				table[i+1][j+1] = max(table[i][j+1], table[i+1][j])
			}
		}
	}
	in := make([]bool, len(ref))
	for i, j := len(ref), len(hyp); i > 0 && j > 0; {
		switch {
		case ref[i-1] == hyp[j-1]:
			in[i-1] = true
			i, j = i-1, j-1
		case table[i][j-1] > table[i-1][j]:
			j--
		default:
			i--
		}
	}
	return table[len(ref)][len(hyp)], in
}

// TestShifter_distanceOf: a shifted text's distance is the same computed row by row, and each shift moves words without losing any.
func TestShifter_distanceOf(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var s, slow shifter
	for range 3000 {
		hyp, ref := append(draw(r, 70, 5), 1), append(draw(r, 120, 5), 1)
		s.start(hyp, ref)
		s.distance(s.rows, hyp, 0)
		try := shift{from: r.IntN(len(hyp)), to: r.IntN(len(hyp) + 1)}
		try.length = 1 + r.IntN(min(shiftSize, len(hyp)-try.from))
		got := s.distanceOf(try)

		slow.start(try.apply(nil, hyp), ref)
		slow.distance(slow.rows, slow.hyp, 0)
		if want := int(slow.last(slow.rows)); got != want {
			t.Fatalf("%v to %v with %+v: %d, want %d", hyp, ref, try, got, want)
		}
		if a, b := slices.Sorted(slices.Values(hyp)), slices.Sorted(slices.Values(slow.hyp)); !slices.Equal(a, b) {
			t.Fatalf("%+v makes %v of %v", try, slow.hyp, hyp)
		}
	}
}
