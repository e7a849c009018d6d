package nn

import (
	"ft/internal/kernels"
	"ft/internal/op"
)

// PageRows is the number of positions of a page.
const PageRows = 32

// Pool holds the memory of caches: pages of PageRows positions, each with a model's keys and values of every block, as PagedAttention
// has them (Kwon et al. 2023, arXiv:2309.06180). A cache takes a page when its sequence reaches it and gives it back at its end, so memory
// follows the positions in use, not the longest sequence. A Pool and its caches are not safe for concurrent use.
type Pool struct {
	layers int
	words  int // of a row of keys, or of values
	prec   kernels.Precision
	pages  [][]float32
	users  []int   // caches that have a page in their table, by page
	free   []int32 // pages that nobody uses
}

// Cache holds one sequence's keys and values of every block, rows of K·HeadDim.
type Cache struct {
	pool  *Pool
	table []int32     // the sequence's pages, in order
	pages [][]float32 // the same
	n     int
}

// NewPool makes an empty pool for a model with the given number of blocks and key/value width K·HeadDim, a multiple of 32 if
// its values are kept in BF16.
func NewPool(layers, width int, prec kernels.Precision) *Pool {
	if prec == kernels.BF16 {
		width /= 2
	}
	return &Pool{layers: layers, words: width, prec: prec}
}

// NewCache makes an empty cache.
func (p *Pool) NewCache() *Cache { return &Cache{pool: p} }

// PageBytes is the size of a page.
func (p *Pool) PageBytes() int { return 4 * p.pageWords() }

func (p *Pool) pageWords() int { return p.layers * 2 * PageRows * p.words }

// Pages is the number of pages that the pool has made, in use or free.
func (p *Pool) Pages() int { return len(p.pages) }

// Used is the number of pages that caches have at present. A page that several share counts once.
func (p *Pool) Used() int { return len(p.pages) - len(p.free) }

// take is a page that nobody uses. Its contents are left over from earlier use.
func (p *Pool) take() int32 {
	n := len(p.free)
	if n == 0 {
		p.pages, p.users = append(p.pages, make([]float32, p.pageWords())), append(p.users, 1)
		return int32(len(p.pages) - 1)
	}
	id := p.free[n-1]
	p.free, p.users[id] = p.free[:n-1], 1
	return id
}

// Len is the number of tokens in the cache.
func (c *Cache) Len() int { return c.n }

// Advance counts n tokens that every block has appended.
func (c *Cache) Advance(n int) { c.n += n }

// Reset empties the cache for another sequence and gives its pages back.
func (c *Cache) Reset() {
	for _, id := range c.table {
		if c.pool.users[id]--; c.pool.users[id] == 0 {
			c.pool.free = append(c.pool.free, id)
		}
	}
	clear(c.pages)
	c.table, c.pages, c.n = c.table[:0], c.pages[:0], 0
}

// Truncate forgets what is behind the first n tokens, to go on from there another way, and gives pages back. A page that
// another cache shares is copied before it is written to.
func (c *Cache) Truncate(n int) {
	keep := (n + PageRows - 1) / PageRows
	for _, id := range c.table[keep:] {
		if c.pool.users[id]--; c.pool.users[id] == 0 {
			c.pool.free = append(c.pool.free, id)
		}
	}
	clear(c.pages[keep:])
	c.table, c.pages, c.n = c.table[:keep], c.pages[:keep], n
	if last := keep - 1; n%PageRows > 0 && c.pool.users[c.table[last]] > 1 {
		shared := c.pages[last]
		c.pool.users[c.table[last]]--
		c.table[last] = c.pool.take()
		c.pages[last] = c.pool.pages[c.table[last]]
		copy(c.pages[last], shared)
	}
}

// Fork makes a cache of the same contents. The two share the pages that are full, which never change, and have the last one each.
func (c *Cache) Fork() *Cache {
	f := &Cache{pool: c.pool, n: c.n}
	full := c.n / PageRows
	f.table, f.pages = append(f.table, c.table[:full]...), append(f.pages, c.pages[:full]...)
	for _, id := range f.table {
		c.pool.users[id]++
	}
	if c.n%PageRows > 0 {
		f.reserve(0)
		copy(f.pages[full], c.pages[full])
	}
	return f
}

// reserve makes room for n rows more than Len.
func (c *Cache) reserve(n int) {
	for len(c.pages)*PageRows < c.n+n {
		id := c.pool.take()
		c.table, c.pages = append(c.table, id), append(c.pages, c.pool.pages[id])
	}
}

// layer is where one block's rows are.
func (c *Cache) layer(i int) kernels.Paged {
	part := PageRows * c.pool.words
	return kernels.Paged{Pages: c.pages, Rows: PageRows, K: 2 * i * part, V: (2*i + 1) * part, Step: c.pool.words, Prec: c.pool.prec}
}

// put writes the row of a position, in F32.
func (c *Cache) put(kv *kernels.Paged, pos int, k, v []float32) {
	page, atK, atV := kv.Row(pos)
	k, v = k[:c.width()], v[:c.width()]
	if kv.Prec == kernels.BF16 {
		kernels.RoundRow(page[atK:atK+kv.Step], k)
		kernels.RoundRow(page[atV:atV+kv.Step], v)
		return
	}
	copy(page[atK:], k)
	copy(page[atV:], v)
}

// width is the values of a row.
func (c *Cache) width() int {
	if c.pool.prec == kernels.BF16 {
		return 2 * c.pool.words
	}
	return c.pool.words
}

// append adds rows in F32 to one block's part and returns all of it in F32: rows themselves if they are all, else memory of the arena.
func (c *Cache) append(layer int, rows op.KV, arena *kernels.Arena) op.KV {
	width := c.width()
	n := len(rows.K) / width
	c.reserve(n)
	kv := c.layer(layer)
	for r := range n {
		c.put(&kv, c.n+r, rows.K[r*width:], rows.V[r*width:])
	}
	if c.n == 0 {
		return rows
	}
	all := op.KV{K: arena.Floats((c.n + n) * width), V: arena.Floats((c.n + n) * width)}
	load := func(dst, src []float32) { copy(dst, src) }
	if kv.Prec == kernels.BF16 {
		load = kernels.WidenRow
	}
	for lo := 0; lo < c.n+n; lo += PageRows {
		hi := min(lo+PageRows, c.n+n)
		page, atK, atV := kv.Row(lo)
		words := (hi - lo) * kv.Step
		load(all.K[lo*width:hi*width], page[atK:atK+words])
		load(all.V[lo*width:hi*width], page[atV:atV+words])
	}
	return all
}
