package eval

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// This file splits English text as the Penn Treebank does, in the form that Stanford's PTBTokenizer 3.4.1 gives it
// (-preserveLines -lowerCase), which COCO's and the E2E challenge's scripts call. It is a lexer: of all rules the one that takes
// the longest piece of text counts, what it has to see behind its token included; of rules as long, the first.
//
// Deviations: rules that only tell whether a full stop ends a sentence, emoticons, censored swear words, file names
// and American spelling are left out.

// Parts of the rules. Letters include marks and soft hyphens.
const (
	ptbLetter  = `[\p{L}\p{M}\x{ad}]`
	ptbWord    = ptbLetter + `[\p{L}\p{M}\x{ad}\p{Nd}]*(?:[.!?]` + ptbLetter + `[\p{L}\p{M}\x{ad}\p{Nd}]*)*`
	ptbApos    = `['’\x{92}]`
	ptbQuote   = "['’\\x{92}`‘‛\\x{91}]" // what may stand for an apostrophe in a word
	ptbClitic  = ptbApos + `(?:[msdMSD]|re|ve|ll|RE|VE|LL)`
	ptbNot     = `[nN]` + ptbApos + `[tT]`
	ptbNumber  = `(?:\p{Nd}+|\p{Nd}*(?:[.:,\x{ad}]\p{Nd}+)+)`
	ptbSpace   = `[ \t\x{a0}\x{2000}-\x{200a}\x{3000}]`
	ptbAfter   = `[^\p{L}]|$` // what follows a whole word
	ptbURLBody = "[^ \\t\"<>|()\\[\\]{}`]*[^ \\t\"<>|.!?(){}\\[\\],`'’;:&*-]"
)

// Abbreviations that keep their full stop, whatever follows.
const ptbAbbreviations = `jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|mon|tues?|wed|thu|thurs|fri|` +
	`ala|ariz|calif|colo|conn|ct|dak|fla|ga|ind|kans?|ky|md|mich|minn|mo|mont|neb|nev|okla|penn|tenn|va|vt|wisc?|wyo|` +
	`inc|cos?|corp|p[pt][ty]s?|ltd|plc|rt|bancorp|bhd|assn|univ|intl|sys|tel|est|ext|sq|jr|sr|bros|(?:ed|ph)\.d|[bdm]\.sc|esq|etc|al|seq|bldg|` +
	`mr|mrs|ms|drs?|profs?|sens?|reps?|attys?|lt|col|gen|messrs|govs?|adm|rev|maj|sgt|cpl|pvt|capt|ste?|ave|pres|lieut|hon|brig|co?mdr|pfc|spc|` +
	`supts?|det|mt|ft|adj|adv|asst|assoc|ens|insp|mlle|mme|msgr|sfc|invt|elec|natl|m[ft]g|dept|blvd|rd|viz|exhs?|vs|wm|jos|cie`

// Abbreviations before a number.
const ptbNumbered = `ca|figs?|prop|nos?|arts?|bldg|pp|op`

// Function words that begin a sentence behind a single letter with a full stop.
const ptbStarters = `A|About|According|Additionally|After|An|As|At|But|Earlier|He|Her|Here|However|If|In|It|Last|Many|More|Mrs?\.|Ms\.|` +
	`Now|Once|One|Other|Our|She|Since|So|Some|Such|That|The|Their|Then|There|These|They|This|We|When|While|What|Yet|You`

// ptbRule takes a token off the text.
type ptbRule struct {
	// re has the token as its first group; what else it matches must follow.
	re *regexp.Regexp
	// keep is how many bytes at the token's end are left for the next one.
	keep int
	// form rewrites the token; nil leaves it.
	form func(string) string
}

func newPTBRule(token, behind string, keep int, form func(string) string) ptbRule {
	re := regexp.MustCompile(`^(` + token + `)(?:` + behind + `)`)
	re.Longest()
	return ptbRule{re, keep, form}
}

// becomes is the form of tokens that are written in one way.
func becomes(as string) func(string) string { return func(string) string { return as } }

