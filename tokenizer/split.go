package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// splitOn cuts a text at the matches of find. behavior says what becomes of a match: a piece of its own
// (Isolated), nothing (Removed), one piece with the matches beside it (Contiguous), a part of the
// piece before or after it. invert swaps matches and the text between them.
func splitOn(find finder, behavior string, invert bool) preTokenizer {
	if behavior == "Isolated" {
		return func(s string, first bool, yield func(string, bool)) { isolate(find, s, first, yield) }
	}
	return func(s string, first bool, yield func(string, bool)) {
		for _, sp := range merge(spans(find, s, invert), behavior) {
			yield(s[sp.start:sp.end], first && sp.start == 0)
		}
	}
}

// isolate is the common case without a list: matches and what is between them are pieces either way.
func isolate(find finder, s string, first bool, yield func(string, bool)) {
	from := 0
	find(s, func(start, end int) {
		if start > from {
			yield(s[from:start], first && from == 0)
		}
		if end > start {
			yield(s[start:end], first && start == 0)
		}
		from = end
	})
	if from < len(s) {
		yield(s[from:], first && from == 0)
	}
}

// span is a stretch of a text that matched or did not.
type span struct {
	start, end int
	match      bool
}

// spans covers the whole of s.
func spans(find finder, s string, invert bool) []span {
	var list []span
	from := 0
	find(s, func(start, end int) {
		if start > from {
			list = append(list, span{from, start, invert})
		}
		list = append(list, span{start, end, !invert})
		from = end
	})
	if from < len(s) {
		list = append(list, span{from, len(s), invert})
	}
	return list
}

// merge joins or drops neighbours as behavior says. Of several matches in a row only the one that
// touches the other text is joined to it.
func merge(list []span, behavior string) []span {
	var out []span
	switch behavior {
	case "Removed":
		for _, sp := range list {
			if !sp.match {
				out = append(out, sp)
			}
		}
	case "Contiguous", "MergedWithPrevious":
		previous := false
		for _, sp := range list {
			join := sp.match == previous
			if behavior == "MergedWithPrevious" {
				join = sp.match && !previous
			}
			if join && len(out) > 0 {
				out[len(out)-1].end = sp.end
			} else {
				out = append(out, sp)
			}
			previous = sp.match
		}
	case "MergedWithNext":
		following := false
		at := len(list) // pieces are built from the back into list itself
		for i := len(list) - 1; i >= 0; i-- {
			sp := list[i]
			if sp.match && !following && at < len(list) {
				list[at].start = sp.start
			} else {
				at--
				list[at] = sp
			}
			following = sp.match
		}
		out = list[at:]
	}
	return out
}

// eachRune finds the single characters for which is holds.
func eachRune(is func(rune) bool) finder {
	return func(s string, yield func(int, int)) {
		for i, r := range s {
			if is(r) {
				yield(i, i+utf8.RuneLen(r))
			}
		}
	}
}

func findString(sub string) finder {
	return func(s string, yield func(int, int)) {
		for i := 0; ; {
			k := strings.Index(s[i:], sub)
			if k < 0 {
				return
			}
			yield(i+k, i+k+len(sub))
			i += k + len(sub)
		}
	}
}

// eachScan finds the matches of a scanner, which gives the length of the match at the start of its
// argument and matches everywhere.
func eachScan(scan func(string) int) finder {
	return func(s string, yield func(int, int)) {
		for i := 0; i < len(s); {
			n := scan(s[i:])
			yield(i, i+n)
			i += n
		}
	}
}

// findWords finds \w+|[^\w\s]+.
func findWords(s string, yield func(int, int)) {
	symbol := func(r rune) bool { return !isWord(r) && !unicode.IsSpace(r) }
	for i := 0; i < len(s); {
		end := run(s, i, isWord)
		if end == i {
			end = run(s, i, symbol)
		}
		if end == i {
			_, n := utf8.DecodeRuneInString(s[i:])
			i += n
			continue
		}
		yield(i, end)
		i = end
	}
}

// run returns the end of the stretch of characters from i on for which is holds.
func run(s string, i int, is func(rune) bool) int {
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !is(r) {
			break
		}
		i += n
	}
	return i
}

func isPunctuation(r rune) bool {
	if r < 128 {
		return r >= '!' && r <= '/' || r >= ':' && r <= '@' || r >= '[' && r <= '`' || r >= '{' && r <= '~'
	}
	return unicode.Is(unicode.P, r)
}
