package tokenizer

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder rewrites the token strings on their way back to text.
type decoder func(tokens []string) []string

const haveDecoders = "Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace, BPEDecoder"

// newDecoder builds the steps of a "decoder"; nil without one.
func newDecoder(raw json.RawMessage) ([]decoder, error) {
	p, ok, err := openPart(raw, "decoder")
	if err != nil || !ok {
		return nil, err
	}
	list := []decoder{}
	var add func(p part) error
	add = func(p part) error {
		if p.typ == "Sequence" {
			var o struct {
				partType
				Decoders []json.RawMessage `json:"decoders"`
			}
			if err := p.options(&o); err != nil {
				return err
			}
			return p.each(o.Decoders, "decoders", add)
		}
		d, err := newDecoderStep(p)
		list = append(list, d)
		return err
	}
	err = add(p)
	return list, err
}

func newDecoderStep(p part) (decoder, error) {
	var none partType
	switch p.typ {
	case "ByteLevel":
		var o struct {
			partType
			AddPrefixSpace *bool `json:"add_prefix_space"`
			TrimOffsets    *bool `json:"trim_offsets"`
			UseRegex       *bool `json:"use_regex"`
		}
		return decodeByteLevel, p.options(&o)
	case "ByteFallback":
		return decodeByteFallback, p.options(&none)
	case "Fuse":
		return func(toks []string) []string { return []string{strings.Join(toks, "")} }, p.options(&none)
	case "Replace":
		f, err := newReplace(p)
		return eachToken(f), err
	case "Strip":
		return newStrip(p)
	case "Metaspace":
		m, err := newMetaspace(p)
		return m.decode, err
	case "BPEDecoder":
		return newSuffixDecoder(p)
	}
	return nil, p.unsupported(haveDecoders)
}

// newStrip takes up to start times content from the front of each token and up to stop times from its end.
func newStrip(p part) (decoder, error) {
	var o struct {
		partType
		Content string `json:"content"`
		Start   int    `json:"start"`
		Stop    int    `json:"stop"`
	}
	if err := p.options(&o); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(o.Content) != 1 || o.Start < 0 || o.Stop < 0 {
		return nil, p.errorf("content must be one character, start and stop 0 or more: %q, %d, %d", o.Content, o.Start, o.Stop)
	}
	return eachToken(func(s string) string {
		for n := 0; n < o.Start && strings.HasPrefix(s, o.Content); n++ {
			s = s[len(o.Content):]
		}
		for n := 0; n < o.Stop && strings.HasSuffix(s, o.Content); n++ {
			s = s[:len(s)-len(o.Content)]
		}
		return s
	}), nil
}

// newSuffixDecoder turns the mark at the end of words into a space.
func newSuffixDecoder(p part) (decoder, error) {
	o := struct {
		partType
		Suffix string `json:"suffix"`
	}{Suffix: "</w>"}
	if err := p.options(&o); err != nil {
		return nil, err
	}
	if o.Suffix == "" {
		return nil, p.errorf("the suffix is empty")
	}
	return func(toks []string) []string {
		for i := range toks {
			by := " "
			if i == len(toks)-1 {
				by = ""
			}
			toks[i] = strings.ReplaceAll(toks[i], o.Suffix, by)
		}
		return toks
	}, nil
}

func eachToken(f func(string) string) decoder {
	return func(toks []string) []string {
		for i := range toks {
			toks[i] = f(toks[i])
		}
		return toks
	}
}

// decodeByteLevel joins the bytes the tokens spell. A token with a character outside the byte alphabet
// stands for itself.
func decodeByteLevel(toks []string) []string {
	var buf []byte
	for _, tok := range toks {
		start := len(buf)
		for _, r := range tok {
			b, ok := charToByte[r]
			if !ok {
				buf = append(buf[:start], tok...)
				break
			}
			buf = append(buf, b)
		}
	}
	return []string{replaceInvalid(buf)}
}

// replaceInvalid makes buf UTF-8: each maximal part of a broken character becomes one U+FFFD (Unicode
// 16, §3.9, "substitution of maximal subparts").
func replaceInvalid(buf []byte) string {
	if utf8.Valid(buf) {
		return string(buf)
	}
	var b strings.Builder
	for len(buf) > 0 {
		r, n := utf8.DecodeRune(buf)
		if r == utf8.RuneError && n == 1 {
			n = brokenLen(buf)
			b.WriteString("\uFFFD")
		} else {
			b.Write(buf[:n])
		}
		buf = buf[n:]
	}
	return b.String()
}

// brokenLen is the length of the longest start of a valid character at the start of buf, at least 1.
func brokenLen(buf []byte) int {
	need, low, high := 0, byte(0x80), byte(0xBF)
	switch c := buf[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c == 0xE0:
		need, low = 2, 0xA0
	case c == 0xED:
		need, high = 2, 0x9F
	case c >= 0xE1 && c <= 0xEF:
		need = 2
	case c == 0xF0:
		need, low = 3, 0x90
	case c == 0xF4:
		need, high = 3, 0x8F
	case c >= 0xF1 && c <= 0xF3:
		need = 3
	}
	n := 1
	for n <= need && n < len(buf) && buf[n] >= low && buf[n] <= high {
		n++
		low, high = 0x80, 0xBF
	}
	return n
}

// decodeByteFallback joins runs of tokens like <0xE4> to text; a run that is not UTF-8 becomes one
// U+FFFD a byte.
func decodeByteFallback(toks []string) []string {
	var out []string
	var run []byte
	flush := func() {
		if utf8.Valid(run) {
			if len(run) > 0 {
				out = append(out, string(run))
			}
		} else {
			for range run {
				out = append(out, "\uFFFD")
			}
		}
		run = run[:0]
	}
	for _, tok := range toks {
		if b, ok := byteToken(tok); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, tok)
	}
	flush()
	return out
}

// byteToken reads a token of the form <0xE4>.
func byteToken(tok string) (byte, bool) {
	if len(tok) != 6 || !strings.HasPrefix(tok, "<0x") || tok[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(tok[3:5], 16, 8)
	return byte(b), err == nil
}

func (m metaspace) decode(toks []string) []string {
	for i := range toks {
		by := " "
		if i == 0 && m.scheme != "never" {
			by = ""
		}
		toks[i] = strings.ReplaceAll(toks[i], m.mark, by)
	}
	return toks
}