var ptbRules = []ptbRule{
	// Two words in one.
	newPTBRule(`(?i)cannot|'twas`, ``, 3, nil),
	newPTBRule(`(?i)'tis|gonna|gotta|lemme|gimme|wanna`, ptbAfter, 2, nil),
	newPTBRule(`(?i)more'n`, ptbAfter, 2, nil),
	// Mark-up and its entities.
	newPTBRule(`<(?:[!?][A-Za-z-][^>\n]*|/?[A-Za-z][A-Za-z0-9:.-]*(?: +[A-Za-z][A-Za-z0-9_:.-]*(?: *= *(?:'[^']*'|"[^"]*"|[A-Za-z0-9_:.-]+))?)* */?)>`, ``, 0, nil),
	newPTBRule(`(?i)&amp;`, ``, 0, becomes("&")),
	newPTBRule(`(?i)&(?:quot|lt|gt|nbsp);`, ``, 0, nil),
	// Words, and words before a contraction.
	newPTBRule(ptbWord, ptbClitic+ptbClitic, 0, nil),
	newPTBRule(ptbWord, ptbClitic, 0, nil),
	newPTBRule(`[\p{L}\x{ad}]*[A-MO-Za-mo-z]`, ptbNot, 0, nil),
	newPTBRule(ptbWord, ``, 0, nil),
	// Words with an apostrophe in them.
	newPTBRule(ptbApos+`[nN]`+ptbApos+`?|[lLdDjJ]`+ptbApos+`|(?i:dunkin|somethin|ol)`+ptbApos+`|`+ptbApos+`(?i:em|till?|cause|[2-9]0s)|`+
		`[A-HJ-XZn]`+ptbQuote+`\p{L}{2,}|\p{L}+[aeiouyAEIOUY]`+ptbQuote+`[aeiouA-Z]\p{L}*|`+
		`(?i:cont'd\.?|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l|o'o)`, ``, 0, nil),
	newPTBRule(`[A-HJ-XZn]`+ptbQuote+`\p{L}{2,}|\p{L}+[aeiouyAEIOUY]`+ptbQuote+`[aeiouA-Z]\p{L}*`, ptbClitic, 0, nil),
	newPTBRule(`[yY]`+ptbApos, `\p{L}`, 0, nil),
	// Addresses.
	newPTBRule(`(?i)(?:https?|ftp|svn|mailto)://`+ptbURLBody, ``, 0, nil),
	newPTBRule("(?i)(?:www\\.(?:[^ \\t\"<>|.!?(){}\\[\\],`]+\\.)+[a-z]{2,4}|(?:[^ \\t\"<>|.!?(){}\\[\\],:/$`]+\\.)+(?:com|net|org|edu))(?:/"+ptbURLBody+")?", `[^a-zA-Z]|$`, 0, nil),
	newPTBRule(`<?[a-zA-Z0-9][^ \t"<>|(){}\x{a0}]*@(?:[^ \t"<>|(){}.\x{a0}]+\.)*[^ \t"<>|(){}\[\].,;:\x{a0}]+>?`, ``, 0, nil),
	newPTBRule(`[@#]\p{L}[\p{L}\p{Nd}_]*`, ``, 0, nil),
	// Contractions behind what is no word.
	newPTBRule(ptbClitic+`|`+ptbNot, ptbAfter, 0, plainQuotes),
	// Numbers.
	newPTBRule(`\p{Nd}{1,2}[-/]\p{Nd}{1,2}[-/]\p{Nd}{2,4}`, ``, 0, nil),
	newPTBRule(`[-+]?`+ptbNumber, ``, 0, nil),
	newPTBRule(`(?:\p{Nd}{1,4}[- \x{a0}])?\p{Nd}{1,4}(?:\\?/|\x{2044})\p{Nd}{1,4}`, ``, 0, nil),
	newPTBRule(`[¼½¾⅓⅔]`, ``, 0, func(s string) string {
		return map[string]string{"¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"}[s]
	}),
	newPTBRule(`(?:\([0-9]{2,3}\)[ \x{a0}]?|(?:\+\+?)?(?:[0-9]{2,4}[- \x{a0}])?[0-9]{2,4}[- \x{a0}])[0-9]{3,4}[- \x{a0}]?[0-9]{3,5}|`+
		`(?:(?:\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}|\([0-9]{3}\)[- \x{a0}]?[0-9]{3}[- \x{a0}][0-9]{4}`, ``, 0, brackets),
	// Things with hyphens, slashes, ampersands.
	newPTBRule(`(?:[dDoOlL]`+ptbQuote+`[\p{L}\p{Nd}])?[\p{L}\p{Nd}]+(?:[-‐‑](?:[dDoOlL]`+ptbQuote+`[\p{L}\p{Nd}])?[\p{L}\p{Nd}]+)*`, ``, 0, nil),
	newPTBRule(`[\p{L}\p{Nd}][\p{L}\p{Nd}.,\x{ad}]*(?:[-_](?:[\p{L}\p{Nd}\x{ad}]+|[A-Za-z](?:\.[A-Za-z])+\.))+`, ``, 0, nil),
	newPTBRule(`[\p{L}\p{Nd}]+(?:-\p{L}+){0,2}(?:\\?/[\p{L}\p{Nd}]+(?:-\p{L}+){0,2}){1,2}`, ``, 0, nil),
	newPTBRule(`[A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+`, ``, 0, func(s string) string { return strings.ReplaceAll(s, "&amp;", "&") }),
	newPTBRule(`(?i)-(?:rrb|lrb|rcb|lcb|rsb|lsb)-|pro-|anti-|s&p-500`, ``, 0, nil),
	// Money.
	newPTBRule(`[A-Z]*\$|#`, ``, 0, nil),
	newPTBRule(`[¢¥¤]|[\x{20a0}-\x{20bf}£]`, ``, 0, func(s string) string {
		if form, ok := map[string]string{"£": "#", "¢": "cents", "€": "$", "¤": "$", "₠": "$"}[s]; ok {
			return form
		}
		return s
	}),
	// Abbreviations.
	newPTBRule(`(?i:[a-z])\.`, ptbSpace+`+(?:`+ptbStarters+`)(?:`+ptbSpace+`|$)`, 1, nil),
	newPTBRule(`(?i)(?:`+ptbNumbered+`)\.`, ptbSpace+`?\p{Nd}`, 0, nil),
	newPTBRule(`(?i)(?:`+ptbAbbreviations+`|a\.k\.a)\.`, ``, 0, nil),
	newPTBRule(`(?:[Mm]iss|Az|Ark|Del|Ill|L[aA]|Mass|Miss|Ore|Pa|Tex|Wash)\.`, ``, 0, nil),
	newPTBRule(`(?i)[a-z](?:\.[a-z])*\.|(?:canada|sino|korean|eu|japan|non)-u\.s\.`, ``, 0, nil),
	newPTBRule(`[A-Za-z](?:\.[A-Za-z])*`, `[ \t]`, 0, nil),
	newPTBRule(ptbWord+`\.`, `[,;:]`, 0, nil),
	// Marks.
	newPTBRule(`"|''|“|”|„|«|»|[‘’\x{91}\x{92}`+"`"+`]{2}`, ``, 0, becomes("''")),
	newPTBRule("['‘’‚‛‹›`\\x{91}\\x{92}]", ``, 0, becomes("'")),
	newPTBRule(`[()\[\]{}]`, ``, 0, brackets),
	newPTBRule(`\.\.\.+|…`, ``, 0, becomes("...")),
	newPTBRule(`\.[ \x{a0}](?:\.[ \x{a0}])+\.`, ``, 0, becomes("...")),
	newPTBRule(`--+|[–—―]`, ``, 0, becomes("--")),
	newPTBRule(`[?!]+|@+|#+|_+|\*+|<<|>>`, ``, 0, nil),
	newPTBRule(`.`, ``, 0, nil),
}

