package eval

import "math"

// Tercom's limits, and those that sacrebleu adds.
const (
	shiftSize       = 10   // words that are shifted together
	shiftDistance   = 50   // places that they are shifted over
	editBeam        = 25   // cells of a row on either side of the diagonal
	shiftCandidates = 1000 // shifts that are tried for a pair of texts
)

// unreached is the cost of cells outside of the beam.
const unreached = math.MaxInt32 / 2

// shifter counts the edits that turn a text into a reference: insertions, deletions and substitutions of a word and shifts of a
// phrase, each 1. Shifts are searched greedily as Tercom does and sacrebleu after it: the one that makes the edit distance smallest
// is made, until none makes it smaller. It keeps scratch between texts.
type shifter struct {
	hyp, ref []int32
	// rows are the edit distances of each beginning of hyp from each beginning of ref, len(ref)+1 a row, trial those of a
	// shifted text.
	rows, trial []int32
	tried       int
	moved       []int32 // a shifted text
	// By the alignment of hyp with ref: which words are wrong, and for each word of ref the word of hyp, -1 before the first.
	hypWrong, refWrong []bool
	align              []int
}

// count returns the number of edits.
func (s *shifter) count(hyp, ref []int32) int {
	if len(ref) == 0 {
		return len(hyp)
	}
	s.hyp, s.ref, s.tried = append(s.hyp[:0], hyp...), ref, 0
	s.rows, s.trial = s.table(s.rows), s.table(s.trial)
	shifts := 0
	s.distance(s.rows, s.hyp, 0)
	for {
		best := s.bestShift()
		if s.tried >= shiftCandidates || best.gain <= 0 {
			break
		}
		shifts++
		s.hyp = best.apply(nil, s.hyp)
		lo, _ := best.span(len(s.hyp))
		s.distance(s.rows, s.hyp, lo)
	}
	return shifts + int(s.rows[len(s.rows)-1])
}

// table makes room for the distances of hyp from ref, with the row for no word of hyp.
func (s *shifter) table(rows []int32) []int32 {
	n := (len(s.hyp) + 1) * (len(s.ref) + 1)
	if cap(rows) < n {
		rows = make([]int32, n+n/2)
	}
	rows = rows[:n]
	for j := range len(s.ref) + 1 {
		rows[j] = int32(j)
	}
	return rows
}

// beam is the part of row i of a table that is computed, lo to hi-1: near the diagonal, but up to its end in the last row.
func (s *shifter) beam(i int) (lo, hi int) {
	ratio := float64(len(s.ref)) / float64(len(s.hyp))
	width := editBeam
	if editBeam < ratio/2 {
		width = int(math.Ceil(ratio/2 + editBeam))
	}
	diagonal := int(math.Floor(float64(i) * ratio))
	lo, hi = max(0, diagonal-width), min(len(s.ref)+1, diagonal+width)
	if i == len(s.hyp) {
		hi = len(s.ref) + 1
	}
	return lo, hi
}

// distance fills the rows of words behind the first same ones.
func (s *shifter) distance(rows, words []int32, same int) {
	for i := same + 1; i <= len(words); i++ {
		s.row(rows, words, i)
	}
}

// row fills row i, the distances of the first i words, from the row before.
func (s *shifter) row(rows, words []int32, i int) {
	width := len(s.ref) + 1
	before, row := rows[(i-1)*width:i*width], rows[i*width:(i+1)*width]
	lo, hi := s.beam(i)
	for j := range row[:lo] {
		row[j] = unreached
	}
	for j := range row[hi:] {
		row[hi+j] = unreached
	}
	word, left := words[i-1], int32(unreached)
	if lo == 0 {
		left = before[0] + 1
		row[0] = left
		lo = 1
	}
	diagonal := before[lo-1]
	for j := lo; j < hi; j++ {
		above := before[j]
		cost := diagonal
		if word != s.ref[j-1] {
			cost++
		}
		left = min(cost, above+1, left+1)
		row[j] = left
		diagonal = above
	}
}

// alignment reads from the distances which words of hyp and ref belong together. Where several alignments cost the same, a pair is
// preferred to a word of hyp left out, and that to a word of ref left out.
func (s *shifter) alignment() {
	width := len(s.ref) + 1
	s.hypWrong = append(s.hypWrong[:0], make([]bool, len(s.hyp))...)
	s.refWrong = append(s.refWrong[:0], make([]bool, len(s.ref))...)
	s.align = append(s.align[:0], make([]int, len(s.ref))...)
	i, j := len(s.hyp), len(s.ref)
	for i > 0 || j > 0 {
		if i > 0 && j > 0 {
			cost := s.rows[(i-1)*width+j-1]
			wrong := s.hyp[i-1] != s.ref[j-1]
			if wrong {
				cost++
			}
			if cost == s.rows[i*width+j] {
				s.hypWrong[i-1], s.refWrong[j-1], s.align[j-1] = wrong, wrong, i-1
				i, j = i-1, j-1
				continue
			}
		}
		if i > 0 && (j == 0 || s.rows[(i-1)*width+j]+1 == s.rows[i*width+j]) {
			s.hypWrong[i-1] = true
			i--
		} else {
			s.refWrong[j-1], s.align[j-1] = true, i-1
			j--
		}
	}
}

