package chart

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// frame is the part of the plane that a chart shows: x from 0 to x1, y from low to high.
type frame struct{ x1, low, high float64 }

// frame is the one that holds all points and levels.
func (c Chart) frame() (frame, bool) {
	f := frame{low: math.Inf(1), high: math.Inf(-1)}
	for _, l := range c.Lines {
		for _, p := range l.Points {
			f.x1 = max(f.x1, p.X)
			f.low, f.high = min(f.low, p.Y), max(f.high, p.Y)
		}
	}
	if c.bins != nil {
		f.x1 = c.bins.width * float64(c.bins.n)
	}
	if math.IsInf(f.low, 0) || f.x1 <= 0 {
		return f, false
	}
	for _, l := range c.Levels {
		f.low, f.high = min(f.low, l.Y), max(f.high, l.Y)
	}
	if f.low >= 0 && (c.FromZero || f.low < 0.05*(f.high-f.low)) {
		f.low = 0
	}
	margin := max(0.05*(f.high-f.low), 1e-3*math.Abs(f.high), 1e-9)
	f.high += margin
	if f.low != 0 {
		f.low -= margin
	}
	return f, true
}

func (f frame) x(v float64) float64 { return left + v/f.x1*(width-left-right) }

func (f frame) y(v float64) float64 { return top + (f.high-v)/(f.high-f.low)*(height-top-foot) }

// axes draws a grid with numbers.
func (c Chart) axes(b *strings.Builder, f frame) {
	b.WriteString(`<g class="axes">`)
	for _, v := range ticks(f.low, f.high, 6) {
		if c.bins != nil && v != math.Trunc(v) {
			continue // there are no half rows
		}
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, width-right, f.y(v), f.y(v))
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`, left-6, f.y(v)+4.5, tick(v, f.high))
	}
	for _, v := range ticks(0, f.x1, 5) {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, f.x(v), height-foot+18, tick(v, f.x1))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text></g>`, (left+width-right)/2, height-6, escape(c.Axis))
}

// ticks are round numbers between low and high, about n of them.
func ticks(low, high float64, n int) []float64 {
	size := roundUp((high - low) / float64(n))
	var out []float64
	for k := math.Ceil(low / size); k*size <= high*(1+1e-12) && len(out) < 4*n; k++ {
		out = append(out, k*size)
	}
	return out
}

// roundUp is the next number of the form 1, 2 or 5 times a power of ten.
func roundUp(v float64) float64 {
	size := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if size*m >= v*(1-1e-9) {
			return size * m
		}
	}
	return size * 10
}

// tick is a number beside an axis that ends at end, where there is room for five or six characters: 0.5, 2e-4, 12k.
func tick(v, end float64) string {
	v = round(v, 6)
	switch {
	case v == 0:
		return "0"
	case math.Abs(end) >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 5, 64) + "M"
	case math.Abs(end) >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 5, 64) + "k"
	case math.Abs(v) < 1e-3:
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e-")
		return mantissa + "e-" + strings.TrimLeft(exponent, "0")
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// Number is a value with five significant digits: 1.2346, 0.00050000 as 0.0005, 12,346 as 12346.
func Number(v float64) string {
	if !finite(v) {
		return fmt.Sprint(v)
	}
	if v = round(v, 5); math.Abs(v) >= 1e-5 && math.Abs(v) < 1e15 || v == 0 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// round keeps so many significant digits, and all digits of a whole number.
func round(v float64, digits int) float64 {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return v
	}
	if math.Abs(v) >= math.Pow10(digits) {
		return math.Round(v)
	}
	out, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		return v
	}
	return out
}
