package ui

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Table writes rows under a header in aligned columns, two blanks apart. Columns that hold nothing but
// numbers are set to the right. Cells are escaped; a row may be shorter than the header.
func Table(w io.Writer, header []string, rows [][]string) error {
	cells := make([][]string, 0, len(rows)+1)
	cells = append(cells, header)
	cells = append(cells, rows...)
	wide := make([]int, len(header))
	right := make([]bool, len(header))
	for c := range header {
		right[c] = numeric(rows, c)
	}
	for r, row := range cells {
		if len(row) > len(header) {
			return fmt.Errorf("ui: row %d has %d cells, the table has %d columns", r, len(row), len(header))
		}
		clean := make([]string, len(row))
		for c, cell := range row {
			clean[c] = EscapeLine(cell)
			wide[c] = max(wide[c], Width(clean[c]))
		}
		cells[r] = clean
	}
	var b strings.Builder
	for _, row := range cells {
		var line strings.Builder
		for c, cell := range row {
			if c > 0 {
				line.WriteString("  ")
			}
			fill := strings.Repeat(" ", wide[c]-Width(cell))
			if right[c] {
				line.WriteString(fill + cell)
			} else {
				line.WriteString(cell + fill)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// numeric reports whether column c holds numbers in every row that fills it, and in at least one.
func numeric(rows [][]string, c int) bool {
	found := false
	for _, row := range rows {
		if c >= len(row) || row[c] == "" || row[c] == "-" {
			continue
		}
		if first := strings.TrimLeft(row[c], "+-."); first == "" || first[0] < '0' || first[0] > '9' {
			return false
		}
		found = true
	}
	return found
}

// Width is the number of terminal cells that s takes: two for wide East Asian characters, none for
// combining marks.
func Width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		default:
			n++
			if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
				n++
			}
		}
	}
	return n
}
