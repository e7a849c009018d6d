package chart

import (
	"fmt"
	"math"
	"slices"
)

// Group is values that a histogram counts.
type Group struct {
	Name   string
	Colour int
	Style  Style
	Values []int // 0 or more
}

// bins are the ranges of a histogram: n of width each, the first from 0, the last without an end if open is set.
type bins struct {
	n     int
	width float64
	open  bool
	one   string
}

// most is about the number of bins.
const most = 24

// Histogram counts how many values of each group lie in ranges of equal width. The last range holds all that is longer, if the longest values are so
// few and so far away that the others would be pressed together. unit names what is counted ("words"), rows what has the values.
func Histogram(title, unit, rows string, groups []Group) Chart {
	var all []int
	for _, g := range groups {
		all = append(all, g.Values...)
	}
	c := Chart{Title: title, Axis: unit, One: rows, FromZero: true}
	if len(all) == 0 {
		return c
	}
	slices.Sort(all)
	longest := all[len(all)-1]
	end, open := longest, false
	if usual := all[len(all)-1-len(all)/100]; longest > 2*usual && usual > 0 {
		end, open = usual, true
	}
	size := max(1, roundUp(float64(end+1)/most))
	n := int(math.Floor(float64(end)/size)) + 1
	if open {
		n++
	}
	c.bins = &bins{n, size, open, unit}
	for _, g := range groups {
		if len(g.Values) == 0 {
			continue
		}
		counts := make([]Point, n)
		for i := range counts {
			counts[i].X = float64(i) * size
		}
		for _, v := range g.Values {
			counts[min(n-1, max(0, int(float64(v)/size)))].Y++
		}
		c.Lines = append(c.Lines, Line{Name: g.Name, Colour: g.Colour, Style: g.Style, Points: counts})
	}
	return c
}

// Bin is the number of values from From up to, but without, To; To is 0 for a range without an end.
type Bin struct{ From, To, Count int }

// Bins is a histogram of values that were counted before, in ranges of one width that follow each other. Ranges that do not are not drawn.
func Bins(title, unit, rows string, g Group, counted []Bin) Chart {
	c := Chart{Title: title, Axis: unit, One: rows, FromZero: true}
	if len(counted) == 0 {
		return c
	}
	last := counted[len(counted)-1]
	size := max(1, counted[0].To-counted[0].From)
	b := &bins{last.From/size + 1, float64(size), last.To == 0, unit}
	if last.From < 0 || b.n > 1000 {
		return c
	}
	counts := make([]Point, b.n)
	for i := range counts {
		counts[i].X = float64(i * size)
	}
	for i, bin := range counted {
		if bin.From < 0 || bin.From%size != 0 || bin.From > last.From || bin.To != bin.From+size && i < len(counted)-1 {
			return c
		}
		counts[bin.From/size].Y = float64(bin.Count)
	}
	c.bins, c.Lines = b, []Line{{Name: g.Name, Colour: g.Colour, Style: g.Style, Points: counts}}
	return c
}

// name is the range that begins at x.
func (b *bins) name(x float64) string {
	i := int(math.Round(x / b.width))
	switch {
	case b.open && i == b.n-1:
		return fmt.Sprintf("%.0f or more %s", x, b.one)
	case b.width == 1:
		return fmt.Sprintf("%.0f %s", x, b.one)
	}
	return fmt.Sprintf("%.0f to %.0f %s", x, x+b.width-1, b.one)
}

func (b *bins) names() []string {
	out := make([]string, b.n)
	for i := range out {
		out[i] = b.name(float64(i) * b.width)
	}
	return out
}
