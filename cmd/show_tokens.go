package cmd

import (
	"fmt"
	"strings"

	"ft/dataset"
	"ft/internal/ui"
	"ft/tokenizer"
)

// cells are a sample's tokens above their ids, in lines of so many terminal cells.
func (o *showFlags) cells(s *dataset.Sample, t *tokenizer.Tokenizer, columns int) string {
	g := grid{columns: columns, begin: o.begin, stop: o.stop}
	colour := strings.HasPrefix(o.begin, "\x1b")
	for i, id := range s.IDs {
		const context = 8 // tokens before it, which may decide how a token is written
		from := max(0, i-context)
		text, is := visible(behind(t, s.IDs[from:], i-from, i-from+1)), counts(s, i)
		if !colour && is && !counts(s, i-1) {
			text = o.begin + text
		}
		if !colour && is && (i+1 == len(s.IDs) || !counts(s, i+1)) {
			text += o.stop
		}
		g.add(text, fmt.Sprint(id), colour && is)
	}
	g.flush()
	return g.done.String()
}

// grid sets cells of two lines side by side.
type grid struct {
	columns     int
	begin, stop string // around what is in colour

	done, above, below strings.Builder
	used               int  // cells of the line under way
	on                 bool // the colour is on
}

func (g *grid) add(above, below string, colour bool) {
	wide := max(ui.Width(above), len(below))
	if g.used > 0 && g.used+1+wide > g.columns {
		g.flush()
	}
	if g.used > 0 {
		g.both(" ")
		g.used++
	}
	if colour != g.on {
		if g.on = colour; colour {
			g.both(g.begin)
		} else {
			g.both(g.stop)
		}
	}
	g.above.WriteString(above + strings.Repeat(" ", wide-ui.Width(above)))
	g.below.WriteString(below + strings.Repeat(" ", wide-len(below)))
	g.used += wide
}

func (g *grid) both(s string) {
	g.above.WriteString(s)
	g.below.WriteString(s)
}

// flush ends the line.
func (g *grid) flush() {
	if g.on {
		g.both(g.stop)
	}
	for _, line := range []*strings.Builder{&g.above, &g.below} {
		g.done.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		line.Reset()
	}
	g.done.WriteByte('\n')
	g.used, g.on = 0, false
}

// visible is a token's text with marks for white space.
func visible(text string) string {
	return ui.EscapeLine(strings.NewReplacer(" ", "·", "\n", "↵", "\r", "␍", "\t", "⇥").Replace(text))
}
