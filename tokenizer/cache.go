package tokenizer

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

const (
	cacheBits     = 15
	maxCachedWord = 64
)

// wordCache remembers the ids of words. A word has one slot, which the last word that hashed there
// holds; that bounds it and needs no lock.
type wordCache struct {
	seed  maphash.Seed
	slots []wordSlot
}

type wordSlot struct{ atomic.Pointer[cachedWord] }

type cachedWord struct {
	word string
	ids  []int32
}

func newWordCache() wordCache {
	return wordCache{maphash.MakeSeed(), make([]wordSlot, 1<<cacheBits)}
}

// find gives the ids of a word that the cache holds, which are not nil, or else the slot to keep them in; that is nil for a long word.
func (c *wordCache) find(w string) ([]int32, *wordSlot) {
	if len(w) > maxCachedWord {
		return nil, nil
	}
	slot := &c.slots[maphash.String(c.seed, w)>>(64-cacheBits)]
	if c := slot.Load(); c != nil && c.word == w {
		return c.ids, slot
	}
	return nil, slot
}

// keep stores copies of the word and its ids.
func (s *wordSlot) keep(w string, ids []int32) {
	if s != nil {
		s.Store(&cachedWord{strings.Clone(w), append([]int32{}, ids...)})
	}
}
