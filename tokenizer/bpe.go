package tokenizer

import (
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// bpe is byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909): the symbols of a word are joined pair
// by pair, the pair with the lowest rank first, the leftmost of equals.
type bpe struct {
	vocab        map[string]int32
	pairs        pairTable
	bytes        bool       // words are bytes, spelled in the byte alphabet in the vocabulary
	byteID       [256]int32 // token of a byte of a word (bytes) or of a byte that has no character (fallback)
	fallback     bool
	unk          int32 // -1: unknown characters are left out
	fuseUnk      bool
	ignoreMerges bool // a word that is a token is that token
	mark         string
	cache        wordCache
}

// newBPE builds the model of s. bytesLast says that the pre-tokenizer ends in the byte alphabet; the
// result tells whether the model took it over.
func newBPE(s *modelSpec, bytesLast bool) (*bpe, error) {
	b := &bpe{vocab: s.Vocab.ids, unk: -1, fuseUnk: s.FuseUnk, fallback: s.ByteFallback, ignoreMerges: s.IgnoreMerges, cache: newWordCache()}
	if s.UnkID != nil {
		return nil, fmt.Errorf("model.unk_id is an option of Unigram models, not of BPE")
	}
	if s.Dropout != nil && *s.Dropout != 0 {
		return nil, fmt.Errorf("model.dropout %g is not supported: encoding would be random", *s.Dropout)
	}
	for name, v := range map[string]*string{"continuing_subword_prefix": s.SubwordPrefix, "end_of_word_suffix": s.WordSuffix} {
		if v != nil && *v != "" {
			return nil, fmt.Errorf("model.%s %q is not supported", name, *v)
		}
	}
	if s.UnkToken != nil {
		if id, ok := s.Vocab.ids[*s.UnkToken]; ok {
			b.unk = id
		}
	}
	if err := b.addMerges(s); err != nil {
		return nil, err
	}
	b.bytes = bytesLast && b.byteTokens()
	if s.UnkToken != nil && b.unk < 0 && !b.bytes {
		return nil, fmt.Errorf("model.unk_token %q is not in the vocabulary", *s.UnkToken)
	}
	if b.fallback && !b.bytes {
		for i := range b.byteID {
			b.byteID[i] = -1
			if id, ok := b.vocab[fmt.Sprintf("<0x%02X>", i)]; ok {
				b.byteID[i] = id
			}
		}
	}
	if !b.bytes {
		b.mark = b.findMark(s.Merges)
	}
	return b, nil
}

// byteTokens looks up the tokens of the 256 bytes. It reports whether words can be taken as bytes: all
// have one, or those that have none are just left out.
func (b *bpe) byteTokens() bool {
	all := true
	for i := range b.byteID {
		id, ok := b.vocab[string(byteToChar[i])]
		if !ok {
			id, all = -1, false
		}
		b.byteID[i] = id
	}
	return all || b.unk < 0 && !b.fallback
}

func (b *bpe) addMerges(s *modelSpec) error {
	b.pairs = newPairTable(len(s.Merges))
	var joined []byte
	for i, m := range s.Merges {
		left, ok := s.Vocab.ids[m[0]]
		if !ok {
			return fmt.Errorf("model.merges[%d]: %q is not in the vocabulary", i, m[0])
		}
		right, ok := s.Vocab.ids[m[1]]
		if !ok {
			return fmt.Errorf("model.merges[%d]: %q is not in the vocabulary", i, m[1])
		}
		joined = append(append(joined[:0], m[0]...), m[1]...)
		id, ok := s.Vocab.ids[string(joined)]
		if !ok {
			return fmt.Errorf("model.merges[%d]: %q is not in the vocabulary", i, joined)
		}
		rank := int32(i)
		if s.ranks != nil {
			rank = s.ranks[i]
		}
		b.pairs.put(left, right, pairMerge{rank, id}, !s.firstMergeCounts)
	}
	return nil
}

// spaceMark is how SentencePiece writes a space.
const spaceMark = "▁"

// findMark returns the space mark if no merge joins something to a mark on its right: then a text can
// be cut before each mark that follows another character, and the words looked up in the cache, without
// changing which merges happen. Otherwise it returns "".
func (b *bpe) findMark(merges mergeList) string {
	if _, ok := b.vocab[spaceMark]; !ok {
		return ""
	}
	for _, m := range merges {
		if strings.HasPrefix(m[1], spaceMark) && !strings.HasSuffix(m[0], spaceMark) {
			return ""
		}
	}
	return spaceMark
}

// encode appends the ids of s to out.
func (b *bpe) encode(out []int32, s string) []int32 {
	if b.mark == "" {
		return b.word(out, s)
	}
	if b.ignoreMerges {
		if id, ok := b.vocab[s]; ok {
			return append(out, id)
		}
	}
	from := 0
	for i := 0; i < len(s); {
		k := strings.Index(s[i:], b.mark)
		if k < 0 {
			break
		}
		if i+k > from && k > 0 {
			out = b.word(out, s[from:i+k])
			from = i + k
		}
		i += k + len(b.mark)
	}
	return b.word(out, s[from:])
}

// word encodes a stretch that merges do not leave.
func (b *bpe) word(out []int32, w string) []int32 {
	ids, slot := b.cache.find(w)
	if ids != nil {
		return append(out, ids...)
	}
	from := len(out)
	out = b.compute(out, w)
	slot.keep(w, out[from:])
	return out
}

func (b *bpe) compute(out []int32, w string) []int32 {
	if b.ignoreMerges && b.mark == "" {
		key := w
		if b.bytes {
			key = toByteAlphabet(w)
		}
		if id, ok := b.vocab[key]; ok {
			return append(out, id)
		}
	}
	from := len(out)
	if b.bytes {
		for i := range len(w) {
			if id := b.byteID[w[i]]; id >= 0 {
				out = append(out, id)
			}
		}
	} else {
		out = b.symbols(out, w)
	}
	n := b.pairs.join(out[from:])
	return out[:from+n]
}

// symbols appends the token of each character; for a character without one its bytes (fallback) or the
// unknown token, several in a row as one if fuseUnk.
func (b *bpe) symbols(out []int32, w string) []int32 {
	pending := false // an unknown token that may still grow
	for i := 0; i < len(w); {
		_, n := utf8.DecodeRuneInString(w[i:])
		c := w[i : i+n]
		i += n
		id, known := b.vocab[c]
		switch {
		case known:
			if pending {
				out = append(out, b.unk)
				pending = false
			}
			out = append(out, id)
		case b.fallback && b.hasBytes(c):
			// a pending unknown stays pending and comes after the bytes: the reference has it so
			for k := range len(c) {
				out = append(out, b.byteID[c[k]])
			}
		case b.unk >= 0:
			if pending && !b.fuseUnk {
				out = append(out, b.unk)
			}
			pending = true
		}
	}
	if pending {
		out = append(out, b.unk)
	}
	return out
}

func (b *bpe) hasBytes(c string) bool {
	for i := range len(c) {
		if b.byteID[c[i]] < 0 {
			return false
		}
	}
	return true
}

// pairMerge is what a pair of tokens becomes and how early.
type pairMerge struct{ rank, id int32 }

// pairTable maps a pair of ids to its merge: open addressing, at most half full.
type pairTable struct {
	keys  []uint64 // left<<32|right + 1, 0 = free
	vals  []pairMerge
	shift int
}

func newPairTable(n int) pairTable {
	size := bits.Len(uint(2*n + 1))
	return pairTable{make([]uint64, 1<<size), make([]pairMerge, 1<<size), 64 - size}
}

func (p *pairTable) find(left, right int32) (slot uint64, key uint64) {
	key = uint64(uint32(left))<<32 | uint64(uint32(right))
	key++
	mask := uint64(len(p.keys) - 1)
	slot = key * 0x9E3779B97F4A7C15 >> p.shift
	for p.keys[slot] != 0 && p.keys[slot] != key {
		slot = (slot + 1) & mask
	}
	return slot, key
}

func (p *pairTable) put(left, right int32, m pairMerge, replace bool) {
	slot, key := p.find(left, right)
	if p.keys[slot] == 0 || replace {
		p.keys[slot], p.vals[slot] = key, m
	}
}

func (p *pairTable) get(left, right int32) (pairMerge, bool) {
	slot, _ := p.find(left, right)
	return p.vals[slot], p.keys[slot] != 0
}
