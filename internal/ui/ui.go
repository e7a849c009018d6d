// Package ui is what a command says to a person: progress, tables, numbers, notes. Everything goes through
// injected writers. Results belong on Streams.Out and all else on Streams.Err, so that a pipe carries data
// alone.
package ui

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Streams are the ends that a command reads from and writes to.
type Streams struct {
	In  io.Reader
	Out io.Writer // results
	Err io.Writer // progress, notes, warnings, errors

	Terminal bool // Err is a terminal whose lines may be drawn over
	Quiet    bool // leave out progress and notes
	Verbose  bool // add details
}

// System returns the streams of the process. A terminal counts as one only where a person looks at it:
// not in CI and not with TERM=dumb.
func System() Streams {
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("CI") == "" && os.Getenv("TERM") != "dumb",
	}
}

// Note writes a line to Err unless the user asked for quiet.
func (s Streams) Note(format string, args ...any) {
	if !s.Quiet {
		s.line(format, args)
	}
}

// Detail writes a line to Err if the user asked for more than usual.
func (s Streams) Detail(format string, args ...any) {
	if s.Verbose && !s.Quiet {
		s.line(format, args)
	}
}

// Warn writes a line to Err that even a quiet command must show.
func (s Streams) Warn(format string, args ...any) {
	s.line("warning: "+format, args)
}

func (s Streams) line(format string, args []any) {
	fmt.Fprintln(s.Err, Escape(fmt.Sprintf(format, args...)))
}
