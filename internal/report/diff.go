package report

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// piece is a part of a comparison of two texts: in both, only in the first ("ins"), or only in the second ("del").
type piece struct {
	Op   string
	Text string
}

// The kinds of pieces: what the answer has and the reference lacks, and the other way round.
const (
	same = "same"
	ins  = "ins"
	del  = "del"
)

// word is a unit of comparison: letters and digits in a row, one Chinese or Japanese character, or one other character. space is the white space behind
// it, which is shown and not compared.
type word struct{ text, space string }

// words cuts a text. White space at its very beginning is dropped.
func words(text string) []word {
	var out []word
	start, inWord := 0, false
	flush := func(end int) {
		if start < end {
			out = append(out, word{text: text[start:end]})
		}
		start, inWord = end, false
	}
	for i, r := range text {
		size := utf8.RuneLen(r)
		switch {
		case unicode.IsSpace(r):
			flush(i)
			if len(out) > 0 {
				out[len(out)-1].space += string(r)
			}
			start = i + size
		case ideographic(r) || !wordRune(r):
			flush(i)
			flush(i + size)
		default:
			if !inWord {
				flush(i)
				inWord = true
			}
		}
	}
	flush(len(text))
	return out
}

// ideographic holds for characters of scripts that put no space between words.
func ideographic(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer)
}

func wordRune(r rune) bool {
	return unicode.In(r, unicode.Letter, unicode.Mark, unicode.Number) || r == '\u200d' || r == '\u200c'
}

// count is the length of a text in words, Chinese and Japanese by characters; marks do not count.
func count(text string) int {
	n := 0
	for _, w := range words(text) {
		if r, _ := utf8.DecodeRuneInString(w.text); wordRune(r) {
			n++
		}
	}
	return n
}

// diff compares an answer with its reference, word by word: a longest common subsequence, less the few common words between longer differences,
// which would only break those up.
func diff(answer, reference string) []piece {
	a, b := words(answer), words(reference)
	head := 0
	for head < len(a) && head < len(b) && a[head].text == b[head].text {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail].text == b[len(b)-1-tail].text {
		tail++
	}
	var d differ
	d.keep(a[:head])
	d.middle(a[head:len(a)-tail], b[head:len(b)-tail])
	d.keep(a[len(a)-tail:])
	return d.pieces()
}

// differ gathers stretches of a comparison.
type differ struct{ stretches []stretch }

// stretch is a change, which may be empty, and the words behind it that both texts have.
type stretch struct{ gone, new, common string }

// last is the stretch to add to; a change behind common words begins another one.
func (d *differ) last(change bool) *stretch {
	n := len(d.stretches)
	if n == 0 || change && d.stretches[n-1].common != "" {
		d.stretches = append(d.stretches, stretch{})
		n++
	}
	return &d.stretches[n-1]
}

func (d *differ) keep(ws []word) {
	if len(ws) > 0 {
		d.last(false).common += text(ws)
	}
}

func (d *differ) remove(ws []word) {
	if len(ws) > 0 {
		d.last(true).gone += text(ws)
	}
}

func (d *differ) insert(ws []word) {
	if len(ws) > 0 {
		d.last(true).new += text(ws)
	}
}

func text(ws []word) string {
	var b strings.Builder
	for _, w := range ws {
		b.WriteString(w.text + w.space)
	}
	return b.String()
}

// middle walks along a longest common subsequence of a and b. It takes memory for len(a) × len(b) small numbers: texts are cut before.
func (d *differ) middle(a, b []word) {
	wide := len(b) + 1
	rest := make([]uint16, (len(a)+1)*wide) // length for a[i:] and b[j:]
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i].text == b[j].text {
				rest[i*wide+j] = rest[(i+1)*wide+j+1] + 1
			} else {
				rest[i*wide+j] = max(rest[(i+1)*wide+j], rest[i*wide+j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i].text == b[j].text:
			d.keep(a[i : i+1])
			i, j = i+1, j+1
		case rest[i*wide+j+1] >= rest[(i+1)*wide+j]:
			d.remove(b[j : j+1])
			j++
		default:
			d.insert(a[i : i+1])
			i++
		}
	}
	d.remove(b[j:])
	d.insert(a[i:])
}

// size is the length of the longer side of a change, in characters.
func (s stretch) size() int {
	return max(utf8.RuneCountInString(s.gone), utf8.RuneCountInString(s.new))
}

// island is the length, in characters, up to which common text between two changes may be given up: a word or two, never a phrase.
const island = 12

// pieces are the stretches as one text. Common text between two changes that is an island, and no longer than either of them, is given up for
// one larger change.
func (d *differ) pieces() []piece {
	var joined []stretch
	for _, s := range d.stretches {
		for n := len(joined); n > 0; n-- {
			before := joined[n-1]
			if long := utf8.RuneCountInString(before.common); long > min(island, before.size(), s.size()) {
				break
			}
			s.gone, s.new = before.gone+before.common+s.gone, before.new+before.common+s.new
			joined = joined[:n-1]
		}
		joined = append(joined, s)
	}
	var out []piece
	for _, s := range joined {
		for _, p := range []piece{{del, s.gone}, {ins, s.new}, {same, s.common}} {
			if p.Text != "" {
				out = append(out, p)
			}
		}
	}
	return out
}
