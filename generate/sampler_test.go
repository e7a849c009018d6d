package generate

import (
	"cmp"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// reference is a row of testdata/sampling.json.
type reference struct {
	Logits []float32
	Seen   []int32
	Cases  []struct {
		Temperature       float64
		TopK              int     `json:"top_k"`
		TopP              float64 `json:"top_p"`
		MinP              float64 `json:"min_p"`
		RepetitionPenalty float64 `json:"repetition_penalty"`
		Probs             []float64
	}
}

func references(t *testing.T) []reference {
	t.Helper()
	data, err := os.ReadFile("testdata/sampling.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []reference
	if err := json.Unmarshal(data, &out); err != nil || len(out) == 0 {
		t.Fatal(len(out), err)
	}
	return out
}

// TestSampling_transformers: the distributions are those of transformers, which computes them in float32.
func TestSampling_transformers(t *testing.T) {
	for i, r := range references(t) {
		for _, k := range r.Cases {
			s := Sampling{Temperature: k.Temperature, TopK: k.TopK, TopP: k.TopP, MinP: k.MinP, RepetitionPenalty: k.RepetitionPenalty}
			before := slices.Clone(r.Logits)
			got := distribution(&s, r.Logits, r.Seen)
			if !slices.Equal(before, r.Logits) {
				t.Fatal("the logits were changed")
			}
			theirs := byLogit(&s, r, k.Probs) // which of equally likely tokens are kept is left to a sort
			for j, id := range byLogit(&s, r, got) {
				p, want := got[id], k.Probs[theirs[j]]
				if math.Abs(p-want) > 2e-6 || (p == 0) != (want == 0) {
					t.Errorf("row %d, %+v: token %d has probability %g, in transformers %d has %g", i, s, id, p, theirs[j], want)
				}
			}
		}
	}
}

// byLogit are the tokens by their logits and then by their probabilities.
func byLogit(s *Sampling, r reference, probs []float64) []int {
	var c chooser
	x := c.penalise(s, r.Logits, r.Seen)
	ids := make([]int, len(x))
	for i := range ids {
		ids[i] = i
	}
	slices.SortFunc(ids, func(a, b int) int {
		return cmp.Or(cmp.Compare(x[a], x[b]), cmp.Compare(probs[a], probs[b]))
	})
	return ids
}

// distribution is the probability of each token.
func distribution(s *Sampling, logits []float32, seen []int32) []float64 {
	var c chooser
	x := c.penalise(s, logits, seen)
	c.keep(s, x, slices.Max(x))
	out, sum := make([]float64, len(logits)), c.total()
	for i, id := range c.ids {
		out[id] = float64(c.weights[i]) / sum
	}
	return out
}

// TestSampling_draws: tokens are drawn as often as their probability says: the chi-squared statistic of 20,000 draws, over tokens that are
// due 5 times or more, is within 5 standard deviations of its mean. Other seeds, keys, samples and positions draw otherwise.
func TestSampling_draws(t *testing.T) {
	r := references(t)[0]
	s := Sampling{Temperature: 1.2, TopK: 30, TopP: 0.95, RepetitionPenalty: 1.1, Seed: 3}
	probs := distribution(&s, r.Logits, r.Seen)
	const n = 20000
	for name, at := range map[string]func(i int) draw{
		"position": func(i int) draw { return draw{7, 1, i} },
		"sample":   func(i int) draw { return draw{7, i, 4} },
		"key":      func(i int) draw { return draw{uint64(i), 1, 4} },
	} {
		counts := make([]int, len(probs))
		for i := range n {
			counts[s.choose(r.Logits, r.Seen, at(i))]++
		}
		chi, free := 0.0, -1.0
		for id, p := range probs {
			if p == 0 && counts[id] > 0 {
				t.Errorf("%s: token %d was drawn, which should not be", name, id)
			}
			if due := p * n; due >= 5 {
				chi += (float64(counts[id]) - due) * (float64(counts[id]) - due) / due
				free++
			}
		}
		if d := (chi - free) / math.Sqrt(2*free); math.Abs(d) > 5 {
			t.Errorf("%s: chi-squared %.1f for %.0f degrees of freedom", name, chi, free)
		}
	}
	list := func(s Sampling, key uint64, sample int) (out []int32) {
		for i := range 50 {
			out = append(out, s.choose(r.Logits, r.Seen, draw{key, sample, i}))
		}
		return out
	}
	base, other := list(s, 1, 0), s
	other.Seed = 4
	for name, l := range map[string][]int32{"seed": list(other, 1, 0), "key": list(s, 2, 0), "sample": list(s, 1, 1)} {
		if slices.Equal(l, base) {
			t.Errorf("another %s draws the same", name)
		}
	}
	if !slices.Equal(list(s, 1, 0), base) {
		t.Error("the same draws differ")
	}
}

// TestSampling_greedy: at temperature 0 the most likely token is taken, of what the penalty leaves.
func TestSampling_greedy(t *testing.T) {
	logits := []float32{1, 5, 4.5, -1, 5}
	for _, c := range []struct {
		s    Sampling
		seen []int32
		want int32
	}{
		{Sampling{}, nil, 1},
		{Sampling{RepetitionPenalty: 1, TopK: 3, TopP: 0.5, MinP: 0.9}, []int32{1, 4}, 1},
		{Sampling{RepetitionPenalty: 1.2}, []int32{1}, 4},
		{Sampling{RepetitionPenalty: 1.2}, []int32{1, 4, 1}, 2},
		{Sampling{RepetitionPenalty: 0.5}, []int32{2}, 2},
	} {
		if got := c.s.choose(logits, c.seen, draw{}); got != c.want {
			t.Errorf("%+v after %v: %d, want %d", c.s, c.seen, got, c.want)
		}
	}
	nan := float32(math.NaN())
	for _, s := range []Sampling{{Temperature: 1}, {Temperature: 1, TopK: 1, TopP: 0.5, MinP: 0.5}} {
		if got := s.choose([]float32{nan, nan}, nil, draw{}); got < 0 || got > 1 {
			t.Errorf("without numbers: token %d", got)
		}
	}
}

func TestKth(t *testing.T) {
	x := []float32{3, 1, 2, 3, -4, 0, 7, 2}
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	var c chooser
	for k := 1; k < len(x); k++ {
		if got := c.kth(x, k); got != sorted[k-1] {
			t.Errorf("the largest but %d is %v, want %v", k-1, got, sorted[k-1])
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text  string
		stops []string
		want  string
	}{
		{"one two three", nil, "one two three"},
		{"one two three", []string{"three", "two"}, "one "},
		{"one", []string{"one"}, ""},
		{"肺炎。症状", []string{"。"}, "肺炎"},
		{"ab", []string{"abc"}, "ab"},
	} {
		if got := Cut(c.text, c.stops); got != c.want {
			t.Errorf("%q up to %q is %q, want %q", c.text, c.stops, got, c.want)
		}
	}
}
