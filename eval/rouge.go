package eval

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// rougeVersion is the release of Google's rouge_score whose rules are followed.
const rougeVersion = "0.1.2+ft"

// newROUGE makes ROUGE-1, -2, -L and -Lsum (Lin 2004) as Google's rouge_score has them: F measure in percent,
// averaged over the rows, each row with the reference that gives the highest F. The option "stem" applies the
// Porter stemmer to words of four letters and more.
//
// Deviation: rouge_score drops every letter but a to z. If the references are Chinese, each letter of a
// script other than Latin is a token here; the signature then says tok:zh instead of tok:latin.
func newROUGE(suffix string, options []string) (func([]Pair) *Stats, error) {
	stem := slices.Contains(options, "stem")
	return func(pairs []Pair) *Stats {
		chinese := inChinese(pairs)
		s := newStats(pairs, len(rougeKinds), func() func(Pair, []float64) {
			r := newRougeScorer(stem, chinese)
			return func(p Pair, row []float64) {
				for i, best := range r.best(p) {
					row[i] = best.f
				}
			}
		})
		s.Signature, s.Score = newRougeScorer(stem, chinese).signature(pairs), means
		for _, k := range rougeKinds {
			s.Names = append(s.Names, k.name+suffix)
		}
		return s
	}, nil
}

// rougeKinds are the variants that are computed, in the order of the result.
var rougeKinds = []struct {
	name  string
	score func(ref, hyp rougeText) overlap
}{
	{"rouge1", func(ref, hyp rougeText) overlap { return rougeN(ref, hyp, 1) }},
	{"rouge2", func(ref, hyp rougeText) overlap { return rougeN(ref, hyp, 2) }},
	{"rougeL", rougeL},
	{"rougeLsum", rougeLsum},
}

// rougeScorer turns texts into tokens.
type rougeScorer struct {
	stem, chinese bool
	stems         map[string]string // of the words seen so far
	words         vocabulary
}

func newRougeScorer(stem, chinese bool) *rougeScorer {
	return &rougeScorer{stem: stem, chinese: chinese, stems: map[string]string{}, words: vocabulary{}}
}

func (r *rougeScorer) signature(pairs []Pair) string {
	tok, stem := "latin", "no"
	if r.chinese {
		tok = "zh"
	}
	if r.stem {
		stem = "porter"
	}
	return fmt.Sprintf("nrefs:%s|tok:%s|stem:%s|agg:mean-f|version:%s", references(pairs), tok, stem, rougeVersion)
}

// best returns, for each of rougeKinds, the overlap with the reference that gives the highest F.
func (r *rougeScorer) best(p Pair) []overlap {
	out := make([]overlap, len(rougeKinds))
	hyp := r.read(p.Prediction)
	for n, text := range p.References {
		ref := r.read(text)
		for i, k := range rougeKinds {
			if o := k.score(ref, hyp); n == 0 || o.f > out[i].f {
				out[i] = o
			}
		}
	}
	return out
}

// rougeText is a text as numbers: all tokens, and the same by lines that are not empty.
type rougeText struct {
	tokens []int32
	lines  [][]int32
}

func (r *rougeScorer) read(text string) rougeText {
	var t rougeText
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			continue
		}
		ids := r.words.encode(r.tokenize(line))
		t.lines = append(t.lines, ids)
		t.tokens = append(t.tokens, ids...)
	}
	return t
}

// tokenize lower-cases and keeps the runs of a to z and 0 to 9, and for Chinese each letter of a script other
// than Latin.
func (r *rougeScorer) tokenize(line string) []string {
	line = lower(line)
	var out []string
	start := -1 // of the run being read
	for i, c := range line + " " {
		if isDigit(c) || c >= 'a' && c <= 'z' {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			out = append(out, r.root(line[start:i]))
			start = -1
		}
		if r.chinese && unicode.IsLetter(c) && !unicode.Is(unicode.Latin, c) {
			out = append(out, string(c))
		}
	}
	return out
}

// root is the word's stem, or the word itself if it is short or stems are not wanted.
func (r *rougeScorer) root(word string) string {
	if !r.stem || len(word) <= 3 {
		return word
	}
	s, ok := r.stems[word]
	if !ok {
		s = porterStem(word)
		r.stems[word] = s
	}
	return s
}

// overlap is what two texts share: precision is its part of the prediction, recall its part of the
// reference, f the harmonic mean of the two; all from 0 to 1.
type overlap struct{ precision, recall, f float64 }

// newOverlap takes the number of shared units and the numbers in prediction and reference. A text
// without units shares nothing.
func newOverlap(shared, inHyp, inRef int) overlap {
	o := overlap{precision: float64(shared) / float64(max(inHyp, 1)), recall: float64(shared) / float64(max(inRef, 1))}
	if shared > 0 {
		o.f = 2 * o.precision * o.recall / (o.precision + o.recall)
	}
	return o
}

// rougeN counts n-grams, each at most as often as in the text that has it less often.
func rougeN(ref, hyp rougeText, n int) overlap {
	inRef, inHyp := map[ngram]int{}, map[ngram]int{}
	refTotal, hypTotal := countNgrams(ref.tokens, n, inRef), countNgrams(hyp.tokens, n, inHyp)
	shared := 0
	for g, count := range inRef {
		shared += min(count, inHyp[g])
	}
	return newOverlap(shared, hypTotal, refTotal)
}

// rougeL counts the tokens of the longest common subsequence, line breaks ignored.
func rougeL(ref, hyp rougeText) overlap {
	return newOverlap(lcsLength(ref.tokens, hyp.tokens), len(hyp.tokens), len(ref.tokens))
}

// rougeLsum counts for each line of the reference the tokens that are in its longest common subsequence with
// any line of the prediction (Lin 2004, section 3.2), but no token more often than each text has it.
func rougeLsum(ref, hyp rougeText) overlap {
	if len(ref.lines) == 1 && len(hyp.lines) == 1 {
		return rougeL(ref, hyp)
	}
	left := map[int32][2]int{}
	for _, t := range ref.tokens {
		n := left[t]
		left[t] = [2]int{n[0] + 1, n[1]}
	}
	for _, t := range hyp.tokens {
		n := left[t]
		left[t] = [2]int{n[0], n[1] + 1}
	}
	shared := 0
	for _, line := range ref.lines {
		for i, in := range unionLCS(line, hyp.lines) {
			n := left[line[i]]
			if in && n[0] > 0 && n[1] > 0 {
				left[line[i]] = [2]int{n[0] - 1, n[1] - 1}
				shared++
			}
		}
	}
	return newOverlap(shared, len(hyp.tokens), len(ref.tokens))
}
