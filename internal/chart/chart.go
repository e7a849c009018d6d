// Package chart draws curves and histograms as SVG inside of HTML, and holds what the pages of ft share: their style, and the script that shows
// the values of a chart under the pointer, a finger or the arrow keys. Without the script a chart is a picture with a description.
package chart

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"ft/internal/ui"
)

// Point is a value at a place of the horizontal axis. Values that are no numbers, or infinite, are gaps.
type Point struct{ X, Y float64 }

// Style is how a line is drawn, so that lines differ by more than their colour.
type Style string

// The styles.
const (
	Solid Style = "solid"
	Faint Style = "faint" // the raw values behind a smoothed line
	Dash  Style = "dash"
	Dots  Style = "dots"
)

// Line is one curve.
type Line struct {
	Name    string
	Colour  int // of the page's palette: 0 to Colours-1
	Style   Style
	Markers bool    // a disc at each point
	Points  []Point // in the order of X
}

// Level is a value that holds for the whole chart, such as the loss before training.
type Level struct {
	Name   string
	Colour int
	Y      float64
}

// Mark is a place of the horizontal axis that matters, such as the step whose weights were kept.
type Mark struct {
	Name string
	X    float64
}

// Chart is lines over one horizontal axis, which begins at 0.
type Chart struct {
	Title  string
	Axis   string // what lies on the horizontal axis: "optimizer steps"
	One    string // one of these in a word: "step"
	Note   string // a sentence below the chart
	Lines  []Line
	Levels []Level
	Marks  []Mark
	// FromZero lets the vertical axis begin at 0, where the curve's own range would say little.
	FromZero bool

	bins *bins // of a histogram
}

// Colours is the number of colours in the palette: classes c0 to c7.
const Colours = 8

// The size of a chart in its own units, and the room around its plot. Text of 14 units stays readable on a phone, where a chart is about 340
// pixels wide.
const (
	width, height          = 460, 300
	left, right, top, foot = 50, 22, 12, 42
)

// HTML is the chart as a figure; empty if there is nothing to draw.
func (c Chart) HTML() template.HTML {
	c.Lines = slices.Clone(c.Lines)
	for i, l := range c.Lines {
		c.Lines[i].Points = slices.DeleteFunc(slices.Clone(l.Points), func(p Point) bool { return !finite(p.X) || !finite(p.Y) })
	}
	c.Lines = slices.DeleteFunc(c.Lines, func(l Line) bool { return len(l.Points) == 0 })
	c.Levels = slices.DeleteFunc(slices.Clone(c.Levels), func(l Level) bool { return !finite(l.Y) })
	f, ok := c.frame()
	if !ok {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<figure class="chart" data-chart="%s"><figcaption>%s</figcaption>`, template.HTMLEscapeString(c.values(f)), escape(c.Title))
	fmt.Fprintf(&b, `<div class="plot"><svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, height, escape(c.describe()))
	c.axes(&b, f)
	c.draw(&b, f)
	b.WriteString("</svg></div>")
	c.legend(&b)
	if c.Note != "" {
		fmt.Fprintf(&b, `<p class="note">%s</p>`, escape(c.Note))
	}
	b.WriteString("</figure>")
	return template.HTML(b.String())
}

// escape makes text safe for HTML, and what would steer the text around it visible.
func escape(s string) string { return template.HTMLEscapeString(ui.EscapeLine(s)) }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// draw draws levels, marks and lines.
func (c Chart) draw(b *strings.Builder, f frame) {
	for _, m := range c.Marks {
		if m.X >= 0 && m.X <= f.x1 {
			fmt.Fprintf(b, `<line class="mark" x1="%.1f" x2="%.1f" y1="%d" y2="%d"><title>%s</title></line>`, f.x(m.X), f.x(m.X), top, height-foot, escape(m.Name))
		}
	}
	for _, l := range c.Levels {
		fmt.Fprintf(b, `<line class="level c%d" x1="%d" x2="%d" y1="%.1f" y2="%.1f"><title>%s: %s</title></line>`,
			l.Colour, left, width-right, f.y(l.Y), f.y(l.Y), escape(l.Name), Number(l.Y))
	}
	for _, l := range c.Lines {
		c.drawLine(b, f, l)
	}
}

