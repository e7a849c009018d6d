package ui

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const (
	redraw   = 100 * time.Millisecond // between two drawings of a bar
	nextLine = 5 * time.Second        // between two plain lines
)

// Field is one figure beside the progress, such as {"loss", "1.234"}. A field without a name is shown
// bare: {"", "310 tokens/s"}.
type Field struct{ Name, Value string }

// Progress shows how far a piece of work is: a bar on a terminal, elsewhere a plain line every few
// seconds, nothing when quiet. One goroutine at a time may use it.
type Progress struct {
	s           Streams
	label       string
	total, done int
	fields      []Field
	bar         *progressbar.ProgressBar // nil for plain lines
	barWidth    int                      // terminal cells
	start, last time.Time                // last: when something was shown
	drawn       int                      // value of done when something was shown, -1 before
	now         func() time.Time
}

// NewProgress starts showing work of total steps (0: not known how many) under a label.
func NewProgress(s Streams, total int, label string) *Progress {
	return newProgress(s, total, label, time.Now)
}

func newProgress(s Streams, total int, label string, now func() time.Time) *Progress {
	p := &Progress{s: s, label: EscapeLine(label), total: total, now: now, start: now(), drawn: -1}
	p.last = p.start
	if !s.Terminal || s.Quiet || total <= 0 {
		return p
	}
	p.barWidth = 24
	if n := cells(s.Err); n > 0 && n < 100 {
		p.barWidth = 10
	}
	p.bar = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(s.Err),
		progressbar.OptionSetWidth(p.barWidth),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionShowCount(),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionUseANSICodes(runtime.GOOS != "windows"),
		progressbar.OptionSetDescription(p.label),
		progressbar.OptionSetRenderBlankState(true),
	)
	return p
}

// Step adds n finished steps; fields take the place of those shown so far.
func (p *Progress) Step(n int, fields ...Field) {
	p.done += n
	if len(fields) > 0 {
		p.fields = fields
	}
	if p.s.Quiet {
		return
	}
	gap := nextLine
	if p.bar != nil {
		gap = redraw
	}
	if p.now().Sub(p.last) >= gap || p.bar != nil && p.done >= p.total {
		p.show()
	}
}

// Line writes a line of its own, above the bar if there is one. It says nothing when quiet.
func (p *Progress) Line(format string, args ...any) {
	if p.s.Quiet {
		return
	}
	if p.bar != nil {
		p.bar.Clear()
	}
	p.s.line(format, args)
	if p.bar != nil {
		p.draw()
	}
}

// Done ends the display in its last state.
func (p *Progress) Done() {
	if p.s.Quiet {
		return
	}
	if p.drawn != p.done {
		p.show()
	}
	if p.bar != nil {
		p.bar.Exit()
		fmt.Fprintln(p.s.Err)
	}
}

func (p *Progress) show() {
	p.last, p.drawn = p.now(), p.done
	if p.bar != nil {
		p.draw()
		return
	}
	line := p.label + " " + Count(p.done)
	if p.total > 0 {
		line = fmt.Sprintf("%s %s/%s %d%%", p.label, Count(p.done), Count(p.total), 100*min(p.done, p.total)/p.total)
	}
	fmt.Fprintln(p.s.Err, line+p.details())
}

// draw brings the bar to the present state. The bar's own throttle is not used: it would hold back the new
// count once the new description is drawn.
func (p *Progress) draw() {
	text := p.label + p.details()
	if n := cells(p.s.Err); n > 0 {
		text = cut(text, n-p.barWidth-2*len(fmt.Sprint(p.total))-16)
	}
	p.bar.Describe(text)
	p.bar.Set(min(p.done, p.total))
}

// details are the fields and the time left, each after two blanks.
func (p *Progress) details() string {
	var b strings.Builder
	for _, f := range p.fields {
		b.WriteString("  ")
		if f.Name != "" {
			b.WriteString(EscapeLine(f.Name) + " ")
		}
		b.WriteString(EscapeLine(f.Value))
	}
	if spent := p.now().Sub(p.start); p.done > 0 && p.done < p.total && spent > 0 {
		left := spent.Seconds() / float64(p.done) * float64(p.total-p.done)
		b.WriteString("  " + Duration(time.Duration(left*float64(time.Second))) + " left")
	}
	return b.String()
}

// cells is the width of the terminal that w is, 0 if it is none or does not say.
func cells(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

// cut shortens s to so many terminal cells.
func cut(s string, cells int) string {
	if Width(s) <= cells {
		return s
	}
	used := 0
	for i, r := range s {
		if used += Width(string(r)); used > cells-1 {
			return s[:i] + "…"
		}
	}
	return s
}