// plainQuotes writes apostrophes in ASCII.
func plainQuotes(s string) string {
	return strings.NewReplacer("’", "'", "‘", "'", "‛", "'", "\u0092", "'", "\u0091", "'").Replace(s)
}

// brackets writes brackets by name.
func brackets(s string) string {
	return strings.NewReplacer("(", "-lrb-", ")", "-rrb-", "[", "-lsb-", "]", "-rsb-", "{", "-lcb-", "}", "-rcb-").Replace(s)
}

// ptbPunctuation are the tokens that COCO's scripts drop. Brackets are in their list in upper case only, so they stay.
var ptbPunctuation = []string{"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"}

// ptbUnknown are the characters of the blocks of marks that PTBTokenizer has no rule for and drops, where they stand alone.
var ptbUnknown = &unicode.RangeTable{R16: []unicode.Range16{
	{0x200b, 0x200f, 1}, {0x2010, 0x2012, 1}, {0x2024, 0x2025, 1}, {0x2027, 0x2027, 1}, {0x202a, 0x202e, 1}, {0x203c, 0x203d, 1}, {0x2043, 0x2045, 2}, {0x2046, 0x2064, 1},
	{0x2066, 0x206f, 1}, {0x20a1, 0x20a3, 1}, {0x20a5, 0x20ab, 1}, {0x20ad, 0x20c0, 1}, {0x20d0, 0x20f0, 1}, {0x2150, 0x2152, 1}, {0x215f, 0x2182, 1},
	{0x2185, 0x218b, 1}, {0x3003, 0x3004, 1}, {0x3007, 0x3011, 1}, {0x3013, 0x3030, 1}, {0x3036, 0x303a, 1}, {0x303d, 0x303f, 1}, {0x3099, 0x309c, 1},
	{0x30a0, 0x30a0, 1}, {0x3200, 0x33ff, 1}, {0xfe10, 0xfe19, 1}, {0xfe20, 0xfe52, 1}, {0xfe54, 0xfe66, 1}, {0xfeff, 0xfeff, 1}, {0xffe2, 0xffe4, 1},
	{0xffe8, 0xffee, 1}, {0xfff9, 0xfffd, 1},
}}

