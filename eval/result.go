package eval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
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
// the columns base, tuned and difference, without one only the score. What one side lacks shows as "-".
func (r *Result) Table() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', tabwriter.AlignRight)
	// Every cell is right-aligned, so the names are padded to stand to the left.
	names := r.names()
	width := len("metric")
	for _, n := range names {
		width = max(width, len(n))
	}
	row := func(name string, cells ...string) {
		fmt.Fprintf(w, "%-*s\t%s\t\n", width, name, strings.Join(cells, "\t"))
	}
	if r.Base == nil {
		row("metric", "score")
	} else {
		row("metric", "base", "tuned", "difference")
	}
	for _, n := range names {
		tuned, hasTuned := r.Metrics[n]
		if r.Base == nil {
			row(n, cell("%.2f", tuned, hasTuned))
			continue
		}
		base, hasBase := r.Base.Metrics[n]
		row(n, cell("%.2f", base, hasBase), cell("%.2f", tuned, hasTuned), cell("%+.2f", tuned-base, hasTuned && hasBase))
	}
	w.Flush() // into memory: cannot fail
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
