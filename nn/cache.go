package nn

import "ft/internal/op"

// Cache holds one sequence's keys and values of every block, [Len, K·HeadDim] each.
type Cache struct {
	layers []op.KV
	n      int
	width  int
}

// NewCache makes an empty cache for a model with the given number of blocks and key/value width K·HeadDim.
func NewCache(layers, width int) *Cache {
	return &Cache{layers: make([]op.KV, layers), width: width}
}

// Len is the number of tokens in the cache.
func (c *Cache) Len() int { return c.n }

// Advance counts n tokens that every block has appended.
func (c *Cache) Advance(n int) { c.n += n }

// append adds rows to one block's part and returns all of it. Go's append doubles the room, so a token costs
// amortised constant time.
func (c *Cache) append(layer int, rows op.KV) op.KV {
	l := &c.layers[layer]
	l.K = append(l.K[:c.n*c.width], rows.K...)
	l.V = append(l.V[:c.n*c.width], rows.V...)
	return *l
}
