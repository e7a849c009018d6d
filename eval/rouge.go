package eval

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
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
				best := r.best(p)
				for i := range row {
					row[i] = best[i].f
				}
			}
		})
		s.Signature, s.Score = newRougeScorer(stem, chinese).signature(pairs), means
		for _, name := range rougeKinds {
			s.Names = append(s.Names, name+suffix)
		}
		return s
	}, nil
}

// rougeKinds are the variants that are computed, in the order of the result.
var rougeKinds = []string{"rouge1", "rouge2", "rougeL", "rougeLsum"}

// rougeScorer compares texts. It keeps scratch between them.
type rougeScorer struct {
	stem, chinese bool
	stems         map[string]string // of the words seen so far
	words         vocabulary
	hyp, ref      rougeText
	grams         clipper
	lcs           lcs
	left          map[int32][2]int
}

func newRougeScorer(stem, chinese bool) *rougeScorer {
	return &rougeScorer{stem: stem, chinese: chinese, stems: map[string]string{}, words: vocabulary{}, left: map[int32][2]int{}}
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
func (r *rougeScorer) best(p Pair) [4]overlap {
	var out [4]overlap
	r.read(&r.hyp, p.Prediction)
	for n, text := range p.References {
		r.read(&r.ref, text)
		for i, o := range r.compare() {
			if n == 0 || o.f > out[i].f {
				out[i] = o
			}
		}
	}
	return out
}

// compare gives the overlap of hyp with ref for each of rougeKinds.
func (r *rougeScorer) compare() [4]overlap {
	hyp, ref := r.hyp.tokens, r.ref.tokens
	r.grams.reset(len(ref), 2)
	r.grams.reference(ref, 2)
	var shared [2]int
	r.grams.matches(hyp, shared[:])
	r.lcs.reference(ref)
	long := newOverlap(r.lcs.length(hyp), len(hyp), len(ref))
	sum := long
	if len(r.ref.lines) != 1 || len(r.hyp.lines) != 1 {
		sum = newOverlap(r.unions(), len(hyp), len(ref))
	}
	return [4]overlap{
		newOverlap(shared[0], len(hyp), len(ref)), newOverlap(shared[1], grams(len(hyp), 2), grams(len(ref), 2)), long, sum,
	}
}

// rougeText is a text as numbers: all tokens, and the same by lines that are not empty.
type rougeText struct {
	tokens []int32
	lines  [][]int32
}

func (r *rougeScorer) read(t *rougeText, text string) {
	t.tokens, t.lines = t.tokens[:0], t.lines[:0]
	ends := make([]int, 0, 16)
	for line := range strings.SplitSeq(lower(text), "\n") {
		if line != "" {
			t.tokens = r.words.append(t.tokens, r.tokenize(line))
			ends = append(ends, len(t.tokens))
		}
	}
	at := 0
	for _, end := range ends {
		t.lines = append(t.lines, t.tokens[at:end])
		at = end
	}
}

// tokenize keeps the runs of a to z and 0 to 9 of a lower-case line, and for Chinese each letter of a script other than Latin.
func (r *rougeScorer) tokenize(line string) []string {
	out := make([]string, 0, len(line)/5+1)
	start := -1 // of the run being read
	for i := 0; i < len(line); {
		c, size := rune(line[i]), 1
		if c >= 'a' && c <= 'z' || isDigit(c) {
			if start < 0 {
				start = i
			}
			i++
			continue
		}
		if start >= 0 {
			out = append(out, r.root(line[start:i]))
			start = -1
		}
		if r.chinese && c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(line[i:])
			if unicode.IsLetter(c) && !unicode.Is(unicode.Latin, c) {
				out = append(out, line[i:i+size])
			}
		}
		i += size
	}
	if start >= 0 {
		out = append(out, r.root(line[start:]))
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

// unions counts for each line of the reference the tokens that are in its longest common subsequence with
// any line of the prediction (Lin 2004, section 3.2), but no token more often than each text has it.
func (r *rougeScorer) unions() int {
	clear(r.left) // by token, how often reference and prediction may still count it
	for _, t := range r.ref.tokens {
		n := r.left[t]
		r.left[t] = [2]int{n[0] + 1, n[1]}
	}
	for _, t := range r.hyp.tokens {
		if n, ok := r.left[t]; ok {
			r.left[t] = [2]int{n[0], n[1] + 1}
		}
	}
	shared := 0
	for _, line := range r.ref.lines {
		r.lcs.reference(line)
		in := make([]bool, len(line))
		for _, hyp := range r.hyp.lines {
			r.lcs.mark(hyp, in)
		}
		for i, t := range line {
			n := r.left[t]
			if in[i] && n[0] > 0 && n[1] > 0 {
				r.left[t] = [2]int{n[0] - 1, n[1] - 1}
				shared++
			}
		}
	}
	return shared
}
