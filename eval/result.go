package eval

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Result is what an evaluation found, in the form of metrics.json.
type Result struct {
	// N is the number of rows.
	N int `json:"n,omitempty"`
	// Metrics are the scores by name, not rounded; see Score for their scale.
	Metrics map[string]float64 `json:"metrics"`
	// Signatures say how each score was computed.
	Signatures map[string]string `json:"signatures,omitempty"`
	// CI95 are 95 % intervals of the scores: lower and upper end.
	CI95 map[string][2]float64 `json:"ci95,omitempty"`
	// Compared tells whether the scores differ from Base's.
	Compared map[string]Comparison `json:"compared,omitempty"`
	// Bootstrap is how CI95 and Compared were found.
	Bootstrap *Bootstrap `json:"bootstrap,omitempty"`
	// Decoding is how the answers were written; absent where they came from a file.
	Decoding *Answering `json:"decoding,omitempty"`
	// Base holds the scores of the untuned model on the same rows, if it was asked too.
	Base *Result `json:"base,omitempty"`
	// Tasks are the scores of multiple-choice and log-likelihood tasks by their names.
	Tasks map[string]*TaskResult `json:"tasks,omitempty"`
	// General is the check on forgetting.
	General *General `json:"general,omitempty"`

	stats []*Stats // what the scores were computed from, unless the result was read from a file
}

// Evaluate computes all metrics over pairs. Intervals and Against add to the result.
func Evaluate(metrics []Metric, pairs []Pair) (*Result, error) {
	return EvaluateSamples(metrics, pairs, 1, nil)
}

// EvaluateSamples is Evaluate for several samples of each row, whose pairs follow each other. A score that is a mean over rows is one over
// their samples too, and a corpus score such as BLEU is that of the counts of all samples. Intervals know that the samples of one
// row are not rows of their own. found is for metrics that need the model, one of each row; nil without them.
func EvaluateSamples(metrics []Metric, pairs []Pair, samples int, found []Likelihood) (*Result, error) {
	r := &Result{N: len(pairs) / samples, Metrics: map[string]float64{}, Signatures: map[string]string{}}
	for _, m := range metrics {
		stats, err := m.ofRows(pairs, samples, found)
		if err != nil {
			return nil, err
		}
		r.stats = append(r.stats, stats)
		for _, s := range stats.Scores() {
			r.Metrics[s.Name], r.Signatures[s.Name] = s.Value, s.Signature
		}
	}
	return r, nil
}

// With is r and what an earlier result of the same answers has of other metrics. One of another number of rows, or that were
// written otherwise, is of other answers: then it is r alone.
func (r *Result) With(old *Result) *Result {
	if old == nil || old.N != r.N || !reflect.DeepEqual(old.Decoding, r.Decoding) {
		return r
	}
	out := *r
	out.Metrics, out.Signatures = joined(old.Metrics, r.Metrics), joined(old.Signatures, r.Signatures)
	out.CI95, out.Compared = joined(old.CI95, r.CI95), joined(old.Compared, r.Compared)
	if r.Bootstrap == nil {
		out.Bootstrap = old.Bootstrap
	}
	if r.Base != nil {
		out.Base = r.Base.With(old.Base)
	}
	return &out
}

// joined has the entries of both maps, those of b where both have one.
func joined[V any](a, b map[string]V) map[string]V {
	if len(a) == 0 {
		return b
	}
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// ofRows is what the metric takes from each row.
func (m Metric) ofRows(pairs []Pair, samples int, found []Likelihood) (*Stats, error) {
	if m.NeedsModel() {
		return m.ofModel(found)
	}
	s, err := m.Stats(pairs)
	if err == nil {
		s.group(samples)
	}
	return s, err
}

// FewRows is the number of rows below which the table warns of its intervals.
const FewRows = 20

// Table renders the scores as aligned plain text, one line a metric in the order of their names: with a Base the columns base,
// tuned and difference, without one only the score; then the interval and the verdict, where there are some. What one
// side lacks shows as "-". Tasks and the check on forgetting follow.
func (r *Result) Table() string {
	var parts []string
	if len(r.names()) > 0 {
		parts = append(parts, r.scoreTable())
	}
	for _, p := range []string{r.taskTable(), r.General.line()} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "\n")
}

// scoreTable is the part of the table about generated answers.
func (r *Result) scoreTable() string {
	head := []string{"metric", "score"}
	if r.Base != nil {
		head = []string{"metric", "base", "tuned", "difference"}
	}
	if r.CI95 != nil {
		head = append(head, "95% interval")
		if r.Base != nil {
			head[len(head)-1] += " of tuned"
		}
	}
	if r.Compared != nil {
		head = append(head, "verdict")
	}
	rows := [][]string{head}
	for _, name := range r.names() {
		rows = append(rows, r.line(name))
	}
	out := align(rows)
	if r.CI95 != nil && r.N < FewRows {
		out += fmt.Sprintf("%d rows are few: take intervals and p as rough\n", r.N)
	}
	return out
}

// line is a metric's line of the table.
func (r *Result) line(name string) []string {
	format := "%.2f"
	if ownScale(name) {
		format = "%.4f"
	}
	tuned, hasTuned := r.Metrics[name]
	line := []string{name, cell(format, tuned, hasTuned)}
	if r.Base != nil {
		base, hasBase := r.Base.Metrics[name]
		difference := cell("%+"+format[1:], tuned-base, hasTuned && hasBase)
		line = []string{name, cell(format, base, hasBase), line[1], difference}
	}
	if r.CI95 != nil {
		words := "-"
		if ends, has := r.CI95[name]; has {
			words = fmt.Sprintf(format+" to "+format, ends[0], ends[1])
		}
		line = append(line, words)
	}
	if r.Compared != nil {
		words := "-"
		if c, has := r.Compared[name]; has {
			words = c.Words()
		}
		line = append(line, words)
	}
	return line
}

// ownScale reports whether a score is small and not in percent.
func ownScale(name string) bool {
	return strings.HasPrefix(name, "nist") || strings.HasPrefix(name, "cider") || name == "ppl"
}

// align pads every cell to its column's width, the first column to the right and the others to the left. A column of words
// ends the line as it is.
func align(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&out, "%-*s", widths[0], row[0])
		for i, c := range row[1:] {
			if i+1 == len(row)-1 && rows[0][i+1] == "verdict" {
				out.WriteString("   " + c)
			} else {
				fmt.Fprintf(&out, "   %*s", widths[i+1], c)
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// names lists the metrics of both sides, sorted.
func (r *Result) names() []string {
	all := maps.Clone(r.Metrics)
	if r.Base != nil {
		if all == nil {
			all = map[string]float64{}
		}
		maps.Copy(all, r.Base.Metrics)
	}
	return slices.Sorted(maps.Keys(all))
}

func cell(format string, v float64, has bool) string {
	if !has {
		return "-"
	}
	return fmt.Sprintf(format, v)
}
