package compare

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// The size of a chart in its own units, and the room around its plot. Text of 14 units stays readable on a phone, where a chart is about 340
// pixels wide.
const (
	chartWidth, chartHeight = 460, 300
	left, right, top, foot  = 46, 12, 12, 42
)

// series is one line of a chart.
type series struct {
	name   string
	colour int // of the page's palette
	points []Point
	dots   bool
}

// chart draws lines over steps as SVG; empty if there is nothing to draw.
func chart(title string, lines []series) template.HTML {
	box, ok := around(lines)
	if !ok {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, chartWidth, chartHeight, template.HTMLEscapeString(title))
	box.axes(&b)
	for _, s := range lines {
		s.draw(&b, box)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// frame is the part of the plane that a chart shows.
type frame struct{ steps, low, high float64 }

// around is the frame that holds all points.
func around(lines []series) (frame, bool) {
	f := frame{low: math.Inf(1), high: math.Inf(-1)}
	for _, s := range lines {
		for _, p := range s.points {
			f.steps = max(f.steps, float64(p.Step))
			f.low, f.high = min(f.low, p.Loss), max(f.high, p.Loss)
		}
	}
	if math.IsInf(f.low, 0) || f.steps == 0 {
		return f, false
	}
	margin := max(0.05*(f.high-f.low), 1e-3*math.Abs(f.high), 1e-6)
	f.low, f.high = max(0, f.low-margin), f.high+margin
	return f, true
}

func (f frame) x(step float64) float64 { return left + step/f.steps*(chartWidth-left-right) }

func (f frame) y(loss float64) float64 {
	return top + (f.high-loss)/(f.high-f.low)*(chartHeight-top-foot)
}

// axes draws a grid with numbers.
func (f frame) axes(b *strings.Builder) {
	for _, v := range ticks(f.low, f.high, 6) {
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, chartWidth-right, f.y(v), f.y(v))
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`, left-6, f.y(v)+4.5, number(v))
	}
	for _, v := range ticks(0, f.steps, 5) {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, f.x(v), chartHeight-foot+18, number(v))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">optimizer steps</text>`, (left+chartWidth-right)/2, chartHeight-6)
}

// draw draws a line and names it for the pointer.
func (s series) draw(b *strings.Builder, f frame) {
	if len(s.points) == 0 {
		return
	}
	var path []string
	for _, p := range s.points {
		path = append(path, fmt.Sprintf("%.1f,%.1f", f.x(float64(p.Step)), f.y(p.Loss)))
	}
	name := template.HTMLEscapeString(s.name)
	fmt.Fprintf(b, `<g class="c%d"><polyline points="%s"><title>%s</title></polyline>`, s.colour, strings.Join(path, " "), name)
	if s.dots || len(s.points) == 1 {
		for _, p := range s.points {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.2"><title>%s, step %d: %.4f</title></circle>`, f.x(float64(p.Step)), f.y(p.Loss), name, p.Step, p.Loss)
		}
	}
	b.WriteString("</g>")
}

// ticks are round numbers between low and high, about n of them.
func ticks(low, high float64, n int) []float64 {
	raw := (high - low) / float64(n)
	size := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if size*m >= raw {
			size *= m
			break
		}
	}
	var out []float64
	for k := math.Ceil(low / size); k*size <= high*(1+1e-12); k++ {
		out = append(out, k*size)
	}
	return out
}

func number(v float64) string { return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'g', -1, 64) }

// smooth is the mean loss of stretches of steps, at most n of them, so that curves of noisy steps can be told apart.
func smooth(points []Point, n int) []Point {
	width := (len(points) + n - 1) / n
	if width <= 1 {
		return points
	}
	var out []Point
	for i := 0; i < len(points); i += width {
		part := points[i:min(i+width, len(points))]
		sum := 0.0
		for _, p := range part {
			sum += p.Loss
		}
		out = append(out, Point{part[len(part)/2].Step, sum / float64(len(part))})
	}
	return out
}
