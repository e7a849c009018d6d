package generate

import (
	"cmp"
	"math"
	"slices"

	"ft/internal/kernels"
	"ft/internal/keyed"
	"ft/internal/stash"
)

// Sampling is how the next token is chosen. Its steps and their order are those of Hugging Face transformers (its logits processors, as
// of 5.24): repetition penalty, temperature, top-k, top-p, min-p, and then a draw. The zero value is the most likely token, the
// lowest id on a tie.
type Sampling struct {
	// Temperature divides the logits. At 0 the most likely token is taken, and of the others only RepetitionPenalty counts.
	Temperature float64
	// TopK keeps as many of the most likely tokens, and those as likely as the last of them; 0: all.
	TopK int
	// TopP keeps the fewest of the most likely tokens that have this share of the probability together (Holtzman et al. 2020,
	// arXiv:1904.09751); 0 and 1: all.
	TopP float64
	// MinP keeps tokens that are at least this share as likely as the most likely one (Nguyen et al. 2024, arXiv:2407.01082); 0: all.
	MinP float64
	// RepetitionPenalty divides the positive logits of tokens that prompt and answer have already, and multiplies the negative
	// ones (Keskar et al. 2019, arXiv:1909.05858); 0 and 1: it does not.
	RepetitionPenalty float64
	// Seed changes all draws. A draw is a function of it, the prompt's key, the sample's number and the position, and of nothing else.
	Seed uint64
}

// penalised reports whether logits of earlier tokens change.
func (s *Sampling) penalised() bool { return s.RepetitionPenalty != 0 && s.RepetitionPenalty != 1 }

// draw is where in the random numbers an answer is.
type draw struct {
	key    uint64 // of the prompt
	sample int
	at     int // tokens that the answer has
}

// uniform is a number in [0,1).
func (s *Sampling) uniform(d draw) float64 {
	x := s.Seed
	for _, k := range [...]uint64{d.key, uint64(d.sample), uint64(d.at)} {
		x = keyed.Mix((x ^ k) + keyed.Increment)
	}
	return float64(x>>11) / (1 << 53)
}

// chooser is the memory of one choice.
type chooser struct {
	logits  []float32
	ids     []int32 // that may be drawn, ascending
	weights []float32
	most    []float32 // heap of the largest logits
	order   []int     // indices of ids
	masses  [1 << 12]float64
}

var choosers stash.Stash[chooser]

// choose returns the token that follows; seen are the tokens of prompt and answer, perhaps several times. Logits are not changed.
func (s *Sampling) choose(logits []float32, seen []int32, d draw) int32 {
	if s.Temperature == 0 && !s.penalised() {
		return Argmax(logits)
	}
	c := choosers.Get()
	defer choosers.Put(c)
	logits = c.penalise(s, logits, seen)
	best := Argmax(logits)
	if s.Temperature == 0 {
		return best
	}
	c.keep(s, logits, logits[best])
	u := s.uniform(d) * c.total()
	for i, w := range c.weights {
		if u < float64(w) {
			return c.ids[i]
		}
		u -= float64(w)
	}
	return best // rounding, or logits that are no numbers
}

// penalise returns the logits behind the repetition penalty.
func (c *chooser) penalise(s *Sampling, logits []float32, seen []int32) []float32 {
	if !s.penalised() {
		return logits
	}
	c.logits = append(c.logits[:0], logits...)
	p := float32(s.RepetitionPenalty)
	for _, id := range seen {
		if v := logits[id]; v < 0 { // from the original: a token seen twice counts once
			c.logits[id] = v * p
		} else {
			c.logits[id] = v / p
		}
	}
	return c.logits
}

// keep sets ids and weights to the tokens that may be drawn and what their probabilities are proportional to, 1 for the best.
func (c *chooser) keep(s *Sampling, logits []float32, best float32) {
	c.ids, c.weights = c.ids[:0], c.weights[:0]
	least := float32(math.Inf(-1))
	if s.TopK > 0 && s.TopK < len(logits) {
		least = c.kth(logits, s.TopK)
	}
	scale := float32(1 / s.Temperature)
	for id, v := range logits {
		if v >= least {
			c.ids, c.weights = append(c.ids, int32(id)), append(c.weights, (v-best)*scale)
		}
	}
	kernels.Exp(c.weights)
	if s.TopP > 0 && s.TopP < 1 {
		c.nucleus(s.TopP)
	}
	if s.MinP > 0 {
		c.filter(func(_ int32, w float32) bool { return float64(w) >= s.MinP })
	}
}

// filter keeps the tokens for which ok is true.
func (c *chooser) filter(ok func(id int32, w float32) bool) {
	n := 0
	for i, id := range c.ids {
		if w := c.weights[i]; ok(id, w) {
			c.ids[n], c.weights[n] = id, w
			n++
		}
	}
	c.ids, c.weights = c.ids[:n], c.weights[:n]
}

// total is the sum of all weights.
func (c *chooser) total() float64 {
	sum := 0.0
	for _, w := range c.weights {
		sum += float64(w)
	}
	return sum
}

// class is a number that grows with a weight: its exponent and the first bits of its mantissa.
func class(w float32) int { return int(math.Float32bits(w)>>19) & (1<<12 - 1) }

// nucleus keeps the likeliest tokens that have the share p of all weights together. Of equally likely ones lower ids are kept first; in
// transformers that is the sort's choice. Only the class of weights in which the nucleus ends is sorted.
func (c *chooser) nucleus(p float64) {
	clear(c.masses[:])
	for _, w := range c.weights {
		c.masses[class(w)] += float64(w)
	}
	wanted, sum, last := p*c.total(), 0.0, len(c.masses)-1
	for ; last >= 0 && sum+c.masses[last] < wanted; last-- {
		sum += c.masses[last]
	}
	order := c.order[:0]
	for i, w := range c.weights {
		if class(w) == last {
			order = append(order, i)
		}
	}
	c.order = order
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(c.weights[b], c.weights[a]), a-b)
	})
	n := 0
	for n < len(order) && sum < wanted {
		sum += float64(c.weights[order[n]])
		n++
	}
	if n == 0 {
		return // all of them, or weights that are no numbers
	}
	id, least := c.ids[order[n-1]], c.weights[order[n-1]]
	c.filter(func(i int32, w float32) bool { return w > least || w == least && i <= id })
}

// kth is the k-th largest of x.
func (c *chooser) kth(x []float32, k int) float32 {
	h := append(c.most[:0], x[:k]...)
	c.most = h
	for i := k/2 - 1; i >= 0; i-- {
		sink(h, i)
	}
	for _, v := range x[k:] {
		if v > h[0] {
			h[0] = v
			sink(h, 0)
		}
	}
	return h[0]
}

// sink restores the order of a heap whose smallest value is on top, below element i.
func sink(h []float32, i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if h[i] <= h[child] {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// Argmax is the index of the largest value, the lowest on a tie.
func Argmax(x []float32) int32 { return int32(kernels.Argmax(x)) }
