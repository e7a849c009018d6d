package eval

import "math"

// SignTest is the two-sided probability of at most k of n coins on one side: of a difference as large as the one found, or larger, by chance.
func SignTest(k, n int) float64 {
	sum := 0.0
	logN, _ := math.Lgamma(float64(n + 1))
	for i := 0; i <= k; i++ {
		a, _ := math.Lgamma(float64(i + 1))
		b, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(logN - a - b - float64(n)*math.Ln2)
	}
	return min(1, 2*sum)
}
