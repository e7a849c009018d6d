package eval

import "math/bits"

// lcs finds longest common subsequences with words of 64 bits (Hyyrö 2004, "Bit-parallel LCS-length computation revisited"): a bit
// stands for a token of the reference, and a prediction's token costs one addition a word. It keeps scratch between texts.
//
// Row j of bits, after the prediction's first j tokens, has a 0 where one more token of the reference makes the longest common
// subsequence with these j tokens longer.
type lcs struct {
	n     int // tokens of the reference
	words int // of a row
	// place is by token its row in masks plus 1, 0 for tokens that the reference does not have. masks have a 1 at each place
	// of a token in the reference.
	place []int32
	masks []uint64
	ref   []int32
	rows  []uint64
}

// reference takes up a reference. Tokens are from a vocabulary.
func (l *lcs) reference(ref []int32) {
	for _, t := range l.ref {
		l.place[t] = 0
	}
	l.ref = append(l.ref[:0], ref...)
	l.n, l.words = len(ref), (len(ref)+63)/64
	l.masks = l.masks[:0]
	for i, t := range ref {
		if int(t) >= len(l.place) {
			l.place = append(l.place, make([]int32, int(t)+1-len(l.place))...)
		}
		if l.place[t] == 0 {
			l.masks = append(l.masks, make([]uint64, l.words)...)
			l.place[t] = int32(len(l.masks) / l.words)
		}
		l.mask(t)[i/64] |= 1 << (i % 64)
	}
}

// mask are the places of a token in the reference, nil if it has none.
func (l *lcs) mask(token int32) []uint64 {
	if int(token) >= len(l.place) || l.place[token] == 0 {
		return nil
	}
	at := int(l.place[token]-1) * l.words
	return l.masks[at : at+l.words]
}

// length is that of the longest common subsequence of the reference and a prediction.
func (l *lcs) length(hyp []int32) int {
	row := l.start(1)
	for _, t := range hyp {
		if m := l.mask(t); m != nil {
			nextRow(row, row, m)
		}
	}
	n := 0
	for i, w := range row {
		n += bits.OnesCount64(^w & l.used(i))
	}
	return n
}

// mark sets in for the reference's tokens that are in its longest common subsequence with hyp. Where several are as long, it takes
// rouge_score's: found from the end, a token of the reference is given up before one of the prediction.
func (l *lcs) mark(hyp []int32, in []bool) {
	rows := l.start(len(hyp) + 1)
	for j, t := range hyp {
		row, next := rows[j*l.words:(j+1)*l.words], rows[(j+1)*l.words:(j+2)*l.words]
		if m := l.mask(t); m != nil {
			nextRow(next, row, m)
		} else {
			copy(next, row)
		}
	}
	for i, j := l.n-1, len(hyp)-1; i >= 0 && j >= 0; {
		switch {
		case l.ref[i] == hyp[j]:
			in[i] = true
			i, j = i-1, j-1
		case rows[(j+1)*l.words+i/64]>>(i%64)&1 == 0: // the prefix of hyp alone makes it this long
			j--
		default:
			i--
		}
	}
}

// start returns rows, the first of them for no token of the prediction.
func (l *lcs) start(rows int) []uint64 {
	if n := rows * l.words; len(l.rows) < n {
		l.rows = make([]uint64, n+n/2)
	}
	out := l.rows[:rows*l.words]
	for i := range l.words {
		out[i] = ^uint64(0)
	}
	return out
}

// used are the bits of word i that stand for tokens.
func (l *lcs) used(i int) uint64 {
	if rest := l.n - i*64; rest < 64 {
		return 1<<rest - 1
	}
	return ^uint64(0)
}

// nextRow takes row one token further, whose places in the reference are mask. next may be row.
func nextRow(next, row, mask []uint64) {
	carry := uint64(0)
	for i, v := range row {
		u := v & mask[i]
		var sum uint64
		sum, carry = bits.Add64(v, u, carry)
		next[i] = sum | v&^u
	}
}
