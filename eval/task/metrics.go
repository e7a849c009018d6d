package task

import (
	"maps"
	"math"
	"slices"

	"ft/eval"
)

// perRow are the values of a score whose mean it is, row by row; nil for others.
func (o *Outcome) perRow(name string) []float64 {
	values := make([]float64, len(o.Rows))
	for i, r := range o.Rows {
		ok := false
		switch {
		case r.choices == nil && name == "acc":
			ok = r.Greedy[0]
		case name == "acc":
			ok = slices.Contains(r.Target, r.best(func(string) float64 { return 1 }))
		case name == "acc_norm":
			ok = slices.Contains(r.Target, r.best(func(c string) float64 { return float64(runes(c)) }))
		case name == "acc_bytes":
			ok = slices.Contains(r.Target, r.best(func(c string) float64 { return float64(len(c)) }))
		default:
			return nil
		}
		if ok {
			values[i] = 1
		}
	}
	return values
}

// best is the choice of the greatest log-likelihood by its length, the first on a tie.
func (r *Row) best(length func(choice string) float64) int {
	at, most := 0, math.Inf(-1)
	for i, l := range r.LogLikelihoods {
		if v := l / length(r.choices[i]); v > most {
			at, most = i, v
		}
	}
	return at
}

// Scores sums the rows up: accuracies in percent, perplexities as they are. The standard error of a mean is that of lm-eval, with n-1; a
// perplexity's is by the delta method, where lm-eval draws bootstrap samples. Weighted ones have none.
func (t *Task) Scores(o *Outcome) eval.TaskScores {
	s := eval.TaskScores{Metrics: map[string]float64{}, Stderr: map[string]float64{}}
	for _, name := range t.Metrics {
		values := o.perRow(name)
		switch {
		case values != nil:
			mean, stderr := meanStderr(values)
			s.Metrics[name] = 100 * mean
			if len(values) > 1 {
				s.Stderr[name] = 100 * stderr
			}
		case name == "perplexity":
			for _, r := range o.Rows {
				values = append(values, r.LogLikelihoods[0])
			}
			mean, stderr := meanStderr(values)
			s.Metrics[name] = math.Exp(-mean)
			if len(values) > 1 {
				s.Stderr[name] = math.Exp(-mean) * stderr
			}
		default:
			s.Metrics[name] = o.weighted(name)
		}
	}
	return s
}

// weighted is a perplexity by units of text over all rows.
func (o *Outcome) weighted(name string) float64 {
	var sum float64
	var sizes TextSize
	for _, r := range o.Rows {
		sum += r.LogLikelihoods[0]
		sizes.Add(SizeOf(r.text, r.tokens))
	}
	return Perplexities(sum, sizes)[name]
}

// TextSize is how long texts are.
type TextSize struct{ Tokens, Bytes, Words int }

// SizeOf is the size of a text of so many tokens.
func SizeOf(text string, tokens int) TextSize { return TextSize{tokens, len(text), Words(text)} }

// Add adds another text's size.
func (s *TextSize) Add(o TextSize) {
	s.Tokens, s.Bytes, s.Words = s.Tokens+o.Tokens, s.Bytes+o.Bytes, s.Words+o.Words
}

// Perplexities are what a log-likelihood in nats comes to by the units of the text.
func Perplexities(sum float64, s TextSize) map[string]float64 {
	by := func(n int) float64 { return math.Exp(-sum / float64(n)) }
	return map[string]float64{
		"token_perplexity": by(s.Tokens), "byte_perplexity": by(s.Bytes), "word_perplexity": by(s.Words),
		"bits_per_byte": -sum / float64(s.Bytes) / math.Ln2,
	}
}

func meanStderr(values []float64) (mean, stderr float64) {
	for _, v := range values {
		mean += v
	}
	n := float64(len(values))
	mean /= n
	for _, v := range values {
		stderr += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(stderr/(n-1)) / math.Sqrt(n)
}

// Result puts the outcome of a task into the form of metrics.json; base is that of the untuned model, nil without one.
func (t *Task) Result(o, base *Outcome) *eval.TaskResult {
	r := &eval.TaskResult{N: len(o.Rows), OutputType: t.OutputType, Shots: t.Shots, Alias: t.Alias, TaskScores: t.Scores(o)}
	if base == nil {
		return r
	}
	scores := t.Scores(base)
	r.Base, r.Compared = &scores, map[string]eval.Comparison{}
	for name := range maps.Keys(r.Metrics) {
		if before, after := base.perRow(name), o.perRow(name); before != nil {
			r.Compared[name] = compare(before, after)
		}
	}
	return r
}

// compare asks by McNemar's exact test whether the rows that only one of two models gets right are as many on both sides (Dietterich
// 1998, "Approximate statistical tests for comparing supervised classification learning algorithms").
func compare(before, after []float64) eval.Comparison {
	gained, lost := 0, 0
	for i := range before {
		switch {
		case after[i] > before[i]:
			gained++
		case after[i] < before[i]:
			lost++
		}
	}
	c := eval.Comparison{P: eval.SignTest(min(gained, lost), gained+lost), Verdict: eval.NoDifference}
	if c.P < 0.05 {
		c.Verdict = eval.IsBetter
		if lost > gained {
			c.Verdict = eval.IsWorse
		}
	}
	return c
}
