package eval

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"ft/internal/jieba"
)

// lfVersion are the releases of the programs that LLaMA-Factory's recipe is made of.
const lfVersion = "jieba-0.42.1,rouge-chinese-1.0.3,nltk-3.10.4+ft"

// lfKinds are the scores, in the order of the result.
var lfKinds = []string{"lf:bleu-4", "lf:rouge-1", "lf:rouge-2", "lf:rouge-l"}

// newLF makes the scores that LLaMA-Factory reports as predict_bleu-4, predict_rouge-1, -2 and -l: each row's, in percent, is
// rounded to four places, and then the mean is taken. BLEU is nltk's sentence BLEU of characters, spaces included; ROUGE is
// rouge-chinese's of jieba's words.
//
// Deviation: LLaMA-Factory knows one reference a row. With several, BLEU takes them together as nltk does, and each ROUGE
// the one that gives it the highest score.
func newLF(string, []string) (func([]Pair) *Stats, error) {
	return func(pairs []Pair) *Stats {
		s := newStats(pairs, len(lfKinds), newLFWorker)
		s.Names, s.Score = lfKinds, lfMeans
		s.Signature = fmt.Sprintf("nrefs:%s|bleu:char+method3|rouge:jieba-sets|round:4|agg:mean|version:%s", references(pairs), lfVersion)
		return s
	}, nil
}

// lfMeans is the mean of rows that are in percent already.
func lfMeans(sums []float64, n int) []float64 {
	out := make([]float64, len(sums))
	for i, v := range sums {
		out[i] = v / float64(n)
	}
	return out
}

// lfScorer scores rows. It keeps scratch between them.
type lfScorer struct {
	cutter   *jieba.Cutter
	cut      []string // jieba's words of a text
	text     []byte   // the words joined
	words    vocabulary
	hyp, ref []int32
	counts   bleuCounter
	grams    gramTable
	seen     []bool
	lcs      lcs
}

func newLFWorker() func(Pair, []float64) {
	s := &lfScorer{cutter: jieba.NewCutter(), words: vocabulary{}, counts: bleuCounter{counts: newCounts(bleuOrder)}}
	return func(p Pair, row []float64) {
		row[0] = roundPercent(s.bleu(p))
		hyp := s.read(&s.hyp, p.Prediction)
		for _, r := range p.References {
			if ref := s.read(&s.ref, r); !hyp || !ref {
				continue
			}
			for i, f := range s.rouge() {
				row[1+i] = max(row[1+i], roundPercent(f))
			}
		}
	}
}

// roundPercent is Python's round(100*v, 4): to the nearest decimal, of two as near the even one.
func roundPercent(v float64) float64 {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v*100, 'f', 4, 64), 64) // what Go prints, it can read
	return rounded
}

// bleu is nltk's sentence_bleu of a row's characters with SmoothingFunction().method3, from 0 to 1. Orders that the prediction is too
// short for have a total of 1.
func (s *lfScorer) bleu(p Pair) float64 {
	refs := make([][]int32, len(p.References))
	for i, r := range p.References {
		refs[i] = lfChars(r)
	}
	c := s.counts.pair(lfChars(p.Prediction), refs)
	if c.correct[0] == 0 {
		return 0
	}
	logs, share := 0.0, 1.0
	for i, n := range c.correct {
		correct := float64(n)
		if n == 0 {
			share /= 2
			correct = share
		}
		logs += 0.25 * math.Log(correct/float64(max(1, c.total[i])))
	}
	return c.brevity() * math.Exp(logs)
}

func lfChars(text string) []int32 {
	out := make([]int32, 0, len(text))
	for _, r := range text {
		out = append(out, r+1) // numbers of n-grams' tokens are above 0
	}
	return out
}

// read numbers the words that rouge-chinese sees when it is given jieba's words joined by spaces. It reports whether there are any.
func (s *lfScorer) read(ids *[]int32, text string) bool {
	s.cut = s.cutter.Cut(s.cut[:0], text)
	s.join()
	*ids = (*ids)[:0]
	joined := strings.TrimRightFunc(string(s.text), isSpace)
	if joined == "" {
		return false
	}
	for line := range strings.SplitSeq(joined, "\n") {
		words := fields(line)
		if line != "" && len(words) == 0 {
			words = []string{""} // rouge-chinese splits a blank line into one empty word
		}
		*ids = s.words.append(*ids, words)
	}
	return true
}

// join puts the words into text with spaces between them, and with line breaks where rouge-chinese begins a sentence: behind 。！？?
// and behind each six full stops, if anything follows. Its rules for closing quotes find nothing, because a space precedes them.
func (s *lfScorer) join() {
	s.text = s.text[:0]
	for i, w := range s.cut {
		if i > 0 {
			s.text = append(s.text, ' ')
		}
		last := i == len(s.cut)-1
		switch {
		case w == "。" || w == "！" || w == "？" || w == "?":
			s.text = append(s.text, w...)
			if !last {
				s.text = append(s.text, '\n')
			}
		case strings.Contains(w, "......"):
			s.joinStops(w, last)
		default:
			s.text = append(s.text, w...)
		}
	}
}

// joinStops adds a word with six full stops or more in a row. The character behind six belongs to them when the next six are sought.
func (s *lfScorer) joinStops(w string, last bool) {
	for {
		at := strings.Index(w, "......")
		if at < 0 || at+6 == len(w) && last {
			s.text = append(s.text, w...)
			return
		}
		s.text = append(append(s.text, w[:at+6]...), '\n')
		if w = w[at+6:]; w == "" {
			return
		}
		s.text, w = append(s.text, w[0]), w[1:]
	}
}

// rouge compares hyp with ref: ROUGE-1 and -2 of the sets of words and of word pairs, and ROUGE-L; F from 0 to 1.
func (s *lfScorer) rouge() [3]float64 {
	s.lcs.reference(s.ref)
	long := s.lcs.length(s.hyp)
	return [3]float64{lfF(s.sets(1)), lfF(s.sets(2)), lfF(long, len(s.hyp), len(s.ref))}
}

// sets counts the different n-grams of one order, 1 or 2, in hyp, in ref, and in both.
func (s *lfScorer) sets(order int) (both, inHyp, inRef int) {
	s.grams.reset(len(s.hyp) + len(s.ref))
	add := func(tokens []int32, i int) int32 {
		if order == 1 {
			return s.grams.add(0, tokens[i])
		}
		return s.grams.add(tokens[i], tokens[i+1])
	}
	for i := range grams(len(s.ref), order) {
		add(s.ref, i)
	}
	inRef = int(s.grams.n)
	s.seen = append(s.seen[:0], make([]bool, inRef+1)...)
	for i := range grams(len(s.hyp), order) {
		if id := int(add(s.hyp, i)); id <= inRef && !s.seen[id] {
			s.seen[id] = true
			both++
		}
	}
	return both, int(s.grams.n) - inRef + both, inRef
}

// lfF is rouge-chinese's F measure, which is a little below 1 for equal texts.
func lfF(both, inHyp, inRef int) float64 {
	p, r := float64(both)/float64(max(1, inHyp)), float64(both)/float64(max(1, inRef))
	return 2 * (p * r / (p + r + 1e-8))
}