// shift moves length words that begin at from to before the word at to.
type shift struct{ gain, length, from, to int }

// before reports whether s is taken rather than o: for its gain, then for its length, then for being early.
func (s shift) before(o shift) bool {
	switch {
	case s.gain != o.gain:
		return s.gain > o.gain
	case s.length != o.length:
		return s.length > o.length
	case s.from != o.from:
		return s.from < o.from
	}
	return s.to < o.to
}

// span is the part of the text of n words that the shift changes, lo to hi-1: the phrase and the words that it changes places with. A
// place inside of the phrase shifts it by so many words.
func (s shift) span(n int) (lo, hi int) {
	switch end := s.from + s.length; {
	case s.to < s.from:
		return s.to, end
	case s.to > end:
		return s.from, s.to
	default:
		return s.from, min(end+s.to-s.from, n)
	}
}

// apply appends the shifted words to out.
func (s shift) apply(out, words []int32) []int32 {
	lo, hi := s.span(len(words))
	middle := s.from + s.length // of the two parts that change places
	if s.to < s.from {
		middle = s.from
	}
	out = append(append(out, words[:lo]...), words[middle:hi]...)
	return append(append(out, words[lo:middle]...), words[hi:]...)
}

// bestShift tries the shifts of phrases that are in hyp and ref, at different places, where both have something wrong. Without one
// its gain is 0.
func (s *shifter) bestShift() shift {
	s.alignment()
	var best shift
	for from := range s.hyp {
		for at := max(0, from-shiftDistance); at < min(len(s.ref), from+shiftDistance+1); at++ {
			hypWrong, refWrong := false, false
			for n := 0; n < shiftSize && from+n < len(s.hyp) && at+n < len(s.ref) && s.hyp[from+n] == s.ref[at+n]; n++ {
				hypWrong, refWrong = hypWrong || s.hypWrong[from+n], refWrong || s.refWrong[at+n]
				length := n + 1
				if !hypWrong || !refWrong || s.align[at] >= from && s.align[at] < from+length {
					continue
				}
				s.tryShifts(&best, from, at, length)
				if s.tried >= shiftCandidates {
					return best
				}
			}
		}
	}
	return best
}

// tryShifts tries the phrase at each place to which its words in ref, and the word before them, are aligned.
func (s *shifter) tryShifts(best *shift, from, at, length int) {
	last := -1
	for offset := -1; offset < length; offset++ {
		to := 0
		if at+offset >= 0 {
			to = s.align[at+offset] + 1
		}
		if to == last {
			continue
		}
		last = to
		try := shift{length: length, from: from, to: to}
		try.gain = int(s.rows[len(s.rows)-1]) - s.distanceOf(try)
		s.tried++
		if *best == (shift{}) || try.before(*best) {
			*best = try
		}
	}
}

// distanceOf is the edit distance after a shift. Up to the shifted part its rows are those of hyp. Behind it, they are those of hyp
// plus a constant as soon as one row is, and then the constant is the difference at the end, too.
func (s *shifter) distanceOf(try shift) int {
	s.moved = try.apply(s.moved[:0], s.hyp)
	width := len(s.ref) + 1
	lo, hi := try.span(len(s.hyp))
	copy(s.trial[lo*width:(lo+1)*width], s.rows[lo*width:(lo+1)*width])
	for i := lo + 1; i <= len(s.hyp); i++ {
		s.row(s.trial, s.moved, i)
		if i >= hi {
			if d, ok := s.constant(i); ok {
				return int(s.rows[len(s.rows)-1] + d)
			}
		}
	}
	return int(s.trial[len(s.trial)-1])
}

// constant reports whether row i of the trial is that of hyp plus a constant, and gives the constant.
func (s *shifter) constant(i int) (int32, bool) {
	width := len(s.ref) + 1
	lo, hi := s.beam(i)
	a, b := s.trial[i*width+lo:i*width+hi], s.rows[i*width+lo:i*width+hi]
	d := a[0] - b[0]
	for j, v := range a {
		if v-b[j] != d {
			return 0, false
		}
	}
	return d, true
}
