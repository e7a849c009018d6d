package report

import (
	"fmt"
	"strings"

	"ft/internal/chart"
	"ft/internal/ui"
)

// The bounds of a curve: points that are drawn, and steps from which on a smoothed curve is drawn beside the raw one.
const (
	mostPoints = 1000
	fewSteps   = 20
)

// curves draws what log.jsonl tells, and lists its evaluations.
func (v *view) curves(s *source) {
	h := &s.log
	add := func(c chart.Chart) {
		c.Axis, c.One = "optimizer steps", "step"
		if text := c.HTML(); text != "" {
			v.Charts = append(v.Charts, text)
		}
	}
	add(lossChart(h, h.best(s.settings)))
	v.scoreCharts(h, add)
	for _, c := range []struct {
		title  string
		points []chart.Point
	}{{"Learning rate", h.lr}, {"Gradient norm, before clipping", h.norm}, {"Training tokens per second", h.speed}} {
		add(chart.Chart{Title: c.title, FromZero: true, Lines: []chart.Line{
			{Name: strings.ToLower(c.title[:1]) + c.title[1:], Style: chart.Solid, Points: thin(c.points)},
		}})
	}
	v.Thinned = len(h.loss) > mostPoints
	v.Evals = evalTable(h)
}

// lossChart is the training loss, raw and smoothed, and the validation loss, with the base's as a line and the kept weights' step as a mark.
func lossChart(h *history, best float64) chart.Chart {
	c := chart.Chart{Title: "Loss, nats per answer token"}
	at := chart.Thin(h.loss, mostPoints)
	if len(h.loss) < fewSteps {
		c.Lines = append(c.Lines, chart.Line{Name: "training", Style: chart.Solid, Points: h.loss, Markers: true})
	} else {
		reach := max(2, len(h.loss)/50)
		c.Lines = append(
			c.Lines,
			chart.Line{Name: "training", Style: chart.Faint, Points: chart.Pick(h.loss, at)},
			chart.Line{Name: "training, smoothed", Style: chart.Solid, Points: chart.Pick(chart.Smooth(h.loss, reach), at)},
		)
		c.Note = fmt.Sprintf("Smoothed: the mean of %d steps.", 2*reach+1)
	}
	var val []chart.Point
	for _, e := range h.evals {
		if e.loss != nil {
			val = append(val, chart.Point{X: e.step, Y: *e.loss})
		}
	}
	c.Lines = append(c.Lines, chart.Line{Name: "validation", Colour: 1, Style: chart.Solid, Points: thin(val), Markers: len(val) <= 100})
	if loss, ok := h.lossOf(0); ok {
		c.Levels = append(c.Levels, chart.Level{Name: "base", Colour: 7, Y: loss})
	}
	if best > 0 {
		c.Marks = append(c.Marks, chart.Mark{Name: fmt.Sprintf("weights kept: step %g", best), X: best})
	}
	return c
}

// scoreCharts draws the scores during training: those in percent together, others by themselves.
func (v *view) scoreCharts(h *history, add func(chart.Chart)) {
	percent := chart.Chart{Title: "Scores of validation rows, percent", FromZero: true}
	for _, name := range h.scoreNames() {
		var points []chart.Point
		for _, e := range h.evals {
			if y, ok := e.scores[name]; ok {
				points = append(points, chart.Point{X: e.step, Y: y})
			}
		}
		n := len(percent.Lines)
		style := []chart.Style{chart.Solid, chart.Dash, chart.Dots}[n/chart.Colours%3]
		line := chart.Line{Name: name, Colour: n % chart.Colours, Style: style, Points: thin(points), Markers: len(points) <= 100}
		if !alone(name) {
			percent.Lines = append(percent.Lines, line)
			continue
		}
		line.Colour, line.Style = 0, chart.Solid
		add(chart.Chart{Title: name + " of validation rows", FromZero: true, Lines: []chart.Line{line}})
	}
	add(percent)
}

// alone tells whether a score has a chart of its own: it is not in percent, or may be far above 100.
func alone(name string) bool {
	return small(name) || strings.HasPrefix(name, "ppl") || strings.HasPrefix(name, "length")
}

// small tells whether a score has a scale of its own, on which two digits behind the point say little.
func small(name string) bool {
	return strings.HasPrefix(name, "nist") || strings.HasPrefix(name, "cider")
}

func thin(points []chart.Point) []chart.Point {
	return chart.Pick(points, chart.Thin(points, mostPoints))
}

// mostEvals bounds the list of evaluations.
const mostEvals = 200

// evalTable lists the evaluations, the values of the charts for those who do not see them.
func evalTable(h *history) *table {
	if len(h.evals) == 0 {
		return nil
	}
	names := h.scoreNames()
	t := &table{Title: "Evaluations during training", Head: []string{"step", "validation loss"}}
	for _, name := range names {
		t.Head = append(t.Head, ui.EscapeLine(name))
	}
	evals := h.evals
	if len(evals) > mostEvals {
		t.Title += fmt.Sprintf(" (the last %d of %d)", mostEvals, len(evals))
		evals = evals[len(evals)-mostEvals:]
	}
	for _, e := range evals {
		step := fmt.Sprint(e.step)
		if e.step == 0 {
			step = "0 (the base)"
		}
		row := []string{step, "-"}
		if e.loss != nil {
			row[1] = fmt.Sprintf("%.4f", *e.loss)
		}
		for _, name := range names {
			text := "-"
			if y, ok := e.scores[name]; ok {
				text = score(name, y)
			}
			row = append(row, text)
		}
		t.Rows = append(t.Rows, cells(row...))
	}
	return t
}
