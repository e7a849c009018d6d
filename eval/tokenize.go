package eval

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// tokenizer is one of sacrebleu's tokenizers.
type tokenizer struct {
	name string
	// split takes a line without trailing space.
	split func(line string) []string
}

var tokenizers = []tokenizer{
	{"13a", tokenize13a},
	{"zh", tokenizeZh},
	{"char", tokenizeChar},
	{"intl", tokenizeIntl},
	{"none", fields},
}

// tokenizerNames lists all, those that need files last.
func tokenizerNames() []string {
	var out []string
	for _, t := range tokenizers {
		out = append(out, t.name)
	}
	return append(out, "flores101", "flores200", "spm", "spBLEU-1K", "ja-mecab", "ko-mecab")
}

// splitter is the function of a tokenizer that needs no files.
func splitter(name string) func(string) []string {
	return tokenizers[slices.IndexFunc(tokenizers, func(t tokenizer) bool { return t.name == name })].split
}

// isSpace reports what Python's str.isspace does: Unicode's white space and four ASCII separators.
func isSpace(r rune) bool {
	return r >= 0x1c && r <= 0x1f || unicode.IsSpace(r)
}

// fields splits at white space as Python's str.split does.
func fields(s string) []string { return strings.FieldsFunc(s, isSpace) }

// lower is Python's str.lower: full case mapping, final sigma included.
func lower(s string) string {
	for _, r := range s {
		if r == 'İ' || r == 'Σ' {
			return cases.Lower(language.Und).String(s)
		}
	}
	return strings.ToLower(s)
}

// pad puts a space on both sides of every rune for which is holds.
func pad(in []rune, is func(rune) bool) []rune {
	out := make([]rune, 0, len(in)+len(in)/2)
	for _, r := range in {
		if is(r) {
			out = append(out, ' ', r, ' ')
		} else {
			out = append(out, r)
		}
	}
	return out
}

// cut looks for two neighbours, the first satisfying a and the second b, left to right without overlap, and
// puts spaces around one of the two: the second if second is set, else the first.
func cut[T byte | rune](in []T, a, b func(T) bool, second bool) []T {
	out := make([]T, 0, len(in)+len(in)/4)
	for i := 0; i < len(in); i++ {
		if i+1 == len(in) || !a(in[i]) || !b(in[i+1]) {
			out = append(out, in[i])
			continue
		}
		if second {
			out = append(out, in[i], ' ', in[i+1], ' ')
		} else {
			out = append(out, ' ', in[i], ' ', in[i+1])
		}
		i++
	}
	return out
}

func isDigit(r rune) bool   { return r >= '0' && r <= '9' }
func isPunct(r rune) bool   { return unicode.Is(unicode.P, r) }
func isSymbol(r rune) bool  { return unicode.Is(unicode.S, r) }
func notNumber(r rune) bool { return !unicode.Is(unicode.N, r) }

// asciiMarks are the characters that stand alone in Western text.
var asciiMarks = func() (is [128]bool) {
	for _, c := range "!\"#$%&()*+/:;<=>?@[\\]^_`{|}~" {
		is[c] = true
	}
	return is
}()

