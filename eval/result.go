package eval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Result is what an evaluation found, in the form of metrics.json.
type Result struct {
	// N is the number of rows.
	N int `json:"n,omitempty"`
	// Metrics are the scores by name, in percent, not rounded.
	Metrics map[string]float64 `json:"metrics"`
	// Signatures say how each score was computed.
	Signatures map[string]string `json:"signatures,omitempty"`
	// Base holds the scores of the untuned model on the same rows, if it was asked too.
	Base *Result `json:"base,omitempty"`
	// Tasks are the scores of multiple-choice and log-likelihood tasks by their names.
	Tasks map[string]*TaskResult `json:"tasks,omitempty"`
	// General is the check on forgetting.
	General *General `json:"general,omitempty"`
}

// Evaluate computes all metrics over pairs.
func Evaluate(metrics []Metric, pairs []Pair) (*Result, error) {
	r := &Result{N: len(pairs), Metrics: map[string]float64{}, Signatures: map[string]string{}}
	for _, m := range metrics {
		scores, err := m.Compute(pairs)
		if err != nil {
			return nil, err
		}
		for _, s := range scores {
			r.Metrics[s.Name], r.Signatures[s.Name] = s.Value, s.Signature
		}
	}
	return r, nil
}

// Table renders the scores as aligned plain text, one line a metric in the order of their names: with a Base
// the columns base, tuned and difference, without one only the score. What one side lacks shows as "-". Tasks and the check on
// forgetting follow.
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
	rows := [][]string{{"metric", "score"}}
	if r.Base != nil {
		rows[0] = []string{"metric", "base", "tuned", "difference"}
	}
	for _, name := range r.names() {
		tuned, hasTuned := r.Metrics[name]
		if r.Base == nil {
			rows = append(rows, []string{name, cell("%.2f", tuned, hasTuned)})
			continue
		}
		base, hasBase := r.Base.Metrics[name]
		rows = append(rows, []string{name, cell("%.2f", base, hasBase), cell("%.2f", tuned, hasTuned), cell("%+.2f", tuned-base, hasTuned && hasBase)})
	}
	return align(rows)
}

// align pads every cell to its column's width, the first column to the right and the others to the left.
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
			fmt.Fprintf(&out, "   %*s", widths[i+1], c)
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