// tokenizePTB gives the lower-case tokens of a text, without the punctuation that COCO's scripts drop.
func tokenizePTB(text string) []string {
	text = strings.ReplaceAll(text, "\n", " ")
	var out []string
	for {
		if text = strings.TrimLeftFunc(text, isSpace); text == "" {
			return out
		}
		token, n := ptbPlainWord(text)
		if n == 0 {
			token, n = ptbToken(text)
		}
		text = text[n:]
		token = lower(strings.ReplaceAll(token, "\u00ad", ""))
		if token != "" && !slices.Contains(ptbPunctuation, token) {
			out = append(out, fields(token)...)
		}
	}
}

// ptbPlainWord takes a word of ASCII letters up to a space, a comma or the end, which no rule but that for words takes.
func ptbPlainWord(text string) (string, int) {
	n := 0
	for n < len(text) && (text[n] >= 'a' && text[n] <= 'z' || text[n] >= 'A' && text[n] <= 'Z') {
		n++
	}
	if n == 0 || n < len(text) && text[n] != ' ' && text[n] != ',' {
		return "", 0
	}
	if n >= 5 && n <= 6 {
		switch strings.ToLower(text[:n]) {
		case "cannot", "gonna", "gotta", "lemme", "gimme", "wanna":
			return "", 0
		}
	}
	return text[:n], n
}

// ptbToken takes the next token and says how many bytes of the text it takes.
func ptbToken(text string) (string, int) {
	longest, token, n := -1, "", 0
	for _, r := range ptbRules {
		m := r.re.FindStringSubmatchIndex(text)
		if m == nil || m[1] <= longest {
			continue
		}
		longest, n = m[1], m[3]-r.keep
		if token = text[:n]; r.form != nil {
			token = r.form(token)
		}
	}
	if n == 0 { // a byte that is no character
		return text[:1], 1
	}
	if c := []rune(token); len(c) == 1 && unicode.In(c[0], unicode.Cc, ptbUnknown) {
		return "", n
	}
	return token, n
}