// splitWestern is the language-dependent part of NIST's mteval-v13a: marks stand alone, full stops and
// commas do unless between digits, a dash does after a digit. The apostrophe stays with its word. Other characters
// that stand alone are those for which alone holds. edge stands on both sides of the line: a space, or lineEdge, which is no
// character for the rules, so that a full stop behind a digit at the end of the line stays there.
func splitWestern(line string, alone func(rune) bool, edge byte) []string {
	if !utf8.ValidString(line) {
		line = strings.ToValidUTF8(line, "\uFFFD")
	}
	out := make([]string, 0, len(line)/4+1)
	start, stops := 0, false // of the piece being read, and whether it has one of ".,-"
	end := func(at int) {
		switch {
		case start == at:
		case stops:
			before, after := byte(' '), byte(' ')
			if start == 0 {
				before = edge
			}
			if at == len(line) {
				after = edge
			}
			out = splitStops(out, line[start:at], before, after)
		default:
			out = append(out, line[start:at])
		}
	}
	for i := 0; i < len(line); {
		c, size := rune(line[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(line[i:])
		}
		ascii := c < utf8.RuneSelf
		switch {
		case isSpace(c):
			end(i)
		case ascii && asciiMarks[c], !ascii && alone(c):
			end(i)
			out = append(out, line[i:i+size])
		default:
			stops = stops || c == '.' || c == ',' || c == '-'
			i += size
			continue
		}
		i += size
		start, stops = i, false
	}
	end(len(line))
	return out
}

// lineEdge is a byte that UTF-8 does not have.
const lineEdge = 0xff

// splitStops splits a piece of a line, which has neither space nor marks, at full stops, commas and dashes. before and after are its
// neighbours.
func splitStops(out []string, piece string, before, after byte) []string {
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	notDigit := func(c byte) bool { return !digit(c) && c != lineEdge }
	stop := func(c byte) bool { return c == '.' || c == ',' }
	dash := func(c byte) bool { return c == '-' }
	space := func(c byte) bool { return c == ' ' || c == lineEdge }
	line := append(append(append(make([]byte, 0, 64), before), piece...), after)
	line = cut(line, notDigit, stop, true)
	line = cut(line, stop, notDigit, false)
	line = cut(line, digit, dash, true)
	// Only spaces came in, so that the tokens lie in the piece one behind the other.
	for size := 0; len(piece) > 0; piece, size = piece[size:], 0 {
		for space(line[0]) {
			line = line[1:]
		}
		for !space(line[size]) {
			size++
		}
		out, line = append(out, piece[:size]), line[size:]
	}
	return out
}

// unescape13a are the replacements that mteval-v13a makes first.
var unescape13a = []*strings.Replacer{
	strings.NewReplacer("<skipped>", ""),
	strings.NewReplacer("-\n", ""),
	strings.NewReplacer("\n", " "),
	strings.NewReplacer("&quot;", `"`),
	strings.NewReplacer("&amp;", "&"),
	strings.NewReplacer("&lt;", "<"),
	strings.NewReplacer("&gt;", ">"),
}

// tokenize13a is mteval-v13a. The replacements run one after the other: "&amp;lt;" ends as "<".
func tokenize13a(line string) []string {
	if strings.ContainsAny(line, "<&\n") {
		for _, r := range unescape13a {
			line = r.Replace(line)
		}
	}
	return splitWestern(line, func(rune) bool { return false }, ' ')
}

// chineseRanges are the characters that sacrebleu's zh tokenizer sets apart. The range 2001–2a6d and the upper
// part of 2f81–2fa1 come from sacrebleu's way to write the planes 20000 and 2f800 in a string; scores depend on them.
var chineseRanges = [][2]rune{
	{0x3400, 0x4db5}, {0x4e00, 0x9fbb}, {0xf900, 0xfa2d}, {0xfa30, 0xfa6a}, {0xfa70, 0xfad9}, {0x2001, 0x2a6d}, {0x2f81, 0x2fa1},
	{0xff00, 0xffef}, {0x2e80, 0x2eff}, {0x3000, 0x303f}, {0x31c0, 0x31ef}, {0x2f00, 0x2fdf}, {0x2ff0, 0x2fff}, {0x3100, 0x312f},
	{0x31a0, 0x31bf}, {0xfe10, 0xfe1f}, {0xfe30, 0xfe4f}, {0x3200, 0x33ff},
}

func isChineseChar(r rune) bool {
	if r < 0x2001 {
		return false
	}
	for _, c := range chineseRanges {
		if r >= c[0] && r <= c[1] {
			return true
		}
	}
	return false
}

// tokenizeZh sets Chinese characters apart and treats the rest as Western text.
func tokenizeZh(line string) []string {
	return splitWestern(strings.TrimFunc(line, isSpace), isChineseChar, lineEdge)
}

// tokenizeChar makes every character that is not white space a token.
func tokenizeChar(line string) []string {
	out := make([]string, 0, len(line))
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRuneInString(line[i:])
		if !isSpace(r) {
			out = append(out, line[i:i+size])
		}
		i += size
	}
	return out
}

// tokenizeIntl is mteval-v14 with --international-tokenization: punctuation stands alone unless between
// numbers, symbols always do.
func tokenizeIntl(text string) []string {
	line := cut([]rune(text), notNumber, isPunct, true)
	line = cut(line, isPunct, notNumber, false)
	return fields(string(pad(line, isSymbol)))
}

// inChinese reports whether the references are Chinese text: they hold more Han characters than words
// (runs of letters) of other scripts.
func inChinese(pairs []Pair) bool {
	han, words := 0, 0
	for _, p := range pairs {
		for _, ref := range p.References {
			inWord := false
			for _, r := range ref {
				isHan := unicode.Is(unicode.Han, r)
				isWord := !isHan && unicode.IsLetter(r)
				if isHan {
					han++
				} else if isWord && !inWord {
					words++
				}
				inWord = isWord
			}
		}
	}
	return han > words
}
