package eval

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// METEOR's parameters: the weight of recall in the mean, and the form of the penalty for scattered matches.
const (
	meteorAlpha = 0.9
	meteorBeta  = 3.0
	meteorGamma = 0.5
)

// newMETEOR makes METEOR (Banerjee and Lavie 2005; Lavie and Agarwal 2007) with its first two stages, exact words and Porter stems, as
// nltk's meteor_score has it when WordNet knows no word: the matches' weighted mean of precision and recall, less a penalty for the number of
// pieces that they lie in; the best reference, in percent, averaged over rows. Its figures are below those with synonyms.
//
// Words are BLEU's tokens in lower case; Chinese characters have no stems.
func newMETEOR(suffix string, _ []string) (func([]Pair) *Stats, error) {
	return func(pairs []Pair) *Stats {
		tok, split := wordsByScript(pairs)
		s := newStats(pairs, 1, func() func(Pair, []float64) {
			stems := map[string]string{}
			return func(p Pair, row []float64) {
				hyp := split(lower(p.Prediction))
				for _, ref := range p.References {
					row[0] = max(row[0], meteor(hyp, split(lower(ref)), stems))
				}
			}
		})
		s.Names, s.Score = []string{"meteor" + suffix}, means
		s.Signature = fmt.Sprintf("nrefs:%s|case:lc|tok:%s|stages:exact+porter|alpha:%g|beta:%g|gamma:%g|version:nltk-3.10.4+ft",
			references(pairs), tok, meteorAlpha, meteorBeta, meteorGamma)
		return s
	}, nil
}

// meteor scores one text against one reference, from 0 to 1. stems are those of the words seen so far.
func meteor(hyp, ref []string, stems map[string]string) float64 {
	at := make([]int, len(hyp)) // the place in ref that each word is matched with, or -1
	for i := range at {
		at[i] = -1
	}
	used := make([]bool, len(ref))
	matches := 0
	stage := func(form func(string) string) {
		free := map[string][]int{}
		for j, w := range ref {
			if !used[j] {
				free[form(w)] = append(free[form(w)], j)
			}
		}
		// From the end, so that of equal words the last ones match.
		for i, w := range slices.Backward(hyp) {
			places := free[form(w)]
			if at[i] >= 0 || len(places) == 0 {
				continue
			}
			j := places[len(places)-1]
			free[form(w)] = places[:len(places)-1]
			at[i], used[j] = j, true
			matches++
		}
	}
	stage(func(w string) string { return w })
	stage(func(w string) string { return stemOf(w, stems) })
	if matches == 0 {
		return 0
	}
	pieces, before := 0, -1 // before is the last match's word
	for i, j := range at {
		if j < 0 {
			continue
		}
		if before < 0 || before != i-1 || at[before] != j-1 {
			pieces++
		}
		before = i
	}
	precision, recall := float64(matches)/float64(len(hyp)), float64(matches)/float64(len(ref))
	mean := precision * recall / (meteorAlpha*precision + (1-meteorAlpha)*recall)
	return (1 - meteorGamma*math.Pow(float64(pieces)/float64(matches), meteorBeta)) * mean
}

// stemOf is the Porter stem of a lower-case word of any letters.
func stemOf(word string, stems map[string]string) string {
	s, ok := stems[word]
	if !ok {
		s = word
		if utf8.RuneCountInString(word) > 2 {
			s = porterStem(word)
		}
		stems[word] = s
	}
	return s
}
