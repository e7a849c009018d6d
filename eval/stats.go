package eval

import "ft/internal/workers"

// Stats is what a metric takes from rows: a few numbers of each, whose sums over some rows give the scores of those rows. So the
// score of any part of the rows, or of rows drawn again, costs one addition a number and no text is read twice.
type Stats struct {
	// Names are the keys of the result, such as "rougeL".
	Names []string
	// Signature says how the scores are computed; see Score.
	Signature string
	// Width is the count of numbers of a row.
	Width int
	// Rows are the numbers, [n, Width] for n rows.
	Rows []float64
	// Score computes the scores in the order of Names from the sums [Width] over n rows. It may be called from several goroutines.
	Score func(sums []float64, n int) []float64
	// Better says which of two scores is the better one.
	Better Better
	// Whole is set where the scores are of all rows together and no function of sums over rows: then there is no interval.
	Whole bool
}

// Better says which of two scores of a metric is the better one.
type Better int

const (
	Higher Better = iota
	Lower
	Neither // the score describes answers and does not judge them
)

// rowGrain is how many rows a worker takes at a time.
const rowGrain = 32

// newStats fills the numbers of all pairs on all CPUs. worker is called once for each of them; the function that it returns
// adds the numbers of one pair to row, which is zero, and must not depend on the pairs that it saw before.
func newStats(pairs []Pair, width int, worker func() func(p Pair, row []float64)) *Stats {
	s := &Stats{Width: width, Rows: make([]float64, len(pairs)*width)}
	workers.Do(len(pairs), rowGrain, func() func(int) error { // cannot fail
		take := worker()
		return func(i int) error { take(pairs[i], s.Row(i)); return nil }
	})
	return s
}

// Len is the number of rows.
func (s *Stats) Len() int { return len(s.Rows) / s.Width }

// Row is the numbers of row i.
func (s *Stats) Row(i int) []float64 { return s.Rows[i*s.Width : (i+1)*s.Width] }

// group makes one row of each n that follow each other, the samples of one row. Their numbers are added up, and scores are those of n times
// as many rows. Scores of all rows together are left as they are.
func (s *Stats) group(n int) {
	if n == 1 || s.Whole {
		return
	}
	for i := range s.Len() / n {
		sum := make([]float64, s.Width)
		for j := range n {
			for k, v := range s.Row(i*n + j) {
				sum[k] += v
			}
		}
		copy(s.Row(i), sum)
	}
	s.Rows = s.Rows[:len(s.Rows)/n]
	score := s.Score
	s.Score = func(sums []float64, rows int) []float64 { return score(sums, rows*n) }
}

// Sums adds up all rows, in their order.
func (s *Stats) Sums() []float64 {
	sums := make([]float64, s.Width)
	for i := range s.Len() {
		for k, v := range s.Row(i) {
			sums[k] += v
		}
	}
	return sums
}

// Scores are those of all rows.
func (s *Stats) Scores() []Score {
	var out []Score
	for i, v := range s.Score(s.Sums(), s.Len()) {
		out = append(out, Score{Name: s.Names[i], Value: v, Signature: s.Signature})
	}
	return out
}

// means is the Score of metrics that are means over rows of numbers from 0 to 1.
func means(sums []float64, n int) []float64 {
	out := make([]float64, len(sums))
	for i, v := range sums {
		out[i] = 100 * v / float64(n)
	}
	return out
}
