package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// bleuVersion is the release of sacrebleu whose rules and tokenizers are followed.
const bleuVersion = "2.6.0+ft"

// newBLEU makes the corpus BLEU of Papineni et al. 2002 with the defaults of sacrebleu (Post 2018,
// arXiv:1804.08771): n-grams up to 4, counts summed over the corpus, exponential smoothing, case kept.
// Options are one tokenizer, and "lc" to lower-case. Without a tokenizer it is zh for Chinese
// references and 13a otherwise; the signature says which.
func newBLEU(suffix string, options []string) (func([]Pair) *Stats, error) {
	b := bleu{}
	for _, o := range options {
		switch {
		case o == "lc":
			b.lowerCase = true
		case b.tokenizer != "":
			return nil, fmt.Errorf("two tokenizers, %s and %s", b.tokenizer, o)
		default:
			b.tokenizer = o
		}
	}
	return func(pairs []Pair) *Stats {
		b := b
		if b.tokenizer == "" {
			b.tokenizer = "13a"
			if inChinese(pairs) {
				b.tokenizer = "zh"
			}
		}
		s := b.stats(pairs)
		s.Names, s.Signature = []string{"bleu" + suffix}, b.signature(pairs)
		s.Score = func(sums []float64, _ int) []float64 { return []float64{countsOf(sums).score(false)} }
		return s
	}, nil
}

type bleu struct {
	tokenizer string
	lowerCase bool
}

func (b bleu) signature(pairs []Pair) string {
	caseRule := "mixed"
	if b.lowerCase {
		caseRule = "lc"
	}
	return fmt.Sprintf("nrefs:%s|case:%s|eff:no|tok:%s|smooth:exp|version:%s", references(pairs), caseRule, b.tokenizer, bleuVersion)
}

// stats counts each pair.
func (b bleu) stats(pairs []Pair) *Stats {
	return newStats(pairs, bleuWidth, func() func(Pair, []float64) {
		tokenize, words := b.tokenize(), vocabulary{}
		return func(p Pair, row []float64) {
			refs := make([][]int32, len(p.References))
			for i, r := range p.References {
				refs[i] = words.encode(tokenize(r))
			}
			countBLEU(words.encode(tokenize(p.Prediction)), refs).put(row)
		}
	})
}

// tokenize returns the chosen tokenizer with the preparation that precedes all of them.
func (b bleu) tokenize() func(string) []string {
	t := tokenizers[slices.IndexFunc(tokenizers, func(t tokenizer) bool { return t.name == b.tokenizer })]
	return func(s string) []string {
		if b.lowerCase {
			s = lower(s)
		}
		return t.split(strings.TrimRightFunc(s, isSpace))
	}
}

// bleuCounts are the numbers, of a row or summed up, that BLEU is computed from.
type bleuCounts struct {
	// hypLen and refLen are in tokens; refLen takes of each row the reference nearest in length.
	hypLen, refLen int
	// correct and total count n-grams by order, from 1: those of the predictions, and those of them
	// that are in a reference (at most as often as in the reference that has most of them).
	correct, total [maxOrder]int
}

// bleuWidth is how many numbers a row has.
const bleuWidth = 2 + 2*maxOrder

// put writes the counts as a row.
func (c bleuCounts) put(row []float64) {
	row[0], row[1] = float64(c.hypLen), float64(c.refLen)
	for i := range maxOrder {
		row[2+i], row[2+maxOrder+i] = float64(c.correct[i]), float64(c.total[i])
	}
}

// countsOf reads what put wrote, or sums of it.
func countsOf(sums []float64) bleuCounts {
	c := bleuCounts{hypLen: int(sums[0]), refLen: int(sums[1])}
	for i := range maxOrder {
		c.correct[i], c.total[i] = int(sums[2+i]), int(sums[2+maxOrder+i])
	}
	return c
}

// countBLEU counts one row.
func countBLEU(hyp []int32, refs [][]int32) bleuCounts {
	c := bleuCounts{hypLen: len(hyp), refLen: nearestLength(len(hyp), refs)}
	for order := 1; order <= maxOrder; order++ {
		allowed := map[ngram]int{}
		for _, ref := range refs {
			counts := map[ngram]int{}
			countNgrams(ref, order, counts)
			for g, n := range counts {
				allowed[g] = max(allowed[g], n)
			}
		}
		counts := map[ngram]int{}
		c.total[order-1] = countNgrams(hyp, order, counts)
		for g, n := range counts {
			c.correct[order-1] += min(n, allowed[g])
		}
	}
	return c
}

// nearestLength is the length of the reference nearest to n, the shorter one if two are as near.
func nearestLength(n int, refs [][]int32) int {
	best := len(refs[0])
	for _, r := range refs[1:] {
		d, least := abs(len(r)-n), abs(best-n)
		if d < least || d == least && len(r) < best {
			best = len(r)
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// brevity is the penalty for predictions that are shorter than the references.
func (c bleuCounts) brevity() float64 {
	switch {
	case c.hypLen >= c.refLen:
		return 1
	case c.hypLen == 0:
		return 0
	}
	return math.Exp(1 - float64(c.refLen)/float64(c.hypLen))
}

// score is BLEU in percent. An order without a match counts as if it had 1/2 of one, the next such order 1/4,
// and so on. An order that the predictions are too short for makes the score 0, or with effective set, as
// is usual for single sentences, is left out.
func (c bleuCounts) score(effective bool) float64 {
	if c.correct == [maxOrder]int{} {
		return 0
	}
	logs, orders, share := 0.0, 0, 1.0
	for i, total := range c.total {
		if total == 0 {
			break
		}
		orders++
		correct := float64(c.correct[i])
		if c.correct[i] == 0 {
			share /= 2
			correct = share
		}
		logs += math.Log(100 * correct / float64(total))
	}
	if orders < maxOrder && !effective {
		return 0
	}
	return c.brevity() * math.Exp(logs/float64(orders))
}
