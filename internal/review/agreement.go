package review

import (
	"math"
	"slices"
)

// z95 is the normal quantile of a two-sided 95 % interval.
const z95 = 1.959963984540054

// wilson is the 95 % interval of a proportion of k in n.
func wilson(k, n int) (low, high float64) {
	p, m := float64(k)/float64(n), float64(n)
	z2 := z95 * z95
	mid := (p + z2/(2*m)) / (1 + z2/m)
	half := z95 / (1 + z2/m) * math.Sqrt(p*(1-p)/m+z2/(4*m*m))
	return max(0, mid-half), min(1, mid+half)
}

// choices are a vote's categories.
var choices = []string{Base, Tuned, Tie}

// agreement measures how far readers agree.
func agreement(rows []string, byRow map[string][]Vote, raters []string) *Agreement {
	a := &Agreement{}
	var better, full, accuracy, fluency [][]float64 // of the votes on each question; of the marks, on each answer
	var pairs [][]float64                           // of two readers
	for _, id := range rows {
		votes := byRow[id]
		values := func(of func(Vote) int) []float64 {
			var list []float64
			for _, v := range votes {
				list = append(list, float64(of(v)))
			}
			return list
		}
		b := values(func(v Vote) int { return slices.Index(choices, v.Better) })
		better = append(better, b)
		accuracy = append(accuracy, values(func(v Vote) int { return v.Accuracy.Base }), values(func(v Vote) int { return v.Accuracy.Tuned }))
		fluency = append(fluency, values(func(v Vote) int { return v.Fluency.Base }), values(func(v Vote) int { return v.Fluency.Tuned }))
		if len(votes) > 1 {
			a.Questions++
		}
		if len(votes) == len(raters) {
			full = append(full, b)
			if len(raters) == 2 {
				pairs = append(pairs, b)
			}
		}
	}
	a.Same = same(better)
	a.Cohen = cohen(pairs)
	a.Fleiss = fleiss(full)
	a.Krippendorff = krippendorff(better, nominal)
	a.Accuracy, a.Fluency = krippendorff(accuracy, interval), krippendorff(fluency, interval)
	return a
}

// same is the percentage of pairs of votes on one question that are equal.
func same(units [][]float64) *float64 {
	equal, all := 0, 0
	for _, u := range units {
		for i := range u {
			for j := range i {
				if all++; u[i] == u[j] {
					equal++
				}
			}
		}
	}
	if all == 0 {
		return nil
	}
	v := 100 * float64(equal) / float64(all)
	return &v
}

// kappa is observed agreement beyond chance; nil where chance alone agrees always.
func kappa(observed, chance float64) *float64 {
	if chance >= 1 {
		return nil
	}
	v := (observed - chance) / (1 - chance)
	return &v
}

// cohen is Cohen's kappa of two readers' votes, a pair a question.
func cohen(pairs [][]float64) *float64 {
	if len(pairs) == 0 {
		return nil
	}
	n := float64(len(pairs))
	var first, second [3]float64
	observed := 0.0
	for _, p := range pairs {
		first[int(p[0])]++
		second[int(p[1])]++
		if p[0] == p[1] {
			observed++
		}
	}
	chance := 0.0
	for c := range first {
		chance += first[c] / n * second[c] / n
	}
	return kappa(observed/n, chance)
}

// fleiss is Fleiss' kappa over questions that the same number of readers, two or more, judged.
func fleiss(units [][]float64) *float64 {
	if len(units) == 0 || len(units[0]) < 2 {
		return nil
	}
	raters, n := float64(len(units[0])), float64(len(units))
	var total [3]float64
	observed := 0.0
	for _, u := range units {
		var counts [3]float64
		for _, v := range u {
			counts[int(v)]++
		}
		for c, k := range counts {
			observed += k * (k - 1) / (raters * (raters - 1)) / n
			total[c] += k / (raters * n)
		}
	}
	chance := 0.0
	for _, t := range total {
		chance += t * t
	}
	return kappa(observed, chance)
}

// nominal and interval are Krippendorff's differences between two values.
func nominal(a, b float64) float64 {
	if a == b {
		return 0
	}
	return 1
}

func interval(a, b float64) float64 { return (a - b) * (a - b) }

// krippendorff is Krippendorff's alpha over units with any number of values; those with one do not count. It is nil without two values
// that differ.
func krippendorff(units [][]float64, difference func(a, b float64) float64) *float64 {
	var values []float64
	observed := 0.0
	for _, u := range units {
		if len(u) < 2 {
			continue
		}
		values = append(values, u...)
		for i := range u {
			for j := range i {
				observed += 2 * difference(u[i], u[j]) / float64(len(u)-1)
			}
		}
	}
	expected := 0.0
	for i := range values {
		for j := range i {
			expected += 2 * difference(values[i], values[j])
		}
	}
	if expected == 0 {
		return nil
	}
	n := float64(len(values))
	v := 1 - observed/n*(n*(n-1))/expected
	return &v
}
