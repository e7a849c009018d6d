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
	// Bins are a histogram, as Distribute makes it; nil where it was not asked for.
	Bins []Bin `json:"histogram,omitempty"`
}

// lengthBins is about the number of Lengths.Bins.
const lengthBins = 24

// Meter measures samples one by one. The zero value has seen none.
type Meter struct {
	sizes  []int32
	labels int
}

// Add takes a sample into account. It never fails; it is a sink of Encode.
func (m *Meter) Add(s Sample) error {
	m.sizes = append(m.sizes, int32(len(s.IDs)))
	m.labels += s.LabelTokens()
	return nil
}

// Lengths are those of the samples so far.
func (m *Meter) Lengths() Lengths {
	n := len(m.sizes)
	if n == 0 {
		return Lengths{}
	}
	slices.Sort(m.sizes)
	l := Lengths{Samples: n, Labels: m.labels}
	for _, size := range m.sizes {
		l.Tokens += int(size)
	}
	rank := func(percent int) int { return int(m.sizes[(n*percent+99)/100-1]) }
	l.Mean = float64(l.Tokens) / float64(n)
	l.Min, l.P50, l.P90, l.P99, l.Max = int(m.sizes[0]), rank(50), rank(90), rank(99), rank(100)
	return l
}

// Histogram are the Lengths with Bins.
func (m *Meter) Histogram() Lengths {
	l := m.Lengths()
	if l.Samples > 0 {
		l.Bins = Distribute(m.sizes, lengthBins).Bins
	}
	return l
}
