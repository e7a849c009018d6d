package tokenizer

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// preTokenizer cuts s into pieces that the next step, at last the model, treats one by one. first says
// that s begins where the text begins; yield is told the same of each piece. Empty pieces may be
// yielded, nobody looks at them.
type preTokenizer func(s string, first bool, yield func(piece string, first bool))

// finder calls yield for each match in s, in order and without overlap. A match may be empty.
type finder func(s string, yield func(start, end int))

const havePreTokenizers = "Sequence, ByteLevel, Split, Digits, Metaspace, Punctuation, Whitespace, WhitespaceSplit, " +
	"CharDelimiterSplit, FixedLength"

// preBuilder collects the steps of a "pre_tokenizer".
type preBuilder struct {
	list []preTokenizer
	// bytes is set when the byte alphabet comes last: the model may then work on the bytes themselves.
	bytes bool
}

func newPreTokenizer(raw json.RawMessage) (preBuilder, error) {
	var b preBuilder
	p, ok, err := openPart(raw, "pre_tokenizer")
	if err == nil && ok {
		err = b.add(p)
	}
	return b, err
}

func (b *preBuilder) push(f preTokenizer) {
	b.settle()
	b.list = append(b.list, f)
}

// settle spells out the byte alphabet for the steps that follow it.
func (b *preBuilder) settle() {
	if b.bytes {
		b.bytes = false
		b.list = append(b.list, func(s string, first bool, yield func(string, bool)) { yield(toByteAlphabet(s), first) })
	}
}

func (b *preBuilder) add(p part) error {
	switch p.typ {
	case "Sequence":
		var o struct {
			partType
			List []json.RawMessage `json:"pretokenizers"`
		}
		if err := p.options(&o); err != nil {
			return err
		}
		return p.each(o.List, "pretokenizers", b.add)
	case "ByteLevel":
		return b.addByteLevel(p)
	case "Split":
		return b.addSplit(p)
	case "Metaspace":
		m, err := newMetaspace(p)
		b.push(m.split)
		return err
	}
	return b.addCut(p)
}

// addCut adds the steps that cut the text at certain characters.
func (b *preBuilder) addCut(p part) error {
	var none partType
	switch p.typ {
	case "Digits":
		var o struct {
			partType
			Individual bool `json:"individual_digits"`
		}
		err := p.options(&o)
		behavior := "Contiguous"
		if o.Individual {
			behavior = "Isolated"
		}
		b.push(splitOn(eachRune(unicode.IsNumber), behavior, false))
		return err
	case "Punctuation":
		o := struct {
			partType
			Behavior string `json:"behavior"`
		}{Behavior: "Isolated"}
		if err := p.options(&o); err != nil {
			return err
		}
		b.push(splitOn(eachRune(isPunctuation), o.Behavior, false))
		return p.checkBehavior(o.Behavior)
	case "Whitespace":
		b.push(splitOn(findWords, "Removed", true))
		return p.options(&none)
	case "WhitespaceSplit":
		b.push(splitOn(eachRune(unicode.IsSpace), "Removed", false))
		return p.options(&none)
	case "CharDelimiterSplit":
		var o struct {
			partType
			Delimiter string `json:"delimiter"`
		}
		if err := p.options(&o); err != nil {
			return err
		}
		if utf8.RuneCountInString(o.Delimiter) != 1 {
			return p.errorf("the delimiter must be one character, is %q", o.Delimiter)
		}
		b.push(splitOn(findString(o.Delimiter), "Removed", false))
		return nil
	case "FixedLength":
		o := struct {
			partType
			Length int `json:"length"`
		}{Length: 5}
		if err := p.options(&o); err != nil {
			return err
		}
		if o.Length < 1 {
			return p.errorf("length must be 1 or more, is %d", o.Length)
		}
		b.push(fixedLength(o.Length))
		return nil
	}
	return p.unsupported(havePreTokenizers)
}

