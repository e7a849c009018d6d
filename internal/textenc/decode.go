package textenc

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

func (r *Reader) utf16le(src []byte, end bool) int { return r.utf16(src, end, binary.LittleEndian) }
func (r *Reader) utf16be(src []byte, end bool) int { return r.utf16(src, end, binary.BigEndian) }

// utf16 decodes units of two bytes. A surrogate without its other half is Bad.
func (r *Reader) utf16(src []byte, end bool, order binary.ByteOrder) int {
	i := 0
	for ; i+2 <= len(src); i += 2 {
		u := rune(order.Uint16(src[i:]))
		if !utf16.IsSurrogate(u) {
			r.out = utf8.AppendRune(r.out, u)
			continue
		}
		if i+4 > len(src) {
			if !end {
				return i
			}
			r.cutOff()
			return len(src)
		}
		if u = utf16.DecodeRune(u, rune(order.Uint16(src[i+2:]))); u == utf8.RuneError {
			r.out = append(r.out, Bad)
			continue
		}
		r.out = utf8.AppendRune(r.out, u)
		i += 2
	}
	if end && i < len(src) {
		r.cutOff()
		return len(src)
	}
	return i
}

// replacement is what golang.org/x/text puts for bytes without a character, and the bytes of GB18030 that mean it.
var (
	replacement      = []byte("\ufffd")
	replacementCoded = []byte("\x84\x31\xa4\x37")
)

// gb18030 decodes characters of one, two or four bytes.
func (r *Reader) gb18030(src []byte, end bool) int {
	n, ok := 0, true
	for n < len(src) {
		size, valid := unit(src[n:])
		if size == 0 {
			break
		}
		ok = ok && valid
		n += size
	}
	from := len(r.out)
	if ok {
		r.out = appendGB(r.out, src[:n])
	}
	if !ok || bytes.Contains(r.out[from:], replacement) { // which of them are none
		r.out = r.out[:from]
		for i := 0; i < n; {
			size, valid := unit(src[i:n])
			at := len(r.out)
			if valid {
				r.out = appendGB(r.out, src[i:i+size])
			}
			if !valid || bytes.Equal(r.out[at:], replacement) && !bytes.Equal(src[i:i+size], replacementCoded) {
				r.out = append(r.out[:at], Bad)
			}
			i += size
		}
	}
	if end && n < len(src) {
		r.cutOff()
		return len(src)
	}
	return n
}

// appendGB decodes whole characters.
func appendGB(dst, src []byte) []byte {
	need := 3*len(src) + utf8.UTFMax
	if cap(dst)-len(dst) < need {
		dst = append(make([]byte, 0, len(dst)+need), dst...)
	}
	n, _, _ := simplifiedchinese.GB18030.NewDecoder().Transform(dst[len(dst):cap(dst)], src, true) // there is room for all of it
	return dst[:len(dst)+n]
}

// unit is the size of the first character and whether it has the form of one; a byte that has not counts alone, so that the ASCII behind it
// stays what it is. Size 0: src ends inside of it.
func unit(src []byte) (size int, valid bool) {
	trail := func(i int, lo, hi byte) bool { return i >= len(src) || src[i] >= lo && src[i] <= hi }
	switch c := src[0]; {
	case c <= 0x80: // 0x80 is the euro sign of code page 936
		return 1, true
	case c == 0xff:
		return 1, false
	case len(src) == 1:
		return 0, false
	case trail(1, '0', '9'):
		if !trail(2, 0x81, 0xfe) || !trail(3, '0', '9') {
			return 1, false
		}
		if len(src) < 4 {
			return 0, false
		}
		return 4, true
	case trail(1, 0x40, 0x7e) || trail(1, 0x80, 0xfe):
		return 2, true
	}
	return 1, false
}
