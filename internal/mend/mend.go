// Package mend repairs text that a wrong encoding or stray characters have damaged, where what it was cannot be doubted.
package mend

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Text returns s with control characters (but tab and line ends), byte order marks, other characters without width and marks of
// direction taken out, and with mojibake turned back: UTF-8 or GBK that was read as Windows-1252 or Latin-1. broken reports damage that
// stays: U+FFFD, which stands for bytes that are lost, or mojibake that may as well be what was meant. Undamaged text comes back as it is.
func Text(s string) (mended string, broken bool) {
	if clean(s) {
		return s, false
	}
	if suspicious(s) {
		for range 3 { // text may have been read wrongly again and again
			next := unmojibake(s)
			if next == s {
				break
			}
			s = next
		}
	}
	s = strip(s)
	return s, strings.ContainsRune(s, utf8.RuneError) || strings.Contains(s, "锟斤拷") || doubtful(s)
}

// clean reports whether s is ASCII without control characters, which most text is.
func clean(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return true
}

// suspicious reports whether s has two neighbouring characters as wrongly read UTF-8 or GBK has.
func suspicious(s string) bool {
	last := false
	for _, r := range s {
		_, is := byteOf(r)
		is = is && r >= utf8.RuneSelf
		if is && last {
			return true
		}
		last = is
	}
	return false
}

// unmojibake turns the runs of characters beyond ASCII that may be bytes back, if the text as a whole leaves no doubt.
func unmojibake(s string) string {
	utf, gbk := verdict(s)
	if !utf && !gbk {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		to, raw := run(s[i:])
		if to == 0 {
			_, to = utf8.DecodeRuneInString(s[i:])
			b.WriteString(s[i : i+to])
		} else if _, _, _, plain := sequences(raw); utf && plain < len(raw) {
			writeUTF8(&b, raw)
		} else if text, _, ok := asGBK(raw); gbk && ok {
			b.WriteString(text)
		} else {
			b.WriteString(s[i : i+to])
		}
		i += to
	}
	return b.String()
}

// verdict reports whether the text is UTF-8 or GBK that was misread. It is UTF-8 if it has a sequence of three or four bytes, which
// no text has by chance, or one of two bytes that begins with Â or Ã, which no language writes before such characters; or if all of its
// characters beyond ASCII are sequences of two bytes, at least two of them, as of Greek and Cyrillic. It is GBK if a run has at
// least three characters, all of them common Chinese ones (the first level of GB 2312) or Chinese punctuation; of three or four
// only if signs such as º or ½ are among the letters as which they were read.
func verdict(s string) (utf, gbk bool) {
	pairs, doubt := 0, false
	for i := 0; i < len(s); {
		to, raw := run(s[i:])
		if to == 0 {
			r, size := utf8.DecodeRuneInString(s[i:])
			doubt = doubt || r >= utf8.RuneSelf
			i += size
			continue
		}
		i += to
		long, latin, two, plain := sequences(raw)
		utf = utf || long > 0 || latin > 0 && plain == 0
		pairs += two
		doubt = doubt || plain > 0
		_, sure, ok := asGBK(raw)
		gbk = gbk || ok && sure
	}
	return utf || pairs >= 2 && !doubt, gbk
}

// sequences counts in bytes, read as UTF-8, the characters of three and more bytes, those of two bytes that begin with Â or Ã, all of
// two bytes, and the bytes that are part of none.
func sequences(raw []byte) (long, latin, two, plain int) {
	for i := 0; i < len(raw); {
		_, size := utf8.DecodeRune(raw[i:])
		switch {
		case size == 1:
			plain++
		case size > 2:
			long++
		default:
			two++
			if raw[i] <= 0xc3 {
				latin++
			}
		}
		i += size
	}
	return long, latin, two, plain
}

// run is the begin of s that is made of characters beyond ASCII which stand for a byte: how long it is, and its bytes.
func run(s string) (length int, raw []byte) {
	for i, r := range s {
		c, ok := byteOf(r)
		if !ok || r < utf8.RuneSelf {
			return i, raw
		}
		raw = append(raw, c)
	}
	return len(s), raw
}

// writeUTF8 writes bytes that are UTF-8; those that are not are the characters as which they were read.
func writeUTF8(b *strings.Builder, raw []byte) {
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		if size == 1 {
			r = charOf(raw[i])
		}
		b.WriteRune(r)
		i += size
	}
}

// asGBK reads bytes as GBK. ok says that all of them are common Chinese characters or punctuation, sure that this is no chance.
func asGBK(raw []byte) (text string, sure, ok bool) {
	if len(raw)%2 != 0 {
		return "", false, false
	}
	han, signs := 0, false
	for i := 0; i < len(raw); i += 2 {
		first, second := raw[i], raw[i+1]
		signs = signs || first < 0xc0 || second < 0xc0
		switch {
		case second < 0xa1 || second == 0xff:
			return "", false, false
		case first >= 0xb0 && first <= 0xd7:
			han++
		case first != 0xa1 && first != 0xa3:
			return "", false, false
		}
	}
	b, err := simplifiedchinese.GBK.NewDecoder().Bytes(raw)
	return string(b), han >= 5 || han >= 3 && signs, err == nil && !strings.ContainsRune(string(b), utf8.RuneError)
}

// windows are the characters of Windows-1252 at 0x80 to 0x9f, where Latin-1 has control characters; 0 where it has none.
var windows = [32]rune{
	'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
	0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ',
}

// byteOf is the byte that Windows-1252 or Latin-1 read as r.
func byteOf(r rune) (byte, bool) {
	if r <= 0xff {
		return byte(r), true
	}
	if r > '™' {
		return 0, false
	}
	for i, w := range windows {
		if w == r {
			return byte(0x80 + i), true
		}
	}
	return 0, false
}

// charOf is the character as which a byte beyond ASCII was read.
func charOf(c byte) rune {
	if c < 0xa0 && windows[c-0x80] != 0 {
		return windows[c-0x80]
	}
	return rune(c)
}

// strip takes out characters that show nothing.
func strip(s string) string {
	if !strings.ContainsFunc(s, invisible) {
		return s
	}
	rightToLeft := strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana)
	})
	return strings.Map(func(r rune) rune {
		if invisible(r) && !(rightToLeft && directs(r)) {
			return -1
		}
		return r
	}, s)
}

func invisible(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 || r == '\ufeff' || r == '\u200b' || r == '\u2060' || directs(r)
}

// directs are the marks of direction, which text from right to left needs.
func directs(r rune) bool {
	return r == '\u200e' || r == '\u200f' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// doubtful reports whether mojibake is left: a lead byte of UTF-8 with what it leads, among characters that may be bytes.
func doubtful(s string) bool {
	for i := 0; i < len(s); {
		to, raw := run(s[i:])
		for j := 0; j+1 < len(raw); j++ {
			if raw[j] == 0xc3 && raw[j+1] >= 0x80 && raw[j+1] <= 0xbf {
				return true
			}
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		i += max(to, size)
	}
	return false
}
