package eval

import "fmt"

// newDistinct makes distinct-1 and distinct-2 (Li et al. 2016): of the words and word pairs of all predictions together, the part that
// is not a repetition, percent. It falls as there is more text, so it compares answers to the same rows only.
//
// The scores have no interval: drawing rows again repeats some, which lowers them whatever the answers are, so that the
// resampled scores do not lie around the one of all rows.
func newDistinct(suffix string, _ []string) (func([]Pair) *Stats, error) {
	return func(pairs []Pair) *Stats {
		tok, split := wordsByScript(pairs)
		words, seen, total := vocabulary{}, map[[2]int32]bool{}, [2]int{}
		for _, p := range pairs {
			tokens := words.encode(split(p.Prediction))
			for i, t := range tokens {
				seen[[2]int32{t}] = true
				total[0]++
				if i > 0 {
					seen[[2]int32{tokens[i-1], t}] = true
					total[1]++
				}
			}
		}
		distinct := [2]int{}
		for g := range seen {
			if g[1] == 0 {
				distinct[0]++
			} else {
				distinct[1]++
			}
		}
		scores := make([]float64, len(total))
		s := &Stats{Width: 1, Rows: make([]float64, len(pairs)), Whole: true}
		for i, n := range total {
			s.Names = append(s.Names, fmt.Sprintf("distinct-%d%s", i+1, suffix))
			scores[i] = 100 * float64(distinct[i]) / float64(max(1, n))
		}
		s.Signature = fmt.Sprintf("case:mixed|tok:%s|over:corpus|version:ft", tok)
		s.Score = func([]float64, int) []float64 { return scores }
		return s
	}, nil
}

// newLength makes the length of the predictions in percent of the references', in BLEU's tokens: words, or characters of Chinese. Of
// several references the nearest in length counts. It is the ratio that sacrebleu prints beside BLEU.
func newLength(suffix string, _ []string) (func([]Pair) *Stats, error) {
	return func(pairs []Pair) *Stats {
		tok, split := wordsByScript(pairs)
		s := newStats(pairs, 2, func() func(Pair, []float64) {
			return func(p Pair, row []float64) {
				hyp := len(split(p.Prediction))
				refs := make([][]int32, len(p.References))
				for i, ref := range p.References {
					refs[i] = make([]int32, len(split(ref)))
				}
				row[0], row[1] = float64(hyp), float64(nearestLength(hyp, refs))
			}
		})
		s.Names = []string{"length" + suffix}
		s.Signature = fmt.Sprintf("nrefs:%s|tok:%s|ref:nearest|version:%s", references(pairs), tok, sacrebleuVersion)
		s.Score = func(sums []float64, _ int) []float64 { return []float64{100 * sums[0] / max(1, sums[1])} }
		return s
	}, nil
}
