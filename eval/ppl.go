package eval

import "math"

// Likelihood is how likely a model finds a row's reference, its turn's end included, as the answer to the row's prompt.
type Likelihood struct {
	NLL    float64 // nats, over all tokens
	Tokens int
}

// perplexity is the metric ppl: the exponential of the mean negative log-likelihood of the references' tokens, over all tokens of all rows
// (Jelinek et al. 1977). It is on a scale of its own, and lower is better. Models with other tokenizers cannot be compared by it.
func perplexity(found []Likelihood) *Stats {
	s := &Stats{Names: []string{"ppl"}, Signature: "tokens:answer+end|arith:float32|version:ft", Width: 2}
	for _, l := range found {
		s.Rows = append(s.Rows, l.NLL, float64(l.Tokens))
	}
	s.Score = func(sums []float64, _ int) []float64 {
		// No token at all is perplexity 1, as of no surprise; what overflows is the largest number that JSON has.
		return []float64{math.Min(math.Exp(sums[0]/math.Max(sums[1], 1)), math.MaxFloat64)}
	}
	return s
}
