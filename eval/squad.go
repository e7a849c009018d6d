package eval

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// newEM makes exact match after SQuAD's normalisation (Rajpurkar et al. 2016, evaluation script of version 1.1): lower case, without
// ASCII punctuation, without the words a, an and the, white space collapsed; 1 if any reference is equal; percent of rows.
//
// Deviation: if the references are Chinese, all Unicode punctuation and white space goes, and letters of other scripts are words
// between Han characters; the signature then says tok:zh instead of tok:squad.
func newEM(suffix string, _ []string) (func([]Pair) *Stats, error) {
	return squad("em"+suffix, func(hyp, ref []string) float64 {
		if slices.Equal(hyp, ref) {
			return 1
		}
		return 0
	}), nil
}

// newF1 makes SQuAD's F1: of the words that a prediction and its reference share, each as often as both have it; the best
// reference, mean over rows, percent. Normalisation and deviation are those of em; Chinese words are single characters.
func newF1(suffix string, _ []string) (func([]Pair) *Stats, error) {
	return squad("f1"+suffix, func(hyp, ref []string) float64 {
		inRef := newCounted(ref)
		shared := 0
		for word, n := range newCounted(hyp).counts {
			shared += min(n, inRef.counts[word])
		}
		return newOverlap(shared, len(hyp), len(ref)).f
	}), nil
}

// squad makes a metric that compares normalised words and takes the best reference.
func squad(name string, score func(hyp, ref []string) float64) func([]Pair) *Stats {
	return func(pairs []Pair) *Stats {
		tok, words := "squad", squadWords
		if inChinese(pairs) {
			tok, words = "zh", squadCharacters
		}
		s := newStats(pairs, 1, func() func(Pair, []float64) {
			return func(p Pair, row []float64) {
				hyp := words(p.Prediction)
				for _, ref := range p.References {
					row[0] = max(row[0], score(hyp, words(ref)))
				}
			}
		})
		s.Names, s.Score = []string{name}, means
		s.Signature = fmt.Sprintf("nrefs:%s|case:lc|tok:%s|articles:no|punct:no|version:squad-1.1+ft", references(pairs), tok)
		return s
	}
}

// squadWords normalises English.
func squadWords(text string) []string {
	text = strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsPunct(r) || unicode.IsSymbol(r)) {
			return -1
		}
		return r
	}, lower(text))
	var kept strings.Builder
	word := "" // of letters and digits, being read
	end := func() {
		if isArticle(word) {
			word = " "
		}
		kept.WriteString(word)
		word = ""
	}
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			word += string(r)
			continue
		}
		end()
		kept.WriteRune(r)
	}
	end()
	return fields(kept.String())
}

func isArticle(word string) bool { return word == "a" || word == "an" || word == "the" }

// squadCharacters normalises Chinese.
func squadCharacters(text string) []string {
	var out []string
	word := ""
	end := func() {
		if word != "" && !isArticle(word) {
			out = append(out, word)
		}
		word = ""
	}
	for _, r := range lower(text) {
		switch {
		case unicode.Is(unicode.Han, r):
			end()
			out = append(out, string(r))
		case isSpace(r):
			end()
		case !unicode.IsPunct(r) && !unicode.IsSymbol(r):
			word += string(r)
		}
	}
	end()
	return out
}
