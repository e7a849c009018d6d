package cmd

import (
	"fmt"
	"strings"

	"ft/dataset"
	"ft/internal/ui"
)

// mostTold is how many files and bad rows are named; the rest is counted.
const mostTold = 5

// fileLines tell of the files that were read: format, encoding, compression, rows.
func fileLines(r *dataset.Report) []string {
	var lines []string
	for i, f := range r.Files {
		if i == mostTold && len(r.Files) > mostTold+1 {
			lines = append(lines, fmt.Sprintf("and %s more files", ui.Count(len(r.Files)-i)))
			break
		}
		what := f.Format
		for _, s := range []string{f.Encoding, f.Compression} {
			if s != "" {
				what += ", " + s
			}
		}
		line := fmt.Sprintf("%s (%s): %s rows", f.Name, what, ui.Count(f.Rows))
		if f.Bad > 0 {
			line += fmt.Sprintf(", %s of them bad", ui.Count(f.Bad))
		}
		lines = append(lines, line)
	}
	return lines
}

// badLines tell of rows that were left out because they could not be read, and of files that were left alone.
func badLines(r *dataset.Report) []string {
	bad := 0
	for _, f := range r.Files {
		bad += f.Bad
	}
	return append(first("bad row", r.BadRows, bad), first("not read", r.Skipped, len(r.Skipped))...)
}

// first are the first of n texts, and the number of the others.
func first(what string, texts []string, n int) []string {
	var lines []string
	for i, s := range texts {
		if i == mostTold {
			break
		}
		lines = append(lines, what+": "+strings.ReplaceAll(s, "\n", " "))
	}
	if more := n - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %s more", what, ui.Count(more)))
	}
	return lines
}
