package nn

import "ft/internal/op"

// Cache holds one sequence's keys and values of every block, [Len, K·HeadDim] each.
type Cache struct {
	layers []op.KV
	n      int
	width  int
}

// leastRows is the room that a cache begins with.
const leastRows = 64

// NewCache makes an empty cache for a model with the given number of blocks and key/value width K·HeadDim.
func NewCache(layers, width int) *Cache {
	return &Cache{layers: make([]op.KV, layers), width: width}
}

// Len is the number of tokens in the cache.
func (c *Cache) Len() int { return c.n }

// Advance counts n tokens that every block has appended.
func (c *Cache) Advance(n int) { c.n += n }

// Reset empties the cache for another sequence and keeps its memory.
func (c *Cache) Reset() { c.n = 0 }

// append adds rows to one block's part and returns all of it.
func (c *Cache) append(layer int, rows op.KV) op.KV {
	l := c.grow(layer, len(rows.K)/c.width)
	copy(l.K[c.n*c.width:], rows.K)
	copy(l.V[c.n*c.width:], rows.V)
	return l
}

// grow returns one block's part with n rows more than Len, whose contents are the caller's to set. Room doubles, so a token
// costs amortised constant time.
func (c *Cache) grow(layer, n int) op.KV {
	l, need := &c.layers[layer], (c.n+n)*c.width
	if need > cap(l.K) {
		room := max(need, 2*c.n*c.width, leastRows*c.width)
		k, v := make([]float32, room), make([]float32, room)
		copy(k, l.K[:c.n*c.width])
		copy(v, l.V[:c.n*c.width])
		l.K, l.V = k, v
	}
	l.K, l.V = l.K[:need], l.V[:need]
	return *l
}
