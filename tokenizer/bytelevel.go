package tokenizer

import "strings"

// The byte alphabet of GPT-2 (Radford et al. 2019, encoder.py): every byte has a printable character.
// Printable Latin-1 bytes stand for themselves, the other 68 are numbered from U+0100 on.
var byteToChar, charToByte = byteAlphabet()

func byteAlphabet() (chars [256]rune, bytes map[rune]byte) {
	bytes = make(map[rune]byte, 256)
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if b < '!' || b > '~' && b < 0xA1 || b == 0xAD {
			r = next
			next++
		}
		chars[b] = r
		bytes[r] = byte(b)
	}
	return chars, bytes
}

// toByteAlphabet spells the bytes of s in the byte alphabet.
func toByteAlphabet(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/4)
	for i := range len(s) {
		b.WriteRune(byteToChar[s[i]])
	}
	return b.String()
}
