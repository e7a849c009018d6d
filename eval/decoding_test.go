package eval

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestDecoding_validate(t *testing.T) {
	if err := DefaultDecoding().Validate(); err != nil {
		t.Error(err)
	}
	drawn := DefaultDecoding()
	drawn.Temperature, drawn.TopK, drawn.TopP, drawn.MinP, drawn.Samples = 0.7, 40, 0.9, 0.05, 4
	if err := drawn.Validate(); err != nil {
		t.Error(err)
	}
	if g := drawn.Greedy(); g.Validate() != nil || g.Samples != 1 {
		t.Errorf("greedy: %+v, %v", g, g.Validate())
	}
	for want, change := range map[string]func(d *Decoding){
		"temperature: must be 0 (greedy) or more, got -1":                                   func(d *Decoding) { d.Temperature = -1 },
		"temperature: must be 0 (greedy) or more, got NaN":                                  func(d *Decoding) { d.Temperature = math.NaN() },
		"top_k: must be 0 (all tokens) or more, got -3":                                     func(d *Decoding) { d.TopK = -3 },
		"top_p: must be above 0 and at most 1 (all tokens), got 0":                          func(d *Decoding) { d.TopP = 0 },
		"top_p: must be above 0 and at most 1 (all tokens), got 1.5":                        func(d *Decoding) { d.TopP = 1.5 },
		"min_p: must be from 0 (all tokens) to 1, got 2":                                    func(d *Decoding) { d.MinP = 2 },
		"repetition_penalty: must be above 0 (1 is none), got 0":                            func(d *Decoding) { d.RepetitionPenalty = 0 },
		"stop[1]: is empty, which would end every answer at once":                           func(d *Decoding) { d.Stop = []string{"x", ""} },
		"samples: must be at least 1, got 0":                                                func(d *Decoding) { d.Samples = 0 },
		"top_k: does nothing at temperature 0 (greedy): set temperature too":                func(d *Decoding) { d.Temperature, d.MinP, d.TopP, d.Samples = 0, 0, 1, 1 },
		"top_p: does nothing at temperature 0 (greedy)":                                     func(d *Decoding) { d.Temperature = 0 },
		"min_p: does nothing at temperature 0 (greedy)":                                     func(d *Decoding) { d.Temperature = 0 },
		"samples: all 4 would be the same at temperature 0 (greedy): set temperature too, ": func(d *Decoding) { d.Temperature = 0 },
	} {
		d := drawn
		change(&d)
		if err := d.Validate(); err == nil || !slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(l string) bool { return strings.HasPrefix(l, want) }) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	c := Default()
	c.Decoding.TopP = 2
	if err := c.Validate(); err == nil || err.Error() != "decoding.top_p: must be above 0 and at most 1 (all tokens), got 2" {
		t.Errorf("error %v", err)
	}
}

// TestEvaluateSamples: with the same answer in every sample scores are those of one; with different ones a mean over rows is the mean of the
// samples' scores, and BLEU that of all answers; there are as many rows as questions.
func TestEvaluateSamples(t *testing.T) {
	metrics, err := Parse("bleu,rouge")
	if err != nil {
		t.Fatal(err)
	}
	rows := []Pair{
		{"the cat sat on the mat today", []string{"the cat sat on a mat today"}},
		{"take two tablets every day", []string{"take one tablet every single day"}},
		{"no answer at all", []string{"a fever is a high temperature of the body"}},
	}
	other := []string{"the cat lay on a mat all day", "take one tablet", "a fever is a high temperature"}
	var same, mixed, second []Pair
	for i, p := range rows {
		o := Pair{other[i], p.References}
		same, mixed, second = append(same, p, p), append(mixed, p, o), append(second, o)
	}
	evaluate := func(pairs []Pair, samples int) *Result {
		r, err := EvaluateSamples(metrics, pairs, samples, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one, two, both, flat, last := evaluate(rows, 1), evaluate(same, 2), evaluate(mixed, 2), evaluate(mixed, 1), evaluate(second, 1)
	for name, want := range one.Metrics {
		if got := two.Metrics[name]; math.Abs(got-want) > 1e-12 {
			t.Errorf("%s of the same answer twice is %v, of one %v", name, got, want)
		}
		want := flat.Metrics[name]
		if name != "bleu" {
			want = (one.Metrics[name] + last.Metrics[name]) / 2
		}
		if got := both.Metrics[name]; math.Abs(got-want) > 1e-12 {
			t.Errorf("%s of two answers each is %v, want %v", name, got, want)
		}
	}
	if two.N != 3 || both.N != 3 || both.stats[0].Len() != 3 {
		t.Errorf("%d and %d rows, %d in the stats", two.N, both.N, both.stats[0].Len())
	}
	both.Intervals(Bootstrap{Resamples: 100, Seed: 1})
	two.Intervals(Bootstrap{Resamples: 100, Seed: 1})
	one.Intervals(Bootstrap{Resamples: 100, Seed: 1})
	if a, b := two.CI95["rougeL"], one.CI95["rougeL"]; math.Abs(a[0]-b[0])+math.Abs(a[1]-b[1]) > 1e-9 {
		t.Errorf("the interval of the same answer twice is %v, of one %v", a, b)
	}
}
