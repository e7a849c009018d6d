// Package near finds texts that say nearly the same among many.
//
//	text ─ Fold ─▶ words ─ Features ─▶ words and pairs of words ─ Pairs ─▶ pairs of texts, with their similarity
//
// Similarity is the Jaccard index of the sets of words and of pairs of neighbouring words: what two texts share, in
// relation to what they have together.
package near

import (
	"math"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Token is a word of a folded text, as a hash with two marks. Scripts that put no blanks between words have a token for
// each character.
type Token uint64

const (
	digitMark Token = 1 << 63 // the word has a digit
	charMark  Token = 1 << 62 // it is a character of a script without blanks
	hashBits  Token = 1<<62 - 1
)

// Text is a folded text: its words without case, punctuation and white space, in Unicode's form NFKC. Characters that
// calculate or compare (+ < > = ×) are words, other symbols are not.
type Text struct {
	Tokens []Token
	ends   []int32 // where sentences end, as indices of tokens
}

const (
	fnvStart = 14695981039346656037
	fnvPrime = 1099511628211
)

// asciiLower maps ASCII letters and digits to lower case, and the rest to 0.
var asciiLower = func() (t [utf8.RuneSelf]byte) {
	for c := range t {
		switch b := byte(c); {
		case b >= 'A' && b <= 'Z':
			t[c] = b + 'a' - 'A'
		case b >= 'a' && b <= 'z', b >= '0' && b <= '9':
			t[c] = b
		}
	}
	return t
}()

// Fold makes t the folded form of s. It reuses t's memory.
func (t *Text) Fold(s string) {
	t.Tokens, t.ends = t.Tokens[:0], t.ends[:0]
	if !ascii(s) && !norm.NFKC.IsNormalString(s) {
		s = norm.NFKC.String(s)
	}
	h, mark, in := uint64(fnvStart), Token(0), false
	end := func() {
		if in {
			t.Tokens = append(t.Tokens, Token(mix(h))&hashBits|mark)
			h, mark, in = fnvStart, 0, false
		}
	}
	add := func(r uint64) { h, in = (h^r)*fnvPrime, true }
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if l := asciiLower[c]; l != 0 {
				add(uint64(l))
				if l <= '9' {
					mark = digitMark
				}
				i++
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch class(r) {
		case letter:
			add(uint64(unicode.ToLower(r)))
		case digit:
			add(uint64(r))
			mark = digitMark
		case character:
			end()
			add(uint64(r))
			mark = charMark
			end()
		case symbol:
			end()
			add(uint64(r))
			end()
		case stop:
			end()
			if r != '.' || i == len(s) || s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r' {
				t.endSentence()
			}
		case between:
			end()
		}
	}
	end()
	t.endSentence()
}

func (t *Text) endSentence() {
	if n := int32(len(t.Tokens)); n > 0 && (len(t.ends) == 0 || t.ends[len(t.ends)-1] < n) {
		t.ends = append(t.ends, n)
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// The classes of characters.
const (
	between   = iota // ends a word
	letter           // or a mark on one
	digit            //
	character        // a word of its own
	symbol           // calculates or compares: a word of its own
	stop             // ends a sentence
	nothing          // does not count and ends no word
)

// withoutBlanks are the scripts that put no blanks between words.
var withoutBlanks = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}

func class(r rune) int {
	switch {
	case r == '.' || r == '!' || r == '?' || r == ';' || r == '\n' || r == '。' || r == '…':
		return stop
	case r == '+' || r == '<' || r == '>' || r == '=':
		return symbol
	case r < utf8.RuneSelf:
		return between
	case unicode.In(r, withoutBlanks...):
		return character
	case unicode.IsLetter(r), unicode.IsMark(r):
		return letter
	case unicode.IsDigit(r), unicode.IsNumber(r):
		return digit
	case unicode.Is(unicode.Cf, r):
		return nothing
	case unicode.Is(unicode.Sm, r):
		return symbol
	}
	return between
}

// Sequence is equal for texts of the same words in the same order. Words, not bytes: a text without any has 0.
func (t *Text) Sequence() uint64 {
	if len(t.Tokens) == 0 {
		return 0
	}
	return sequence(t.Tokens)
}

func sequence(tokens []Token) uint64 {
	h := uint64(len(tokens))
	for _, k := range tokens {
		h = mix(h*fnvPrime + uint64(k))
	}
	return h
}

// Bag is equal for texts of the same words in any order.
func (t *Text) Bag() uint64 {
	h := uint64(len(t.Tokens))
	for _, k := range t.Tokens {
		h += mix(uint64(k))
	}
	return h
}

// Sentences is equal for texts that have the same set of sentences in any order.
func (t *Text) Sentences() uint64 {
	seen := make([]uint64, 0, 16)
	from := int32(0)
	for _, to := range t.ends {
		seen = append(seen, sequence(t.Tokens[from:to]))
		from = to
	}
	slices.Sort(seen)
	h := uint64(0)
	for _, s := range slices.Compact(seen) {
		h += mix(s)
	}
	return h
}

// Weight is the length of the text in words, three characters of a script without blanks counting as two words.
func (t *Text) Weight() int {
	chars := 0
	for _, k := range t.Tokens {
		if k&charMark != 0 {
			chars++
		}
	}
	return len(t.Tokens) - chars + chars*2/3
}

// Features appends the text's words and pairs of neighbouring words, as hashes, in no order and perhaps repeated.
func (t *Text) Features(to []uint64) []uint64 {
	last := uint64(0)
	for i, k := range t.Tokens {
		h := mix(uint64(k))
		to = append(to, h)
		if i > 0 {
			to = append(to, mix(last*fnvPrime^h))
		}
		last = h
	}
	return to
}

// Set sorts features and takes out repetitions, in place.
func Set(features []uint64) []uint64 {
	slices.Sort(features)
	return slices.Compact(features)
}

// Jaccard is the number of common features of two sets, which Set made, in relation to that of all; 0 for two empty sets.
func Jaccard(a, b []uint64) float64 { return jaccard(a, b, 0) }

// jaccard is Jaccard, or 0 as soon as it must be below least.
func jaccard(a, b []uint64, least float64) float64 {
	all := len(a) + len(b)
	if all == 0 {
		return 0
	}
	// J = c/(all-c) with c common features and all-2c others.
	others := all - 2*int(math.Ceil(least/(1+least)*float64(all)-1e-9))
	i, j, apart := 0, 0, 0
	for i < len(a) && j < len(b) && apart <= others {
		// Without branches, for which of the two is less cannot be foretold.
		x, y := a[i], b[j]
		less, more := 0, 0
		if x < y {
			less = 1
		}
		if x > y {
			more = 1
		}
		i += 1 - more
		j += 1 - less
		apart += less + more
	}
	if apart += len(a) - i + len(b) - j; apart > others {
		return 0
	}
	common := (all - apart) / 2
	return float64(common) / float64(all-common)
}

// increment is added where 0 must not stay 0.
const increment = 0x9e3779b97f4a7c15

// mix spreads the bits of x: the finaliser of MurmurHash3.
func mix(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
