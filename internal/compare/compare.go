// Package compare shows methods side by side: a table for the terminal, JSON, and one HTML page that needs nothing but itself.
//
//	Report ─┬─ Table ─▶ aligned text
//	        └─ HTML ──▶ table, curves of validation and training loss, settings
package compare

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"ft/internal/chart"
	"ft/internal/ui"
)

// Report is a comparison. The first row is the base.
type Report struct {
	Config string `json:"config"`
	Base   string `json:"base"`
	// Facts are what all runs share, as a name and a value each.
	Facts []Fact `json:"-"`
	Rows  []Row  `json:"rows"`
	// Page is where the HTML page was written.
	Page string `json:"page,omitempty"`
}

// Fact is a line about all runs.
type Fact struct{ Name, Value string }

// Row is one method. What is nil is not known, or makes no sense for the base.
type Row struct {
	Name      string `json:"name"`
	Method    string `json:"method,omitempty"`          // its kind
	Run       string `json:"run,omitempty"`             // the run's directory
	Error     string `json:"error,omitempty"`           // why there is nothing else
	Trainable *int64 `json:"trainable,omitempty"`       // values
	Optimizer *int64 `json:"optimizer_bytes,omitempty"` // AdamW's two moments
	// Peak is the largest resident memory of the run's process while it trained, in bytes, the mapped base included.
	Peak *int64 `json:"peak_bytes,omitempty"`
	// Seconds are those of the optimizer steps, evaluations not counted.
	Seconds *float64           `json:"seconds,omitempty"`
	Steps   int                `json:"steps,omitempty"`
	Tokens  int64              `json:"tokens,omitempty"`   // trained on
	ValLoss *float64           `json:"val_loss,omitempty"` // the best, in nats per label token
	Metrics map[string]float64 `json:"metrics,omitempty"`  // on the test part, in percent
	// Size is that of the tensor files which the run left: an adapter's, or those of a whole model.
	Size *int64 `json:"adapter_bytes,omitempty"`

	Settings string  `json:"-"` // the run's config
	Train    []Point `json:"-"` // loss by step
	Val      []Point `json:"-"`
}

// Point is a loss behind a step.
type Point = chart.Point

// metrics are the names of all scores, sorted.
func (r *Report) metrics() []string {
	names := map[string]bool{}
	for _, row := range r.Rows {
		for name := range row.Metrics {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// header are the columns' names.
func (r *Report) header() []string {
	return slices.Concat([]string{"method", "trainable", "optimizer", "peak memory", "time", "val loss"}, r.metrics(), []string{"on disk"})
}

// cells are a row of the table.
func (r *Report) cells(row Row) []string {
	cells := []string{
		row.Name, known(row.Trainable, ui.Count), known(row.Optimizer, ui.Bytes), known(row.Peak, ui.Bytes),
		known(row.Seconds, func(s float64) string { return ui.Duration(time.Duration(s * float64(time.Second))) }),
		known(row.ValLoss, func(v float64) string { return fmt.Sprintf("%.4f", v) }),
	}
	for _, name := range r.metrics() {
		cell := "-"
		if v, ok := row.Metrics[name]; ok {
			cell = fmt.Sprintf("%.2f", v)
		}
		cells = append(cells, cell)
	}
	return append(cells, known(row.Size, ui.Bytes))
}

// known is a value as text, "-" if there is none.
func known[T any](v *T, text func(T) string) string {
	if v == nil {
		return "-"
	}
	return text(*v)
}

// Table writes the rows as aligned plain text.
func (r *Report) Table(w io.Writer) error {
	var rows [][]string
	for _, row := range r.Rows {
		cells := r.cells(row)
		if row.Error != "" {
			cells[0] += " (failed)"
		}
		rows = append(rows, cells)
	}
	return ui.Table(w, r.header(), rows)
}
