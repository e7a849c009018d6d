package eval

import "strings"

// porterStem is the stemmer of Porter 1980 ("An algorithm for suffix stripping") with Porter's own later
// changes and NLTK's extensions, as nltk.stem.PorterStemmer has it by default. word is lower-case ASCII
// of at least one letter.
func porterStem(word string) string {
	if stem, ok := irregularStems[word]; ok {
		return stem
	}
	if len(word) <= 2 {
		return word
	}
	for _, step := range []func(string) string{
		porterPlural, porterPast, porterY, porterDouble, porterSingle, porterLast, porterE, porterLL,
	} {
		word = step(word)
	}
	return word
}

// irregularStems are the words that NLTK does not leave to the rules.
var irregularStems = map[string]string{
	"sky": "sky", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "news": "news",
	"inning": "inning", "innings": "inning", "outing": "outing", "outings": "outing", "canning": "canning", "cannings": "canning",
	"howe": "howe", "proceed": "proceed", "exceed": "exceed", "succeed": "succeed",
}

// consonants says of each letter whether it is a consonant. A y is one at the start and after a vowel.
func consonants(word string) []bool {
	out := make([]bool, len(word))
	for i := range len(word) {
		switch word[i] {
		case 'a', 'e', 'i', 'o', 'u':
		case 'y':
			out[i] = i == 0 || !out[i-1]
		default:
			out[i] = true
		}
	}
	return out
}

// measure is Porter's m: how often a vowel is followed by a consonant.
func measure(stem string) int {
	m := 0
	c := consonants(stem)
	for i := 1; i < len(c); i++ {
		if !c[i-1] && c[i] {
			m++
		}
	}
	return m
}

func longer(stem string) bool  { return measure(stem) > 0 }
func longest(stem string) bool { return measure(stem) > 1 }

func hasVowel(stem string) bool {
	for _, c := range consonants(stem) {
		if !c {
			return true
		}
	}
	return false
}

// endsDouble is Porter's *d: the word ends in the same consonant twice.
func endsDouble(word string) bool {
	n := len(word)
	return n >= 2 && word[n-1] == word[n-2] && consonants(word)[n-1]
}

// endsShort is Porter's *o: consonant, vowel, consonant other than w, x, y. NLTK adds words of a vowel and a
// consonant.
func endsShort(word string) bool {
	n, c := len(word), consonants(word)
	if n == 2 {
		return !c[0] && c[1]
	}
	return n >= 3 && c[n-3] && !c[n-2] && c[n-1] && !strings.ContainsRune("wxy", rune(word[n-1]))
}

// suffixRule replaces a suffix if what precedes it satisfies when (nil: always).
type suffixRule struct {
	suffix, by string
	when       func(stem string) bool
}

// applyFirst applies the first rule whose suffix the word has. If that one's condition fails, no
// other is tried.
func applyFirst(word string, rules []suffixRule) string {
	for _, r := range rules {
		if stem, ok := strings.CutSuffix(word, r.suffix); ok {
			if r.when == nil || r.when(stem) {
				return stem + r.by
			}
			break
		}
	}
	return word
}

var pluralRules = []suffixRule{{"sses", "ss", nil}, {"ies", "i", nil}, {"ss", "ss", nil}, {"s", "", nil}}

// porterPlural is step 1a. NLTK: of four letters, "dies" becomes "die" and not "di".
func porterPlural(word string) string {
	if len(word) == 4 && strings.HasSuffix(word, "ies") {
		return word[:3]
	}
	return applyFirst(word, pluralRules)
}

var repairRules = []suffixRule{{"at", "ate", nil}, {"bl", "ble", nil}, {"iz", "ize", nil}}

