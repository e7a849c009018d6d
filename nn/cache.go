package nn

import (
	"ft/internal/kernels"
	"ft/internal/op"
)

// Cache holds one sequence's keys and values of every block, [Len, K·HeadDim] each.
type Cache struct {
	layers []op.KV
	n      int
	words  int // of a row
	prec   kernels.Precision
}

// leastRows is the room that a cache begins with.
const leastRows = 64

// NewCache makes an empty cache for a model with the given number of blocks and key/value width K·HeadDim, a multiple of 32 if
// its values are kept in BF16.
func NewCache(layers, width int, prec kernels.Precision) *Cache {
	if prec == kernels.BF16 {
		width /= 2
	}
	return &Cache{layers: make([]op.KV, layers), words: width, prec: prec}
}

// Len is the number of tokens in the cache.
func (c *Cache) Len() int { return c.n }

// Advance counts n tokens that every block has appended.
func (c *Cache) Advance(n int) { c.n += n }

// Reset empties the cache for another sequence and keeps its memory.
func (c *Cache) Reset() { c.n = 0 }

// Truncate forgets what is behind the first n tokens, to go on from there another way.
func (c *Cache) Truncate(n int) { c.n = n }

// append adds rows in F32 to one block's part and returns all of it in F32: rows themselves, or the cache's memory, or the arena's.
func (c *Cache) append(layer int, rows op.KV, arena *kernels.Arena) op.KV {
	if c.prec == kernels.F32 {
		l := c.grow(layer, len(rows.K)/c.words)
		copy(l.K[c.n*c.words:], rows.K)
		copy(l.V[c.n*c.words:], rows.V)
		return l
	}
	l := c.grow(layer, len(rows.K)/(2*c.words))
	kernels.RoundRow(l.K[c.n*c.words:], rows.K)
	kernels.RoundRow(l.V[c.n*c.words:], rows.V)
	if c.n == 0 {
		return rows
	}
	all := op.KV{K: arena.Floats(2 * len(l.K)), V: arena.Floats(2 * len(l.V))}
	kernels.WidenRow(all.K, l.K)
	kernels.WidenRow(all.V, l.V)
	return all
}

// grow returns one block's part with n rows more than Len, whose contents are the caller's to set. Room doubles, so a token
// costs amortised constant time.
func (c *Cache) grow(layer, n int) op.KV {
	l, need := &c.layers[layer], (c.n+n)*c.words
	if need > cap(l.K) {
		room := max(need, 2*c.n*c.words, leastRows*c.words)
		k, v := make([]float32, room), make([]float32, room)
		copy(k, l.K[:c.n*c.words])
		copy(v, l.V[:c.n*c.words])
		l.K, l.V = k, v
	}
	l.K, l.V, l.Prec = l.K[:need], l.V[:need], c.prec
	return *l
}