func (c Chart) drawLine(b *strings.Builder, f frame, l Line) {
	fmt.Fprintf(b, `<g class="c%d"><polyline class="%s" points="`, l.Colour, l.Style)
	for i, p := range l.Points {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(b, "%.1f,%.1f", f.x(p.X), f.y(p.Y))
		if c.bins != nil { // a step as wide as the bin
			fmt.Fprintf(b, " %.1f,%.1f", f.x(p.X+c.bins.width), f.y(p.Y))
		}
	}
	fmt.Fprintf(b, `"><title>%s</title></polyline>`, escape(l.Name))
	if l.Markers || len(l.Points) == 1 && c.bins == nil {
		for _, p := range l.Points {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.2"><title>%s, %s %s: %s</title></circle>`,
				f.x(p.X), f.y(p.Y), escape(l.Name), escape(c.One), Number(p.X), Number(p.Y))
		}
	}
	b.WriteString("</g>")
}

// legend names lines, levels and marks, each with a sample of how it is drawn, if there is more than one line.
func (c Chart) legend(b *strings.Builder) {
	if len(c.Lines)+len(c.Levels)+len(c.Marks) < 2 {
		return
	}
	item := func(class string, colour int, name string) {
		fmt.Fprintf(b, `<li><svg class="sample c%d" viewBox="0 0 26 10" aria-hidden="true"><line class="%s" x1="1" x2="25" y1="5" y2="5"/></svg>%s</li>`,
			colour, class, escape(name))
	}
	b.WriteString(`<ul class="legend">`)
	for _, l := range c.Lines {
		item("line "+string(l.Style), l.Colour, l.Name)
	}
	for _, l := range c.Levels {
		item("level", l.Colour, fmt.Sprintf("%s: %s", l.Name, Number(l.Y)))
	}
	for _, m := range c.Marks {
		item("mark", 0, m.Name)
	}
	b.WriteString("</ul>")
}

// describe puts a chart into words, for those who cannot see it.
func (c Chart) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, by %s.", c.Title, c.Axis)
	for _, l := range c.Lines {
		first, last := l.Points[0], l.Points[len(l.Points)-1]
		low := slices.MinFunc(l.Points, func(a, b Point) int { return compare(a.Y, b.Y) })
		high := slices.MaxFunc(l.Points, func(a, b Point) int { return compare(a.Y, b.Y) })
		if c.bins != nil {
			fmt.Fprintf(&b, " %s: most at %s.", l.Name, c.bins.name(high.X))
			continue
		}
		fmt.Fprintf(&b, " %s: %s at %s %s, %s at %s %s; lowest %s, highest %s.",
			l.Name, Number(first.Y), c.One, Number(first.X), Number(last.Y), c.One, Number(last.X), Number(low.Y), Number(high.Y))
	}
	for _, l := range c.Levels {
		fmt.Fprintf(&b, " %s: %s.", l.Name, Number(l.Y))
	}
	for _, m := range c.Marks {
		fmt.Fprintf(&b, " %s.", m.Name)
	}
	return b.String()
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// values are what the script needs: the frame in units of the picture, and the lines.
func (c Chart) values(f frame) string {
	type line struct {
		Name   string    `json:"name"`
		Colour int       `json:"c"`
		X      []float64 `json:"x"`
		Y      []float64 `json:"y"`
	}
	data := struct {
		Title string     `json:"title"`
		One   string     `json:"one"`
		Box   [4]float64 `json:"box"`   // left, right, top, bottom of the plot
		Range [3]float64 `json:"range"` // largest x, lowest and highest y
		Size  [2]float64 `json:"size"`
		Lines []line     `json:"lines"`
		Names []string   `json:"names,omitempty"` // of the bins
		Bin   float64    `json:"bin,omitempty"`   // their width
	}{
		Title: ui.EscapeLine(c.Title), One: c.One, Box: [4]float64{left, width - right, top, height - foot},
		Range: [3]float64{f.x1, f.low, f.high}, Size: [2]float64{width, height},
	}
	for _, l := range c.Lines {
		out := line{Name: ui.EscapeLine(l.Name), Colour: l.Colour}
		for _, p := range l.Points {
			out.X, out.Y = append(out.X, round(p.X, 9)), append(out.Y, round(p.Y, 5))
		}
		data.Lines = append(data.Lines, out)
	}
	if c.bins != nil {
		data.Names, data.Bin = c.bins.names(), c.bins.width
	}
	text, err := json.Marshal(data)
	if err != nil { // only for what is no number, and that was left out
		return "{}"
	}
	return string(text)
}
