package dataset

import "slices"

// Token is one token of a sample for display.
type Token struct {
	ID    int32  `json:"id"`
	Text  string `json:"text"`
	Label bool   `json:"label"` // counts in the loss
}

// Show returns the sample's tokens with their mask. piece returns the text of a token id.
func (s *Sample) Show(piece func(id int32) string) []Token {
	tokens := make([]Token, len(s.IDs))
	for i, id := range s.IDs {
		tokens[i] = Token{id, piece(id), i > 0 && s.Labels[i] != Ignore}
	}
	return tokens
}

// Lengths sums up samples. All numbers but Samples count tokens.
type Lengths struct {
	Samples int     `json:"samples"`
	Tokens  int     `json:"tokens"`
	Labels  int     `json:"labels"` // tokens that count in the loss
	Min     int     `json:"min"`
	Mean    float64 `json:"mean"`
	P50     int     `json:"p50"` // quantiles by nearest rank
	P90     int     `json:"p90"`
	P99     int     `json:"p99"`
	Max     int     `json:"max"`
}

// Measure returns the lengths of the samples.
func Measure(samples []Sample) Lengths {
	n := len(samples)
	if n == 0 {
		return Lengths{}
	}
	l := Lengths{Samples: n}
	sizes := make([]int, n)
	for i := range samples {
		sizes[i] = len(samples[i].IDs)
		l.Tokens += sizes[i]
		l.Labels += samples[i].LabelTokens()
	}
	slices.Sort(sizes)
	rank := func(percent int) int { return sizes[(n*percent+99)/100-1] }
	l.Mean = float64(l.Tokens) / float64(n)
	l.Min, l.P50, l.P90, l.P99, l.Max = sizes[0], rank(50), rank(90), rank(99), sizes[n-1]
	return l
}
