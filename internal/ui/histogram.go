package ui

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Bin is a bar of a histogram.
type Bin struct {
	Label string
	Count int
}

// Bars writes bars with their counts and shares, as wide as the terminal has room for, or 80 cells. Bars are blocks in eighths of a cell, or # where
// the locale is not UTF-8.
func Bars(w io.Writer, bins []Bin) error {
	most, total, label, count := 0, 0, 0, 0
	for _, b := range bins {
		most, total = max(most, b.Count), total+b.Count
		label, count = max(label, Width(b.Label)), max(count, len(Count(b.Count)))
	}
	room := max(1, Columns(w)-label-count-len("   100.0 %"))
	var out strings.Builder
	for _, b := range bins {
		share := 0.0
		if total > 0 {
			share = 100 * float64(b.Count) / float64(total)
		}
		fmt.Fprintf(&out, "%s%s %s %*s %5.1f %%\n", strings.Repeat(" ", label-Width(b.Label)), b.Label, bar(b.Count, most, room), count, Count(b.Count), share)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// bar is n of most as a bar in so many cells, filled up with blanks. What is not nothing is seen.
func bar(n, most, cells int) string {
	if most == 0 || n == 0 {
		return strings.Repeat(" ", cells)
	}
	if !unicodeLocale() {
		full := max(1, (n*cells+most/2)/most)
		return strings.Repeat("#", full) + strings.Repeat(" ", cells-full)
	}
	eighths := max(1, (n*cells*8+most/2)/most)
	text, used := strings.Repeat("█", eighths/8), eighths/8
	if rest := eighths % 8; rest > 0 {
		text += string('█' + rune(8-rest)) // ▉ ▊ ▋ ▌ ▍ ▎ ▏ follow the full block
		used++
	}
	return text + strings.Repeat(" ", cells-used)
}

// unicodeLocale reports whether the terminal shows more than ASCII: unless the locale says otherwise.
func unicodeLocale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(os.Getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return true
}

// Columns is the width of the terminal that w is, else what COLUMNS says, else 80.
func Columns(w io.Writer) int {
	if n := cells(w); n > 0 {
		return n
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return 80
}
