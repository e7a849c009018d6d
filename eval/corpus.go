package eval

import (
	"strings"

	"ft/internal/workers"
)

// tokenizedPair is a pair as numbers of tokens, the same numbers in all pairs of a corpus.
type tokenizedPair struct {
	hyp  []int32
	refs [][]int32
}

// tokenizeCorpus splits all texts, on all CPUs, and numbers the tokens in the order of the texts.
func tokenizeCorpus(pairs []Pair, split func(string) []string) []tokenizedPair {
	words := make([][][]string, len(pairs)) // prediction first
	workers.Each(len(pairs), rowGrain, func(i int) {
		words[i] = append(words[i], split(pairs[i].Prediction))
		for _, ref := range pairs[i].References {
			words[i] = append(words[i], split(ref))
		}
	})
	ids := vocabulary{}
	out := make([]tokenizedPair, len(pairs))
	for i, texts := range words {
		out[i].hyp = ids.encode(texts[0])
		for _, text := range texts[1:] {
			out[i].refs = append(out[i].refs, ids.encode(text))
		}
	}
	return out
}

// counted are n-grams with how often a text has them, in the order of their first occurrence: sums over them are the same
// bits on every run.
type counted[G comparable] struct {
	grams  []G
	counts map[G]int
}

func newCounted[G comparable](grams []G) counted[G] {
	c := counted[G]{counts: map[G]int{}}
	for _, g := range grams {
		if c.counts[g]++; c.counts[g] == 1 {
			c.grams = append(c.grams, g)
		}
	}
	return c
}

// wordsByScript is the tokenizer that BLEU would take for the references, with its name.
func wordsByScript(pairs []Pair) (name string, split func(string) []string) {
	name = "13a"
	if inChinese(pairs) {
		name = "zh"
	}
	words := splitter(name)
	return name, func(s string) []string { return words(strings.TrimRightFunc(s, isSpace)) }
}
