package ui

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Escape makes text from a file or a model safe to print: what could move the cursor, change the
// terminal or reverse the reading order comes out as \x1b or \u202e, bytes that are no UTF-8 as \xff. New
// lines and tabs stay.
func Escape(s string) string { return escape(s, true) }

// EscapeLine is Escape for text that must stay on one line: new lines and tabs are shown as \n and \t.
func EscapeLine(s string) string { return escape(s, false) }

func escape(s string, lines bool) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && badByte(s[i:]):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case lines && (r == '\n' || r == '\t'):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			fmt.Fprintf(&b, `\x%02x`, r)
		case steers(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// badByte reports whether s starts with a byte that is not UTF-8, as opposed to a spelled-out U+FFFD.
func badByte(s string) bool {
	_, size := utf8.DecodeRuneInString(s)
	return size == 1
}

// steers reports whether r breaks lines or turns the reading order: the line and paragraph separators and
// Unicode's bidirectional controls (UAX #9, §2).
func steers(r rune) bool {
	switch {
	case r == 0x061c, r == 0x200e, r == 0x200f, r == 0x2028, r == 0x2029:
		return true
	}
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