// porterPast is step 1b. NLTK: "spied" becomes "spi", "died" becomes "die".
func porterPast(word string) string {
	if stem, ok := strings.CutSuffix(word, "ied"); ok {
		if len(stem) == 1 {
			return stem + "ie"
		}
		return stem + "i"
	}
	if stem, ok := strings.CutSuffix(word, "eed"); ok {
		if longer(stem) {
			return stem + "ee"
		}
		return word
	}
	stem, ok := strings.CutSuffix(word, "ed")
	if !ok {
		stem, ok = strings.CutSuffix(word, "ing")
	}
	if !ok || !hasVowel(stem) {
		return word
	}
	if repaired := applyFirst(stem, repairRules); repaired != stem {
		return repaired
	}
	switch last := stem[len(stem)-1]; {
	case endsDouble(stem):
		if last == 'l' || last == 's' || last == 'z' {
			return stem
		}
		return stem[:len(stem)-1]
	case measure(stem) == 1 && endsShort(stem):
		return stem + "e"
	}
	return stem
}

// porterY is step 1c in NLTK's form: y becomes i after a consonant, but not in words such as "by".
func porterY(word string) string {
	stem, ok := strings.CutSuffix(word, "y")
	if ok && len(stem) > 1 && consonants(stem)[len(stem)-1] {
		return stem + "i"
	}
	return word
}

var doubleRules = []suffixRule{
	{"ational", "ate", longer}, {"tional", "tion", longer}, {"enci", "ence", longer}, {"anci", "ance", longer}, {"izer", "ize", longer},
	{"bli", "ble", longer}, {"alli", "al", longer}, {"entli", "ent", longer}, {"eli", "e", longer}, {"ousli", "ous", longer},
	{"ization", "ize", longer}, {"ation", "ate", longer}, {"ator", "ate", longer}, {"alism", "al", longer}, {"iveness", "ive", longer},
	{"fulness", "ful", longer}, {"ousness", "ous", longer}, {"aliti", "al", longer}, {"iviti", "ive", longer}, {"biliti", "ble", longer},
	{"fulli", "ful", longer},
	// The l counts with the stem, so that "geologi" is treated like "archaeologi".
	{"logi", "log", func(stem string) bool { return longer(stem + "l") }},
}

// porterDouble is step 2. NLTK: what "alli" leaves goes through the step again.
func porterDouble(word string) string {
	if stem, ok := strings.CutSuffix(word, "alli"); ok && longer(stem) {
		return porterDouble(stem + "al")
	}
	return applyFirst(word, doubleRules)
}

var singleRules = []suffixRule{
	{"icate", "ic", longer}, {"ative", "", longer}, {"alize", "al", longer}, {"iciti", "ic", longer}, {"ical", "ic", longer},
	{"ful", "", longer}, {"ness", "", longer},
}

// porterSingle is step 3.
func porterSingle(word string) string { return applyFirst(word, singleRules) }

var lastRules = []suffixRule{
	{"al", "", longest}, {"ance", "", longest}, {"ence", "", longest}, {"er", "", longest}, {"ic", "", longest}, {"able", "", longest},
	{"ible", "", longest}, {"ant", "", longest}, {"ement", "", longest}, {"ment", "", longest}, {"ent", "", longest},
	{"ion", "", func(stem string) bool {
		return longest(stem) && (strings.HasSuffix(stem, "s") || strings.HasSuffix(stem, "t"))
	}},
	{"ou", "", longest}, {"ism", "", longest}, {"ate", "", longest}, {"iti", "", longest}, {"ous", "", longest}, {"ive", "", longest},
	{"ize", "", longest},
}

// porterLast is step 4.
func porterLast(word string) string { return applyFirst(word, lastRules) }

// porterE is step 5a.
func porterE(word string) string {
	stem, ok := strings.CutSuffix(word, "e")
	if m := measure(stem); ok && (m > 1 || m == 1 && !endsShort(stem)) {
		return stem
	}
	return word
}

// porterLL is step 5b.
func porterLL(word string) string {
	if strings.HasSuffix(word, "ll") && longest(word[:len(word)-1]) {
		return word[:len(word)-1]
	}
	return word
}
