package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Scanners for the regexes most models split text with. Each takes a non-empty text and returns the length
// of the match at its start; the regexes match everywhere, so that is never 0. They are an order of
// magnitude faster than a backtracking engine and tested against it.

// regexGPT2 is GPT-2's pattern (Radford et al. 2019, encoder.py).
const regexGPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// Patterns after cl100k: Llama 3 takes up to three digits together, Qwen 2 one.
const (
	regexWords  = `[^\r\n\p{L}\p{N}]?\p{L}+`
	regexShort  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	regexTail   = `|\s*[\r\n]+|\s+(?!\S)|\s+`
	regexLlama3 = regexShort + `|` + regexWords + `|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*` + regexTail
	regexQwen2  = regexShort + `|` + regexWords + `|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*` + regexTail
)

// Patterns after o200k, which cut words where lower case ends: GPT-4o keeps contractions at the
// word, Mistral's Tekken has none and single digits.
const (
	regexUpper  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
	regexLower  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
	regexGPT4o  = regexUpper + regexShort + `?|` + regexLower + regexShort + `?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*` + regexTail
	regexTekken = regexUpper + `|` + regexLower + `|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*` + regexTail
)

var scanners = map[string]func(string) int{
	regexGPT2:   scanGPT2,
	regexLlama3: scanner{digits: 3, words: words}.scan,
	regexQwen2:  scanner{digits: 1, words: words}.scan,
	regexGPT4o:  scanner{digits: 3, slash: true, words: casedWords}.scan,
	regexTekken: scanner{digits: 1, slash: true, words: casedWordsBare}.scan,
}

func isLetter(r rune) bool {
	if r < 128 {
		return (r|32) >= 'a' && (r|32) <= 'z'
	}
	return unicode.IsLetter(r)
}

func isNumber(r rune) bool {
	if r < 128 {
		return isDigit(r)
	}
	return unicode.IsNumber(r)
}

// isOther is [^\s\p{L}\p{N}].
func isOther(r rune) bool { return !isLetter(r) && !isNumber(r) && !unicode.IsSpace(r) }

func isNewline(b byte) bool { return b == '\r' || b == '\n' }

// scanSpace matches \s+(?!\S)|\s+ : a run of white space without its last character if text follows.
func scanSpace(s string) int {
	end := run(s, 0, unicode.IsSpace)
	if end == len(s) {
		return end
	}
	if _, n := utf8.DecodeLastRuneInString(s[:end]); n < end {
		return end - n
	}
	return end
}

func scanGPT2(s string) int {
	if s[0] == '\'' {
		for _, c := range [...]string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"} {
			if strings.HasPrefix(s, c) {
				return len(c)
			}
		}
	}
	i := 0
	if s[0] == ' ' {
		i = 1
	}
	if i < len(s) {
		r, _ := utf8.DecodeRuneInString(s[i:])
		switch {
		case isLetter(r):
			return run(s, i, isLetter)
		case isNumber(r):
			return run(s, i, isNumber)
		case !unicode.IsSpace(r):
			return run(s, i, isOther)
		}
	}
	return scanSpace(s)
}

// scanner matches the patterns after cl100k and o200k: words, numbers, symbols, white space.
type scanner struct {
	digits int  // most digits in a piece
	slash  bool // a slash counts as a line end after symbols
	words  func(string) int
}

func (c scanner) scan(s string) int {
	if n := c.words(s); n > 0 {
		return n
	}
	r, n := utf8.DecodeRuneInString(s)
	if isNumber(r) {
		for k := 1; k < c.digits && n < len(s); k++ {
			r, m := utf8.DecodeRuneInString(s[n:])
			if !isNumber(r) {
				break
			}
			n += m
		}
		return n
	}
	i := 0
	if r == ' ' {
		i = 1
	}
	if end := run(s, i, isOther); end > i {
		for end < len(s) && (isNewline(s[end]) || c.slash && s[end] == '/') {
			end++
		}
		return end
	}
	space := run(s, 0, unicode.IsSpace)
	if k := strings.LastIndexAny(s[:space], "\r\n"); k >= 0 {
		return k + 1
	}
	return scanSpace(s)
}

// contraction matches (?i:'s|'t|'re|'ve|'m|'ll|'d); U+017F is an s to a regex that ignores case.
func contraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	r, n := utf8.DecodeRuneInString(s[1:])
	switch r {
	case 's', 'S', 't', 'T', 'm', 'M', 'd', 'D', 'ſ':
		return 1 + n
	}
	if len(s) >= 3 {
		switch s[1:3] {
		case "re", "rE", "Re", "RE", "ve", "vE", "Ve", "VE", "ll", "lL", "Ll", "LL":
			return 3
		}
	}
	return 0
}

// words matches a contraction or [^\r\n\p{L}\p{N}]?\p{L}+; 0 if neither is there.
func words(s string) int {
	if n := contraction(s); n > 0 {
		return n
	}
	r, n := utf8.DecodeRuneInString(s)
	if isLetter(r) {
		return run(s, n, isLetter)
	}
	if !isNewline(s[0]) && !isNumber(r) {
		if end := run(s, n, isLetter); end > n {
			return end
		}
	}
	return 0
}

func isUpperPart(r rune) bool {
	if r < 128 {
		return r >= 'A' && r <= 'Z'
	}
	return unicode.In(r, unicode.Lu, unicode.Lt, unicode.Lm, unicode.Lo, unicode.M)
}

func isLowerPart(r rune) bool {
	if r < 128 {
		return r >= 'a' && r <= 'z'
	}
	return unicode.In(r, unicode.Ll, unicode.Lm, unicode.Lo, unicode.M)
}

// casedWords matches regexUpper or regexLower, each with an optional contraction.
func casedWords(s string) int {
	if n := casedWordsBare(s); n > 0 {
		return n + contraction(s[n:])
	}
	return 0
}

// casedWordsBare tries each alternative with the character before the word and, failing that, without.
func casedWordsBare(s string) int {
	r, n := utf8.DecodeRuneInString(s)
	before := !isNewline(s[0]) && !isLetter(r) && !isNumber(r)
	for _, match := range [...]func(string, int) int{upperThenLower, upperMaybeLower} {
		if before {
			if end := match(s, n); end > 0 {
				return end
			}
		}
		if end := match(s, 0); end > 0 {
			return end
		}
	}
	return 0
}

// upperThenLower matches U*L+ from i on, where marks and caseless letters are both U and L: if no L is
// left after the run of U, the run gives back characters until its last one can be an L.
func upperThenLower(s string, i int) int {
	upper := run(s, i, isUpperPart)
	if end := run(s, upper, isLowerPart); end > upper {
		return end
	}
	for k := upper; k > i; {
		r, n := utf8.DecodeLastRuneInString(s[:k])
		k -= n
		if isLowerPart(r) {
			return run(s, k, isLowerPart)
		}
	}
	return 0
}

// upperMaybeLower matches U+L* from i on.
func upperMaybeLower(s string, i int) int {
	upper := run(s, i, isUpperPart)
	if upper == i {
		return 0
	}
	return run(s, upper, isLowerPart)
}
