package eval

import (
	"fmt"
	"math"

	"ft/internal/workers"
)

// cider's constants: the length of the longest n-gram, the factor that gives the published scale, and the width of the penalty for
// other lengths.
const (
	ciderOrder = 4
	ciderScale = 10.0
	ciderSigma = 6.0
)

// newCIDEr makes CIDEr as COCO's and the E2E challenge's scripts compute it, which is CIDEr-D of Vedantam et al. 2015: the cosine of
// n-gram counts (orders 1 to 4, the prediction's no more than the reference's) weighted by how few rows have the n-gram in a
// reference, times a penalty for another length, mean over orders and references, times 10. It is on its own scale. Texts are
// split by tokenizePTB, without punctuation. A single row scores 0: there is nothing that it has and others lack.
//
// Deviation: Chinese references are split into characters, as by bleu.
func newCIDEr(suffix string, _ []string) (func([]Pair) *Stats, error) {
	return func(pairs []Pair) *Stats {
		tok, split := "ptb", tokenizePTB
		if inChinese(pairs) {
			tok, split = wordsByScript(pairs)
		}
		corpus := tokenizeCorpus(pairs, split)
		idf := newIDF(corpus)
		s := &Stats{Width: 1, Rows: make([]float64, len(pairs))}
		workers.Each(len(corpus), rowGrain, func(i int) { s.Rows[i] = idf.score(corpus[i]) })
		s.Names = []string{"cider" + suffix}
		s.Signature = fmt.Sprintf("nrefs:%s|case:lc|tok:%s|order:%d|sigma:%g|percent:no|version:e2e-metrics+ft", references(pairs), tok, ciderOrder, ciderSigma)
		s.Score = func(sums []float64, n int) []float64 { return []float64{sums[0] / float64(n)} }
		return s
	}, nil
}

// ciderGram is up to ciderOrder token ids; unused places are 0.
type ciderGram [ciderOrder]int32

// idf are the weights of n-grams.
type idf struct {
	rows int
	with map[ciderGram]int // rows that have the n-gram in a reference
}

func newIDF(corpus []tokenizedPair) idf {
	d := idf{len(corpus), map[ciderGram]int{}}
	for _, p := range corpus {
		seen := map[ciderGram]bool{}
		for _, ref := range p.refs {
			for order := 1; order <= ciderOrder; order++ {
				for _, g := range ciderGrams(ref, order) {
					if !seen[g] {
						seen[g] = true
						d.with[g]++
					}
				}
			}
		}
	}
	return d
}

// ciderGrams lists the n-grams of one order.
func ciderGrams(tokens []int32, order int) []ciderGram {
	var out []ciderGram
	for i := range max(0, len(tokens)-order+1) {
		var g ciderGram
		copy(g[:], tokens[i:i+order])
		out = append(out, g)
	}
	return out
}

// weighted is a text as a vector for each order.
type weighted struct {
	grams  [ciderOrder]counted[ciderGram]
	norm   [ciderOrder]float64
	length int // in bigrams, as the scripts count it
}

func (d idf) weight(g ciderGram) float64 {
	return math.Log(float64(d.rows)) - math.Log(max(1, float64(d.with[g])))
}

func (d idf) read(tokens []int32) weighted {
	w := weighted{length: max(0, len(tokens)-1)}
	for i := range ciderOrder {
		w.grams[i] = newCounted(ciderGrams(tokens, i+1))
		for _, g := range w.grams[i].grams {
			x := float64(w.grams[i].counts[g]) * d.weight(g)
			w.norm[i] += x * x
		}
		w.norm[i] = math.Sqrt(w.norm[i])
	}
	return w
}

// score is CIDEr of one row.
func (d idf) score(p tokenizedPair) float64 {
	hyp, sum := d.read(p.hyp), 0.0
	for _, text := range p.refs {
		ref := d.read(text)
		apart := float64(hyp.length - ref.length)
		penalty := math.Exp(-apart * apart / (2 * ciderSigma * ciderSigma))
		for i := range ciderOrder {
			product := 0.0
			for _, g := range hyp.grams[i].grams {
				if n := ref.grams[i].counts[g]; n > 0 {
					weight := d.weight(g)
					product += weight * weight * float64(min(hyp.grams[i].counts[g], n)*n)
				}
			}
			if norm := hyp.norm[i] * ref.norm[i]; norm != 0 {
				product /= norm
			}
			sum += product * penalty
		}
	}
	return ciderScale * sum / ciderOrder / float64(len(p.refs))
}
