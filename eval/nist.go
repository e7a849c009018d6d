package eval

import (
	"fmt"
	"math"

	"ft/internal/workers"
)

// nistOrder is the length of the longest n-gram of NIST.
const nistOrder = 5

// nistGram is up to nistOrder token ids; unused places are 0.
type nistGram [nistOrder]int32

func (g nistGram) order() int {
	n := 0
	for n < nistOrder && g[n] != 0 {
		n++
	}
	return n
}

// parent is the n-gram without its last token.
func (g nistGram) parent() nistGram {
	g[g.order()-1] = 0
	return g
}

// nistGrams lists the n-grams of one order.
func nistGrams(tokens []int32, order int) []nistGram {
	var out []nistGram
	for i := range max(0, len(tokens)-order+1) {
		var g nistGram
		copy(g[:], tokens[i:i+order])
		out = append(out, g)
	}
	return out
}

// newNIST makes the NIST score (Doddington 2002) as the E2E challenge's pymteval computes it: n-grams up to 5, lower case, each
// shared n-gram weighted by its information log₂(count of all but its last token / count) in all references of the scored
// rows, and a penalty for predictions shorter than the mean of their references. It is on its own scale, and above 0 only
// where there is something to be informed about: with few references every n-gram is as likely as its beginning.
//
// The option "mteval" follows the Perl script mteval-v13a that the challenge's published figures come from. It differs where rows
// have different numbers of references: the references' mean length is then that of all of them together. It counts no n-grams in
// texts that are too short for them; pymteval counts a negative number, and is followed in that.
//
// Deviations: Chinese references are split into characters, as by bleu; an order that pymteval would divide by 0 adds nothing.
func newNIST(suffix string, options []string) (func([]Pair) *Stats, error) {
	n := nist{mteval: len(options) > 0}
	return func(pairs []Pair) *Stats {
		tok, split := wordsByScript(pairs)
		s := n.stats(pairs, split)
		length := "mean"
		if n.mteval {
			length = "mteval"
		}
		s.Names = []string{"nist" + suffix}
		s.Signature = fmt.Sprintf("nrefs:%s|case:lc|tok:%s|order:%d|reflen:%s|percent:no|version:e2e-metrics+ft", references(pairs), tok, nistOrder, length)
		s.Score = n.score
		return s
	}, nil
}

type nist struct{ mteval bool }

// The numbers of a row: the information and the number of its n-grams by order, and of its references the mean length, the
// total length and their count.
const (
	nistInfo     = 0
	nistCount    = nistOrder
	nistMean     = 2 * nistOrder
	nistTotal    = nistMean + 1
	nistNumber   = nistMean + 2
	nistRowWidth = nistMean + 3
)

func (n nist) stats(pairs []Pair, split func(string) []string) *Stats {
	corpus := tokenizeCorpus(pairs, func(text string) []string {
		tokens := split(lower(text))
		if len(tokens) == 0 && !n.mteval {
			return []string{""} // pymteval finds one token in nothing
		}
		return tokens
	})
	seen := map[nistGram]int{}
	for _, p := range corpus {
		for _, ref := range p.refs {
			seen[nistGram{}] += len(ref)
			for order := 1; order <= nistOrder; order++ {
				for _, g := range nistGrams(ref, order) {
					seen[g]++
				}
			}
		}
	}
	s := &Stats{Width: nistRowWidth, Rows: make([]float64, len(pairs)*nistRowWidth)}
	workers.Each(len(corpus), rowGrain, func(i int) { n.fill(corpus[i], seen, s.Row(i)) })
	return s
}

// fill takes the numbers of a pair. seen counts the n-grams of all references.
func (n nist) fill(p tokenizedPair, seen map[nistGram]int, row []float64) {
	for order := 1; order <= nistOrder; order++ {
		allowed := map[nistGram]int{}
		for _, ref := range p.refs {
			for g, count := range newCounted(nistGrams(ref, order)).counts {
				allowed[g] = max(allowed[g], count)
			}
		}
		hyp := newCounted(nistGrams(p.hyp, order))
		for _, g := range hyp.grams {
			if hits := min(hyp.counts[g], allowed[g]); hits > 0 {
				info := math.Log2(float64(seen[g.parent()]) / float64(seen[g]))
				row[nistInfo+order-1] += info * float64(hits)
			}
		}
		row[nistCount+order-1] = float64(len(p.hyp) - order + 1)
		if n.mteval {
			row[nistCount+order-1] = max(0, row[nistCount+order-1])
		}
	}
	for _, ref := range p.refs {
		row[nistTotal] += float64(len(ref))
		if len(ref) > 0 {
			row[nistNumber]++
		}
	}
	row[nistMean] = row[nistTotal] / float64(len(p.refs))
}

func (n nist) score(sums []float64, rows int) []float64 {
	score := 0.0
	for order := range nistOrder {
		if count := sums[nistCount+order]; count > 0 {
			score += sums[nistInfo+order] / count
		}
	}
	refLen := sums[nistMean]
	if n.mteval {
		refLen = sums[nistTotal] * float64(rows) / max(1, sums[nistNumber])
	}
	return []float64{score * nistPenalty(sums[nistCount]/max(1, refLen))}
}

// nistPenalty is the factor for predictions that are shorter than the references: 1/2 at two thirds of their length.
func nistPenalty(ratio float64) float64 {
	switch {
	case ratio >= 1:
		return 1
	case ratio <= 0:
		return 0
	}
	x := math.Log(ratio) / math.Log(1.5)
	return math.Exp2(-x * x)
}
