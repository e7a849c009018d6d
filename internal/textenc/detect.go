package textenc

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// unmarkedUTF16 tells UTF-16 without a byte order mark by its zero bytes; empty if the text, which begins with head, is something else.
//
// A text of whatever script has some ASCII, if only line ends, quotes and commas, and each is a zero byte in the higher half. Text of one
// byte a character has none, or stray ones; all of it is valid UTF-8 then, unless most of its characters have a zero byte.
func unmarkedUTF16(head []byte) string {
	zeros := bytes.Count(head, []byte{0})
	if zeros == 0 || len(head) < 4 {
		return ""
	}
	if validUTF8(head) && 4*zeros < len(head) {
		return ""
	}
	best, most := "", 0
	for _, e := range []struct {
		name  string
		order binary.ByteOrder
	}{{UTF16LE, binary.LittleEndian}, {UTF16BE, binary.BigEndian}} {
		ascii, ok := asUTF16(head, e.order)
		if ok && ascii > most {
			best, most = e.name, ascii
		}
	}
	if units := len(head) / 2; 50*most < units {
		return ""
	}
	return best
}

// asUTF16 counts the ASCII characters of head; false if it holds what no text has.
func asUTF16(head []byte, order binary.ByteOrder) (ascii int, ok bool) {
	for i := 0; i+2 <= len(head); i += 2 {
		u := rune(order.Uint16(head[i:]))
		switch {
		case u == 0 || u == 0xfffe || u == 0xffff:
			return 0, false
		case utf16.IsSurrogate(u):
			if i+4 <= len(head) && utf16.DecodeRune(u, rune(order.Uint16(head[i+2:]))) == utf8.RuneError {
				return 0, false
			}
			i += 2
		case u < utf8.RuneSelf:
			if u < ' ' && !strings.ContainsRune("\t\n\r", u) {
				return 0, false
			}
			ascii++
		}
	}
	return ascii, true
}

// validUTF8 is utf8.Valid but for a character that is cut off at the end.
func validUTF8(b []byte) bool {
	_, bad := countUTF8(b)
	return bad == 0
}

// countUTF8 counts characters of more than one byte, and bytes that are none. A character that is cut off at the end is neither.
func countUTF8(b []byte) (chars, bad int) {
	for len(b) > 0 {
		c, size := utf8.DecodeRune(b)
		switch {
		case c != utf8.RuneError || size > 1:
			if size > 1 {
				chars++
			}
		case !utf8.FullRune(b):
			return chars, bad
		default:
			bad++
		}
		b = b[size:]
	}
	return chars, bad
}

// choose tells UTF-8 and GB18030 apart by text that begins at its first byte that is not ASCII; empty if it is neither. Few bad bytes in
// much text are a damaged file, not another encoding.
func choose(text []byte) string {
	chars, bad := countUTF8(text)
	if bad == 0 {
		return UTF8
	}
	if chinese(text) {
		return GB18030
	}
	if chars >= 10*bad {
		return UTF8
	}
	return ""
}

// common are characters that any Chinese text is full of: about a third of its characters.
const common = "的一是不了在人有我他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面"

// chinese reports whether text reads as Chinese in GB18030: nearly all of it has the form, nearly all characters are those of GB 2312 that
// Chinese uses, and among many of them the common ones are not rare. So neither Latin-1, nor Japanese, nor Korean pass for it, of which the last
// has bytes of the same form.
func chinese(text []byte) bool {
	const enough = 200 // characters by which frequencies can be judged
	var chars, bad, plausible, han int
	var hanzi []byte
	for len(text) > 0 {
		size, valid := unit(text)
		if size == 0 {
			break
		}
		c := text[:size]
		text = text[size:]
		switch {
		case !valid:
			bad++
		case size > 1:
			chars++
			first := c[0] >= 0xb0 && c[0] <= 0xd7 && c[1] >= 0xa1 // level 1 of GB 2312, by frequency of use
			if first {
				han++
				hanzi = append(hanzi, c...)
			}
			if first || c[0] == 0xa1 && c[1] >= 0xa1 || c[0] == 0xa3 && c[1] >= 0xa1 { // punctuation, full-width forms
				plausible++
			}
		}
	}
	if han == 0 || 100*bad > chars || 10*plausible < 8*chars {
		return false
	}
	if han < enough {
		return true
	}
	hits := 0
	for _, c := range string(appendGB(nil, hanzi)) {
		if unicode.Is(unicode.Han, c) && strings.ContainsRune(common, c) {
			hits++
		}
	}
	return 100*hits >= 8*han
}
