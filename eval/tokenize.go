package eval

import (
	"slices"
	"strings"
	"unicode"

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
	for i := range len(s) {
		if s[i] >= 0x80 {
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
func cut(in []rune, a, b func(rune) bool, second bool) []rune {
	out := make([]rune, 0, len(in)+len(in)/4)
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
func notDigit(r rune) bool  { return !isDigit(r) }
func isStop(r rune) bool    { return r == '.' || r == ',' }
func isDash(r rune) bool    { return r == '-' }
func isPunct(r rune) bool   { return unicode.Is(unicode.P, r) }
func isSymbol(r rune) bool  { return unicode.Is(unicode.S, r) }
func notNumber(r rune) bool { return !unicode.Is(unicode.N, r) }
func isASCIIMark(r rune) bool {
	return r < 0x80 && strings.ContainsRune(" !\"#$%&()*+/:;<=>?@[\\]^_`{|}~", r)
}

// splitWestern is the language-dependent part of NIST's mteval-v13a: marks stand alone, full stops and
// commas do unless between digits, a dash does after a digit. The apostrophe stays with its word.
func splitWestern(line []rune) []string {
	line = pad(line, isASCIIMark)
	line = cut(line, notDigit, isStop, true)
	line = cut(line, isStop, notDigit, false)
	line = cut(line, isDigit, isDash, true)
	return fields(string(line))
}

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
	for _, r := range unescape13a {
		line = r.Replace(line)
	}
	return splitWestern([]rune(" " + line + " "))
}

// chineseRanges are the characters that sacrebleu's zh tokenizer sets apart. The range 2001–2a6d and the upper
// part of 2f81–2fa1 come from sacrebleu's way to write the planes 20000 and 2f800 in a string; scores depend on them.
var chineseRanges = [][2]rune{
	{0x3400, 0x4db5}, {0x4e00, 0x9fbb}, {0xf900, 0xfa2d}, {0xfa30, 0xfa6a}, {0xfa70, 0xfad9}, {0x2001, 0x2a6d}, {0x2f81, 0x2fa1},
	{0xff00, 0xffef}, {0x2e80, 0x2eff}, {0x3000, 0x303f}, {0x31c0, 0x31ef}, {0x2f00, 0x2fdf}, {0x2ff0, 0x2fff}, {0x3100, 0x312f},
	{0x31a0, 0x31bf}, {0xfe10, 0xfe1f}, {0xfe30, 0xfe4f}, {0x3200, 0x33ff},
}

func isChineseChar(r rune) bool {
	for _, c := range chineseRanges {
		if r >= c[0] && r <= c[1] {
			return true
		}
	}
	return false
}

// tokenizeZh sets Chinese characters apart and treats the rest as Western text.
func tokenizeZh(line string) []string {
	return splitWestern(pad([]rune(strings.TrimFunc(line, isSpace)), isChineseChar))
}

// tokenizeChar makes every character that is not white space a token.
func tokenizeChar(line string) []string {
	var out []string
	for _, r := range line {
		if !isSpace(r) {
			out = append(out, string(r))
		}
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
