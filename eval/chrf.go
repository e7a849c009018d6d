package eval

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// chrf is the character n-gram F score of Popović 2015 (https://aclanthology.org/W15-3049), and with words the chrF++ of
// Popović 2017 (https://aclanthology.org/W17-4770), as sacrebleu computes them: counts are summed over the rows, each with the
// reference that gives it the highest score.
type chrf struct {
	chars, words int // orders of the longest n-grams
	beta         int // how many times recall counts as much as precision
	lowerCase    bool
	whitespace   bool // spaces are characters like others
	eps          bool // mean of each order's F, as chrF++.py, instead of F of the mean precision and recall
}

// chrfLimit bounds the orders.
const chrfLimit = 9

// newCHRF makes the metric with so many orders of words, which options may change for chrf.
func newCHRF(name string, words int) func(string, []string) (func([]Pair) *Stats, error) {
	return func(suffix string, options []string) (func([]Pair) *Stats, error) {
		c := chrf{chars: 6, words: words, beta: 2}
		for _, o := range options {
			key, value, _ := strings.Cut(o, "=")
			var err error
			switch key {
			case "lc":
				c.lowerCase = true
			case "whitespace":
				c.whitespace = true
			case "eps_smoothing":
				c.eps = true
			case "char_order":
				c.chars, err = whole(o, value, 1, chrfLimit)
			case "word_order":
				c.words, err = whole(o, value, 0, chrfLimit)
			case "beta":
				c.beta, err = whole(o, value, 1, 100)
			}
			if err != nil {
				return nil, err
			}
		}
		return func(pairs []Pair) *Stats {
			s := newStats(pairs, 3*(c.chars+c.words), c.worker)
			s.Names, s.Signature = []string{name + suffix}, c.signature(pairs)
			s.Score = func(sums []float64, _ int) []float64 { return []float64{c.score(sums)} }
			return s
		}, nil
	}
}

func chrfOptions(more ...string) []string {
	return append([]string{"lc", "whitespace", "eps_smoothing", "char_order=N", "beta=N"}, more...)
}

// signature is sacrebleu's. The metric's name tells beta.
func (c chrf) signature(pairs []Pair) string {
	return fmt.Sprintf("nrefs:%s|case:%s|eff:%s|nc:%d|nw:%d|space:%s|version:%s",
		references(pairs), caseRule(c.lowerCase), yesNo(!c.eps), c.chars, c.words, yesNo(c.whitespace), sacrebleuVersion)
}

// chrfText is a text as numbers: its characters, and its words with punctuation cut off.
type chrfText struct{ chars, words []int32 }

// worker counts rows: for each order the n-grams of the prediction, those of the reference and those that both have.
func (c chrf) worker() func(Pair, []float64) {
	var hyp, ref chrfText
	var grams clipper
	words, row := vocabulary{}, make([]float64, 3*(c.chars+c.words))
	return func(p Pair, best []float64) {
		c.read(&hyp, p.Prediction, words)
		top := -1.0
		for _, r := range p.References {
			c.read(&ref, r, words)
			countChrf(&grams, hyp.chars, ref.chars, row[:3*c.chars])
			countChrf(&grams, hyp.words, ref.words, row[3*c.chars:])
			if f := c.score(row); f > top {
				top = f
				copy(best, row)
			}
		}
	}
}

// countChrf fills row with the three counts of each order. Where the reference has no n-gram, those of the prediction do not count.
func countChrf(g *clipper, hyp, ref []int32, row []float64) {
	orders := len(row) / 3
	var buffer [chrfLimit]int
	shared := buffer[:orders]
	g.reset(len(ref), orders)
	g.reference(ref, orders)
	g.matches(hyp, shared)
	for i, n := range shared {
		inHyp, inRef := grams(len(hyp), i+1), grams(len(ref), i+1)
		if inRef == 0 {
			inHyp = 0
		}
		row[3*i], row[3*i+1], row[3*i+2] = float64(inHyp), float64(inRef), float64(n)
	}
}

func (c chrf) read(t *chrfText, text string, words vocabulary) {
	if c.lowerCase {
		text = lower(text)
	}
	t.chars = t.chars[:0]
	for _, r := range text {
		if c.whitespace || !isSpace(r) {
			t.chars = append(t.chars, r+1) // numbers of n-grams' tokens are above 0
		}
	}
	t.words = t.words[:0]
	if c.words > 0 {
		t.words = words.append(t.words, chrfWords(text))
	}
}

// chrfWords splits at white space and cuts one ASCII punctuation mark off each word, at its end or else at its beginning.
func chrfWords(text string) []string {
	mark := func(b byte) bool {
		return b < utf8.RuneSelf && (asciiMarks[b] || b == '\'' || b == ',' || b == '-' || b == '.')
	}
	var out []string
	for word := range strings.FieldsFuncSeq(text, isSpace) {
		first, last := word[0], word[len(word)-1]
		switch {
		case utf8.RuneCountInString(word) == 1:
			out = append(out, word)
		case mark(last):
			out = append(out, word[:len(word)-1], word[len(word)-1:])
		case mark(first):
			out = append(out, word[:1], word[1:])
		default:
			out = append(out, word)
		}
	}
	return out
}

// score is chrF in percent from the counts of a row or sums of them.
func (c chrf) score(counts []float64) float64 {
	const eps = 1e-16 // as chrF++.py: what takes the place of nothing
	factor := float64(c.beta * c.beta)
	orders, precision, recall, f := 0.0, 0.0, 0.0, 0.0
	for i := 0; i < len(counts); i += 3 {
		inHyp, inRef, shared := counts[i], counts[i+1], counts[i+2]
		p, r := eps, eps
		if inHyp > 0 {
			p = shared / inHyp
		}
		if inRef > 0 {
			r = shared / inRef
		}
		if d := factor*p + r; d > 0 {
			f += (1 + factor) * p * r / d
		} else {
			f += eps
		}
		if inHyp > 0 && inRef > 0 {
			precision, recall, orders = precision+p, recall+r, orders+1
		}
	}
	if c.eps {
		return 100 * f / float64(len(counts)/3)
	}
	if precision+recall == 0 {
		return 0
	}
	precision, recall = precision/orders, recall/orders
	return 100 * ((1 + factor) * precision * recall / (factor*precision + recall))
}