func (b *preBuilder) addByteLevel(p part) error {
	o := struct {
		partType
		AddPrefixSpace bool `json:"add_prefix_space"`
		TrimOffsets    bool `json:"trim_offsets"`
		UseRegex       bool `json:"use_regex"`
	}{UseRegex: true}
	if err := p.options(&o); err != nil {
		return err
	}
	if o.AddPrefixSpace {
		b.push(func(s string, first bool, yield func(string, bool)) {
			if !strings.HasPrefix(s, " ") {
				s = " " + s
			}
			yield(s, first)
		})
	}
	if o.UseRegex {
		b.push(splitOn(eachScan(scanGPT2), "Isolated", false))
	}
	b.settle() // a second ByteLevel spells the first one's characters
	b.bytes = true
	return nil
}

func (b *preBuilder) addSplit(p part) error {
	var o struct {
		partType
		Pattern  textPattern `json:"pattern"`
		Behavior string      `json:"behavior"`
		Invert   bool        `json:"invert"`
	}
	if err := p.options(&o); err != nil {
		return err
	}
	if err := p.checkBehavior(o.Behavior); err != nil {
		return err
	}
	var find finder
	switch {
	case o.Pattern.Regex != nil:
		f, err := compileRegex(*o.Pattern.Regex)
		if err != nil {
			return p.errorf("%v", err)
		}
		find = f
	case o.Pattern.String != nil && *o.Pattern.String != "":
		find = findString(*o.Pattern.String)
	default:
		return p.errorf("the pattern is empty")
	}
	b.push(splitOn(find, o.Behavior, o.Invert))
	return nil
}

func (p part) checkBehavior(behavior string) error {
	switch behavior {
	case "Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext":
		return nil
	}
	return p.errorf("behavior %q is not supported (have: Isolated, Removed, Contiguous, MergedWithPrevious, MergedWithNext)", behavior)
}

// metaspace writes spaces as a visible mark and cuts before each mark.
type metaspace struct {
	mark   string
	scheme string // always, first, never: where a mark is put before the text
	cut    bool
}

func newMetaspace(p part) (metaspace, error) {
	o := struct {
		partType
		Replacement    string  `json:"replacement"`
		AddPrefixSpace *bool   `json:"add_prefix_space"`
		PrependScheme  *string `json:"prepend_scheme"`
		Split          *bool   `json:"split"`
		StrRep         *string `json:"str_rep"`
	}{}
	if err := p.options(&o); err != nil {
		return metaspace{}, err
	}
	m := metaspace{mark: o.Replacement, scheme: "always", cut: true}
	if o.PrependScheme != nil {
		m.scheme = *o.PrependScheme
	}
	if o.AddPrefixSpace != nil && !*o.AddPrefixSpace {
		if o.PrependScheme != nil && m.scheme != "never" {
			return m, p.errorf("add_prefix_space false contradicts prepend_scheme %q", m.scheme)
		}
		m.scheme = "never"
	}
	if o.Split != nil {
		m.cut = *o.Split
	}
	if utf8.RuneCountInString(m.mark) != 1 {
		return m, p.errorf("the replacement must be one character, is %q", m.mark)
	}
	if m.scheme != "always" && m.scheme != "first" && m.scheme != "never" {
		return m, p.errorf("prepend_scheme %q is not supported (have: always, first, never)", m.scheme)
	}
	return m, nil
}

func (m metaspace) split(s string, first bool, yield func(string, bool)) {
	s = strings.ReplaceAll(s, " ", m.mark)
	if !strings.HasPrefix(s, m.mark) && (m.scheme == "always" || m.scheme == "first" && first) {
		s = m.mark + s
	}
	if !m.cut {
		yield(s, first)
		return
	}
	for from := 0; from < len(s); {
		end := len(s)
		if i := strings.Index(s[from+1:], m.mark); i >= 0 {
			end = from + 1 + i
		}
		yield(s[from:end], first && from == 0)
		from = end
	}
}

func fixedLength(n int) preTokenizer {
	return func(s string, first bool, yield func(string, bool)) {
		from, count := 0, 0
		for i := range s {
			if count == n {
				yield(s[from:i], first && from == 0)
				from, count = i, 0
			}
			count++
		}
		yield(s[from:], first && from == 0)
	}
}
