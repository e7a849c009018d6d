package eval

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"ft/internal/keyed"
	"ft/internal/workers"
)

// Bootstrap says how rows are drawn again, with replacement and as many as there are (Efron 1979), to tell how far scores
// would move had other rows of the kind been asked. What a resample holds depends on the seed, the number of the resample and the
// number of rows alone, so two models on the same rows, and all metrics, see the same resamples.
type Bootstrap struct {
	// Resamples is how often; 0 is not at all.
	Resamples int `json:"resamples"`
	// Seed is what the draws depend on.
	Seed uint64 `json:"seed"`
}

// leastResamples is how many a 95 % interval needs to leave something out on both sides, with some to spare.
const leastResamples = 100

// Validate refuses a number of resamples that tells nothing.
func (b Bootstrap) Validate() error {
	if b.Resamples != 0 && b.Resamples < leastResamples {
		return fmt.Errorf("must be 0 (no intervals) or at least %d resamples, got %d", leastResamples, b.Resamples)
	}
	return nil
}

// draw counts how often each row is in resample r.
func (b Bootstrap) draw(r int, counts []float64) {
	clear(counts)
	state := keyed.Mix(keyed.Mix(b.Seed+keyed.Increment) + uint64(r)*keyed.Increment)
	for range counts {
		state += keyed.Increment
		i, _ := bits.Mul64(keyed.Mix(state), uint64(len(counts)))
		counts[i]++
	}
}

// spread computes the scores of every resample, [stats][names][resamples]. All stats are of the same rows.
func (b Bootstrap) spread(stats []*Stats) [][][]float64 {
	out := make([][][]float64, len(stats))
	for i, s := range stats {
		out[i] = make([][]float64, len(s.Names))
		for k := range s.Names {
			out[i][k] = make([]float64, b.Resamples)
		}
	}
	workers.Do(b.Resamples, 1, func() func(int) error { // cannot fail
		counts := make([]float64, stats[0].Len())
		return func(r int) error {
			b.draw(r, counts)
			for i, s := range stats {
				for k, v := range s.Score(s.weighted(counts), len(counts)) {
					out[i][k][r] = v
				}
			}
			return nil
		}
	})
	return out
}

// weighted adds up the rows, each as often as counts says.
func (s *Stats) weighted(counts []float64) []float64 {
	sums := make([]float64, s.Width)
	for i, c := range counts {
		row := s.Rows[i*s.Width:][:len(sums)]
		for k, v := range row {
			sums[k] += c * v
		}
	}
	return sums
}

// interval is the 95 % percentile interval of scores of resamples: all but one in forty at each end, as in sacrebleu.
func interval(scores []float64) [2]float64 {
	sorted := slices.Sorted(slices.Values(scores))
	out := len(sorted) / 40
	return [2]float64{sorted[out], sorted[len(sorted)-1-out]}
}

// pairedP is the p-value of the paired bootstrap test (Koehn 2004, "Statistical Significance Tests for Machine Translation
// Evaluation") as sacrebleu's --paired-bs computes it: of the absolute differences dᵢ between two systems on the same B
// resamples, with mean m, and the difference d on all rows,
//
//	p = (1 + #{i : dᵢ − m > d}) / (B + 1)
//
// Deviation: equal scores give 1, not 1/(B+1).
func pairedP(tuned, base []float64, difference float64) float64 {
	if difference == 0 {
		return 1
	}
	d, mean := make([]float64, len(tuned)), 0.0
	for i := range d {
		d[i] = math.Abs(tuned[i] - base[i])
		mean += d[i] / float64(len(d))
	}
	beyond := 1
	for _, v := range d {
		if !(v-mean <= math.Abs(difference)) { // so that what is no number shows nothing
			beyond++
		}
	}
	return float64(beyond) / float64(len(d)+1)
}

// Verdicts of a comparison.
const (
	IsBetter     = "better"
	IsWorse      = "worse"
	NoDifference = "no difference shown"
)

// significant is the p below which a difference counts as shown.
const significant = 0.05

// Comparison tells whether the tuned model's score differs from its base's by more than the choice of rows explains.
type Comparison struct {
	// P is the p-value of the paired bootstrap test: how often chance alone would show such a difference.
	P float64 `json:"p"`
	// Verdict is better or worse where P is below 0.05, the direction of the metric considered, and else NoDifference.
	Verdict string `json:"verdict"`
}

func compared(better Better, tuned, base, p float64) Comparison {
	c := Comparison{P: p, Verdict: NoDifference}
	if p < significant {
		c.Verdict = IsWorse
		if (tuned > base) == (better == Higher) {
			c.Verdict = IsBetter
		}
	}
	return c
}

// Words are the verdict for people.
func (c Comparison) Words() string {
	switch {
	case c.Verdict == NoDifference:
		return fmt.Sprintf("%s (p = %.2f)", c.Verdict, c.P)
	case c.P < 0.01:
		return c.Verdict + ", p < 0.01"
	}
	return fmt.Sprintf("%s, p = %.2f", c.Verdict, c.P)
}

// Intervals adds 95 % intervals to a result of Evaluate.
func (r *Result) Intervals(b Bootstrap) {
	stats := r.resampled()
	if b.Resamples == 0 || len(stats) == 0 {
		return
	}
	r.Bootstrap = &b
	r.addIntervals(stats, b.spread(stats))
}

// Against sets the untuned model's result beside the tuned one's, both from Evaluate with the same metrics on the same rows in the
// same order, adds intervals to both, and tests whether they differ.
func (r *Result) Against(base *Result, b Bootstrap) error {
	r.Base = base
	tuned, untuned := r.resampled(), base.resampled()
	if b.Resamples == 0 || len(tuned) == 0 {
		return nil
	}
	same := func(a, b *Stats) bool { return a.Len() == b.Len() && slices.Equal(a.Names, b.Names) }
	if !slices.EqualFunc(tuned, untuned, same) {
		return errors.New("eval: a result can only be compared with one of the same metrics on the same rows")
	}
	spread := b.spread(slices.Concat(tuned, untuned))
	mine, theirs := spread[:len(tuned)], spread[len(tuned):]
	r.Bootstrap = &b
	r.addIntervals(tuned, mine)
	base.addIntervals(untuned, theirs)
	r.Compared = map[string]Comparison{}
	for i, s := range tuned {
		if s.Better == Neither {
			continue
		}
		for k, name := range s.Names {
			x, y := r.Metrics[name], base.Metrics[name]
			r.Compared[name] = compared(s.Better, x, y, pairedP(mine[i][k], theirs[i][k], x-y))
		}
	}
	return nil
}

// resampled are the stats that have intervals.
func (r *Result) resampled() []*Stats {
	return slices.DeleteFunc(slices.Clone(r.stats), func(s *Stats) bool { return s.Whole })
}

func (r *Result) addIntervals(stats []*Stats, spread [][][]float64) {
	r.CI95 = map[string][2]float64{}
	for i, s := range stats {
		for k, name := range s.Names {
			r.CI95[name] = interval(spread[i][k])
		}
	}
}
