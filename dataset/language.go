package dataset

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// language is what a text is written in, as far as its script and a few frequent words tell: English, Spanish, French, German, Portuguese and
// Italian by their function words, other languages in Latin letters not at all, and the rest by script (Chinese and Japanese by
// kana).
type language uint8

// The languages. undecided is a text with too few words.
const (
	undecided language = iota
	english
	spanish
	french
	german
	portuguese
	italian
	chinese
	japanese
	korean
	cyrillic
	arabic
	hebrew
	greek
	devanagari
	thai
	otherScript
	languages // how many there are
)

var languageNames = [languages]string{
	"undecided", "English", "Spanish", "French", "German", "Portuguese", "Italian", "Chinese", "Japanese", "Korean", "Cyrillic", "Arabic",
	"Hebrew", "Greek", "Devanagari", "Thai", "another script",
}

// scripts are those that are told apart, beside Latin.
var scripts = []struct {
	table *unicode.RangeTable
	is    language
}{
	{unicode.Han, chinese}, {unicode.Hiragana, japanese}, {unicode.Katakana, japanese}, {unicode.Hangul, korean}, {unicode.Cyrillic, cyrillic},
	{unicode.Arabic, arabic}, {unicode.Hebrew, hebrew}, {unicode.Greek, greek}, {unicode.Devanagari, devanagari}, {unicode.Thai, thai},
}

// functionWords are frequent words of one of the languages and of none of the others.
var functionWords = func() map[string]language {
	of := map[string]language{}
	for is, words := range map[language]string{
		english:    "the and is are was of to that with which have has not what how be this you your from by or it when can",
		spanish:    "el los las y es una por con del está qué cómo pero más su al para este",
		french:     "les et est une des dans pour avec qui sur pas du au ce cette sont vous être aux",
		german:     "der das und ist ein eine nicht mit von zu den dem auf für sie sich werden wird auch",
		portuguese: "os e é um uma não com do da em são ao pelo mais você dos",
		italian:    "il gli è della di che non sono per nel alla delle dei anche più",
	} {
		for w := range strings.FieldsSeq(words) {
			of[w] = is
		}
	}
	return of
}()

// tally counts what a text is made of.
type tally struct {
	words int // in Latin letters, digits and other scripts with blanks
	chars int // of scripts without blanks
	votes [languages]int
	latin int // words in Latin letters
}

// length is the text's length in words, a character of a script without blanks counting as one.
func (t *tally) length() int { return t.words + t.chars }

// add counts a text.
func (t *tally) add(s string) {
	var word [12]byte // the word so far, if it is short and in Latin letters
	n, in, latin := 0, false, false
	end := func() {
		if in {
			t.words++
			if latin {
				t.latin++
				if n <= len(word) {
					if is, ok := functionWords[string(word[:n])]; ok {
						t.votes[is]++
					}
				}
			}
		}
		n, in, latin = 0, false, false
	}
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if !isWord(c) || c == '_' {
				end()
				continue
			}
			in, latin = true, latin || !isDigit(c)
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			if n < len(word) {
				word[n] = c
			}
			n++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if unicode.Is(unicode.Latin, r) {
			in, latin = true, true
			r = unicode.ToLower(r)
			if n+utf8.RuneLen(r) <= len(word) {
				utf8.EncodeRune(word[n:], r)
			}
			n += utf8.RuneLen(r)
		} else if !unicode.IsLetter(r) {
			if !unicode.IsMark(r) {
				end()
			}
		} else {
			t.letter(r, &in, end)
		}
		i += size
	}
	end()
}

// letter counts a letter that is not Latin.
func (t *tally) letter(r rune, in *bool, end func()) {
	is := otherScript
	for _, s := range scripts {
		if unicode.Is(s.table, r) {
			is = s.is
			break
		}
	}
	t.votes[is]++
	if is == chinese || is == japanese || is == thai {
		end()
		t.chars++
		return
	}
	*in = true
}

// language decides. Letters of other scripts count half a word, so that a Chinese text may have Latin names in it.
func (t *tally) language() language {
	const few = 8 // words by which no language is told
	best, most := undecided, 0
	for is := chinese; is < languages; is++ {
		if v := t.votes[is]; v > most {
			best, most = is, v
		}
	}
	if t.votes[japanese] > 0 && t.votes[japanese]*10 >= t.votes[chinese] && best == chinese {
		best = japanese
	}
	if t.latin*2 <= most && most >= few {
		return best
	}
	if t.latin < few {
		return undecided
	}
	best, most = undecided, 2 // at least three function words
	for is := english; is < chinese; is++ {
		if v := t.votes[is]; v > most {
			best, most = is, v
		}
	}
	return best
}
