package tokenizer

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"unicode/utf8"
)

// piece is a token of a Unigram model and the logarithm of its probability.
type piece struct {
	text  string
	score float64
}

// unknownPenalty is how far below the least likely piece an unknown character counts.
const unknownPenalty = 10

// unigram is the Unigram language model (Kudo 2018, arXiv:1804.10959): of all ways to cut a word into pieces the
// most probable one, found by dynamic programming (Viterbi). Between equally probable ones the piece that
// starts first wins.
type unigram struct {
	ids      map[string]int32
	sorted   []string // the pieces in byte order
	scores   []float64
	unk      int32
	unkScore float64
	byteID   []int32 // tokens of the 256 bytes; nil without byte fallback
	cache    wordCache
}

func newUnigram(s *modelSpec) (*unigram, error) {
	pieces := s.Vocab.pieces
	u := &unigram{ids: s.Vocab.ids, scores: make([]float64, len(pieces)), cache: newWordCache()}
	if s.UnkID == nil {
		return nil, fmt.Errorf("model.unk_id is missing: a Unigram model needs a token for characters that it does not know")
	}
	if *s.UnkID < 0 || int(*s.UnkID) >= len(pieces) {
		return nil, fmt.Errorf("model.unk_id is %d, but there are %d tokens", *s.UnkID, len(pieces))
	}
	u.unk = *s.UnkID
	lowest := math.Inf(1)
	for i, p := range pieces {
		if p.score != p.score || math.IsInf(p.score, 0) {
			return nil, fmt.Errorf("model.vocab: the score of %q is %g", p.text, p.score)
		}
		u.scores[i], lowest = p.score, min(lowest, p.score)
		if p.text != "" {
			u.sorted = append(u.sorted, p.text)
		}
	}
	u.unkScore = lowest - unknownPenalty
	slices.Sort(u.sorted)
	if s.ByteFallback {
		u.byteID = make([]int32, 256)
		for i := range u.byteID {
			u.byteID[i] = -1
			if id, ok := u.ids[fmt.Sprintf("<0x%02X>", i)]; ok {
				u.byteID[i] = id
			}
		}
	}
	return u, nil
}

func (u *unigram) encode(out []int32, s string) []int32 {
	ids, slot := u.cache.find(s)
	if ids != nil {
		return append(out, ids...)
	}
	from := len(out)
	out = u.compute(out, s)
	slot.keep(s, out[from:])
	return out
}

// step is the best way to cut a text up to a position: the last piece is id and begins at from.
type step struct {
	score float64
	from  int32
	id    int32
	seen  bool
}

// compute cuts s and appends the ids of the pieces. Unknown characters beside each other become one piece.
func (u *unigram) compute(out []int32, s string) []int32 {
	steps := u.steps(s)
	var cuts []int // from the end
	var ids []int32
	for end := len(s); end > 0; {
		st := steps[end]
		if len(ids) > 0 && st.id == u.unk && ids[len(ids)-1] == u.unk {
			cuts[len(cuts)-1] = int(st.from)
		} else {
			cuts, ids = append(cuts, int(st.from)), append(ids, st.id)
		}
		end = int(st.from)
	}
	for i := len(ids) - 1; i >= 0; i-- {
		end := len(s)
		if i > 0 {
			end = cuts[i-1]
		}
		if ids[i] == u.unk {
			out = u.unknown(out, s[cuts[i]:end])
		} else {
			out = append(out, ids[i])
		}
	}
	return out
}

// steps finds the best last piece for each position in s that a cut can be at.
func (u *unigram) steps(s string) []step {
	steps := make([]step, len(s)+1)
	offer := func(from, end int, id int32, score float64) {
		score += steps[from].score
		if to := &steps[end]; !to.seen || score > to.score {
			*to = step{score, int32(from), id, true}
		}
	}
	for at := 0; at < len(s); {
		_, n := utf8.DecodeRuneInString(s[at:])
		alone := false
		u.prefixes(s[at:], func(p string) {
			id := u.ids[p]
			offer(at, at+len(p), id, u.scores[id])
			alone = alone || len(p) == n
		})
		if !alone {
			offer(at, at+n, u.unk, u.unkScore)
		}
		at += n
	}
	return steps
}

// prefixes calls yield for each piece that s begins with, the shortest first.
func (u *unigram) prefixes(s string, yield func(string)) {
	list := u.sorted
	for i := 0; i < len(s) && len(list) > 0; i++ {
		c := s[i]
		list = list[sort.Search(len(list), func(k int) bool { return len(list[k]) > i && list[k][i] >= c }):]
		list = list[:sort.Search(len(list), func(k int) bool { return list[k][i] > c })]
		if len(list) > 0 && len(list[0]) == i+1 {
			yield(list[0])
		}
	}
}

// unknown appends the ids of a stretch without known characters: the token that is spelled so, which only joined
// stretches can be, its bytes, or the unknown token.
func (u *unigram) unknown(out []int32, s string) []int32 {
	if id, ok := u.ids[s]; ok {
		return append(out, id)
	}
	if u.byteID == nil {
		return append(out, u.unk)
	}
	from := len(out)
	for i := range len(s) {
		id := u.byteID[s[i]]
		if id < 0 {
			return append(out[:from], u.unk)
		}
		out = append(out, id)
	}
	return out
}
