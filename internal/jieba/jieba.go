package jieba

import (
	"math"
	"unicode/utf8"
)

// Cutter cuts texts. It keeps scratch between calls, so that each goroutine needs its own.
type Cutter struct {
	m *model
	// Of the run that is being cut: the characters, and the byte of the text at which each begins, with the end as last entry.
	chars   []rune
	offsets []int
	route   []step
	viterbi [][states]cell
	path    []uint8
}

// step is the best way from a character to the end of the run: its log probability, and where its first word ends.
type step struct {
	score float64
	next  int
}

// NewCutter makes a Cutter. The first call reads the dictionary, which takes some milliseconds.
func NewCutter() *Cutter { return &Cutter{m: load()} }

// Cut appends the words of text to words, which share the text's memory. Put together they are the text again: spaces and
// punctuation are words by character, but "\r\n" is one.
func (c *Cutter) Cut(words []string, text string) []string {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !inRun(r) {
			if r == '\r' && i+1 < len(text) && text[i+1] == '\n' {
				size = 2
			}
			words = append(words, text[i:i+size])
			i += size
			continue
		}
		c.chars, c.offsets = c.chars[:0], c.offsets[:0]
		for ; i < len(text) && inRun(r); r, size = utf8.DecodeRuneInString(text[i:]) {
			c.chars, c.offsets = append(c.chars, r), append(c.offsets, i)
			i += size
		}
		c.offsets = append(c.offsets, i)
		words = c.cutRun(words, text)
	}
	return words
}

func isHan(r rune) bool { return r >= firstHan && r <= lastHan }

func isAlnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// inRun reports whether the dictionary is asked about a character.
func inRun(r rune) bool {
	switch r {
	case '+', '#', '&', '.', '_', '%', '-':
		return true
	}
	return isHan(r) || isAlnum(r)
}

// word is the text of the run's characters from lo to hi-1.
func (c *Cutter) word(text string, lo, hi int) string { return text[c.offsets[lo]:c.offsets[hi]] }

// cutRun appends the words of the run: those of the dictionary's best path, but single characters that follow each other are put to
// the hidden Markov model, unless they make a word of the dictionary together.
func (c *Cutter) cutRun(words []string, text string) []string {
	c.findRoute()
	n, left := len(c.chars), 0 // from left on are single characters
	for i := 0; i < n; {
		next := c.route[i].next
		if next > i+1 {
			words = append(c.cutSingles(words, text, left, i), c.word(text, i, next))
			left = next
		}
		i = next
	}
	return c.cutSingles(words, text, left, n)
}

// findRoute fills route: of all ways to cut the run into words of the dictionary (and into characters that are no words) the most
// probable one. Of equal ways the one whose first word is longest is taken. Sums are rounded as in jieba, which has
// (log frequency - log total) + rest.
func (c *Cutter) findRoute() {
	n := len(c.chars)
	if cap(c.route) < n+1 {
		c.route = make([]step, 2*n+1)
	}
	c.route = c.route[:n+1]
	c.route[n] = step{}
	for i := n - 1; i >= 0; i-- {
		best := step{score: math.Inf(-1)}
		node := uint32(0)
		for k := i; k < n; k++ {
			if node = c.m.child(node, c.chars[k]); node == 0 {
				break
			}
			if w := c.m.weight[node]; w != 0 {
				if score := c.m.weights[w] + c.route[k+1].score; score >= best.score {
					best = step{score, k + 1}
				}
			}
		}
		if best.next == 0 {
			best = step{c.m.weights[0] + c.route[i+1].score, i + 1}
		}
		c.route[i] = best
	}
}

// cutSingles appends the words that the characters from lo to hi-1, each alone on the best path, come to.
func (c *Cutter) cutSingles(words []string, text string, lo, hi int) []string {
	if hi-lo < 2 || c.m.isWord(c.chars[lo:hi]) {
		for i := lo; i < hi; i++ {
			words = append(words, c.word(text, i, i+1))
		}
		return words
	}
	for lo < hi {
		k := lo
		for k < hi && isHan(c.chars[k]) {
			k++
		}
		if k > lo {
			words = c.cutHan(words, text, lo, k)
			lo = k
			continue
		}
		k = c.endOfOther(lo, hi)
		words = append(words, c.word(text, lo, k))
		lo = k
	}
	return words
}

// endOfOther finds the end of the word that begins at lo, not with Han: letters and digits, possibly with a decimal part and a percent
// sign, or a string of other characters.
func (c *Cutter) endOfOther(lo, hi int) int {
	k := lo
	for k < hi && isAlnum(c.chars[k]) {
		k++
	}
	if k == lo {
		for k < hi && !isAlnum(c.chars[k]) && !isHan(c.chars[k]) {
			k++
		}
		return k
	}
	digits := k + 1
	for k < hi && c.chars[k] == '.' && digits < hi && c.chars[digits] >= '0' && c.chars[digits] <= '9' {
		digits++
	}
	if digits > k+1 {
		k = digits
	}
	if k < hi && c.chars[k] == '%' {
		k++
	}
	return k
}
