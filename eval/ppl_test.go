package eval

import (
	"math"
	"strings"
	"testing"
)

// TestPPL: over all tokens, lower is better, with intervals; without a model's answer to it there is an error.
func TestPPL(t *testing.T) {
	metrics, err := Parse("ppl,bleu:none")
	if err != nil {
		t.Fatal(err)
	}
	pairs := []Pair{{"a b c d", []string{"a b c d"}}, {"a b c d", []string{"a b c d"}}, {"b", []string{"a"}}, {"b", []string{"a"}}}
	found := []Likelihood{{NLL: 3, Tokens: 2}, {NLL: 12, Tokens: 3}}
	r, err := EvaluateSamples(metrics, pairs, 2, found)
	if err != nil {
		t.Fatal(err)
	}
	if want := math.Exp(3); math.Abs(r.Metrics["ppl"]-want) > 1e-12 || r.N != 2 {
		t.Errorf("%v of %d rows, want %v of 2", r.Metrics["ppl"], r.N, want)
	}
	base, err := EvaluateSamples(metrics, pairs, 2, []Likelihood{{NLL: 30, Tokens: 2}, {NLL: 45, Tokens: 3}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Against(base, Bootstrap{Resamples: 200}); err != nil {
		t.Fatal(err)
	}
	if ends := r.CI95["ppl"]; ends[0] != math.Exp(1.5) || ends[1] != math.Exp(4) {
		t.Errorf("interval %v", ends)
	}
	if c := r.Compared["ppl"]; c.Verdict == IsWorse || BetterOf("ppl") != Lower {
		t.Errorf("%+v", c)
	}
	if r, err = EvaluateSamples(metrics[:1], pairs, 2, []Likelihood{{}, {}}); err != nil || r.Metrics["ppl"] != 1 {
		t.Errorf("without tokens: %+v, %v", r, err)
	}
	if r, err = EvaluateSamples(metrics[:1], pairs, 2, []Likelihood{{NLL: 1e9, Tokens: 1}, {}}); err != nil || r.Metrics["ppl"] != math.MaxFloat64 {
		t.Errorf("a huge one: %+v, %v", r, err)
	}
	if _, err := Evaluate(metrics, pairs); err == nil || !strings.Contains(err.Error(), "ppl needs the model") {
		t.Errorf("error %v", err)
	}
	c := Default()
	c.Metrics, c.Best = []string{"ppl"}, "ppl"
	if err := c.Validate(); err != nil || c.BestScore() != "ppl" {
		t.Errorf("%v, %q", err, c.BestScore())
	}
}
