package eval

// vocabulary numbers tokens from 1, so that n-grams can be compared as numbers.
type vocabulary map[string]int32

func (v vocabulary) encode(tokens []string) []int32 {
	ids := make([]int32, len(tokens))
	for i, t := range tokens {
		id, ok := v[t]
		if !ok {
			id = int32(len(v) + 1)
			v[t] = id
		}
		ids[i] = id
	}
	return ids
}

// maxOrder is the length of the longest n-gram that is counted.
const maxOrder = 4

// ngram is up to maxOrder token ids; unused places are 0.
type ngram [maxOrder]int32

// countNgrams adds the n-grams of one order, 1 to maxOrder, to counts and returns their number.
func countNgrams(tokens []int32, order int, counts map[ngram]int) int {
	n := max(0, len(tokens)-order+1)
	for i := range n {
		var g ngram
		copy(g[:], tokens[i:i+order])
		counts[g]++
	}
	return n
}
