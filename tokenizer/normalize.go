package tokenizer

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizer is a chain of rewrites of the text.
type normalizer struct {
	steps  []func(string) string
	strips bool // characters at the beginning may be taken away
}

func (n *normalizer) push(f func(string) string) { n.steps = append(n.steps, f) }

func (n normalizer) apply(s string) string {
	for _, f := range n.steps {
		s = f(s)
	}
	return s
}

const haveNormalizers = "Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip, StripAccents, ByteLevel, Precompiled"

// newNormalizer builds the chain of a "normalizer" step.
func newNormalizer(raw json.RawMessage) (normalizer, error) {
	var n normalizer
	p, ok, err := openPart(raw, "normalizer")
	if err == nil && ok {
		err = n.add(p)
	}
	return n, err
}

func (n *normalizer) add(p part) error {
	var none partType
	switch p.typ {
	case "Sequence":
		var o struct {
			partType
			Normalizers []json.RawMessage `json:"normalizers"`
		}
		if err := p.options(&o); err != nil {
			return err
		}
		return p.each(o.Normalizers, "normalizers", n.add)
	case "NFC", "NFD", "NFKC", "NFKD":
		n.push(unicodeForms[p.typ].String)
		return p.options(&none)
	case "Lowercase":
		n.push(lower)
		return p.options(&none)
	case "StripAccents":
		n.push(stripMarks)
		n.strips = true
		return p.options(&none)
	case "ByteLevel":
		n.push(toByteAlphabet)
		return p.options(&none)
	case "Prepend":
		var o struct {
			partType
			Prepend string `json:"prepend"`
		}
		n.push(func(s string) string {
			if s == "" {
				return s
			}
			return o.Prepend + s
		})
		return p.options(&o)
	case "Replace":
		f, err := newReplace(p)
		n.push(f)
		return err
	case "Precompiled":
		f, err := newCharsMap(p)
		n.push(f)
		return err
	case "Strip":
		var o struct {
			partType
			Left  bool `json:"strip_left"`
			Right bool `json:"strip_right"`
		}
		n.push(func(s string) string {
			if o.Left {
				s = strings.TrimLeftFunc(s, unicode.IsSpace)
			}
			if o.Right {
				s = strings.TrimRightFunc(s, unicode.IsSpace)
			}
			return s
		})
		err := p.options(&o)
		n.strips = n.strips || o.Left
		return err
	}
	return p.unsupported(haveNormalizers)
}

var unicodeForms = map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}

// newReplace builds the rewrite that is both a normalizer and a decoder: every match becomes content.
func newReplace(p part) (func(string) string, error) {
	var o struct {
		partType
		Pattern textPattern `json:"pattern"`
		Content string      `json:"content"`
	}
	if err := p.options(&o); err != nil {
		return nil, err
	}
	switch {
	case o.Pattern.String != nil && *o.Pattern.String != "":
		return func(s string) string { return strings.ReplaceAll(s, *o.Pattern.String, o.Content) }, nil
	case o.Pattern.Regex != nil:
		find, err := compileRegex(*o.Pattern.Regex)
		if err != nil {
			return nil, p.errorf("%v", err)
		}
		return func(s string) string {
			var b strings.Builder
			from := 0
			find(s, func(start, end int) {
				b.WriteString(s[from:start])
				b.WriteString(o.Content)
				from = end
			})
			b.WriteString(s[from:])
			return b.String()
		}, nil
	}
	return nil, p.errorf("the pattern is empty")
}

// keepsStart reports whether normalized begins with what s began with: to the reference a text whose first character was
// taken away does not begin where the text begins.
func (n normalizer) keepsStart(s, normalized string) bool {
	if !n.strips {
		return true
	}
	a, _ := utf8.DecodeRuneInString(s)
	b, _ := utf8.DecodeRuneInString(normalized)
	return a == b
}

// lower maps every character by itself, without the context rule for a final sigma. U+0130 is the one
// character whose lower case is two.
func lower(s string) string {
	if strings.ContainsRune(s, 'İ') {
		s = strings.ReplaceAll(s, "İ", "i\u0307")
	}
	return strings.Map(unicode.ToLower, s)
}

func stripMarks(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.M, r) {
			return -1
		}
		return r
	}, s)
}
