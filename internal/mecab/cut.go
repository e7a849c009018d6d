package mecab

import (
	"math"
	"slices"
	"unicode/utf8"
)

// node is a morpheme at a place of the text.
type node struct {
	entry
	from, to int // bytes, without the space in front
	behind   bool
	cost     int64 // of the best way to its end
	prev     *node
}

// Cut gives the morphemes of a text, of all ways to cut it the cheapest. Spaces between them are dropped.
func (d *Dictionary) Cut(text string) []string {
	// Of equally cheap ways MeCab takes the one that its lists have first, which is the latest that was added.
	ends := make([][]*node, len(text)+1)
	ends[0] = []*node{{}}
	for at := range len(text) {
		if len(ends[at]) == 0 {
			continue
		}
		for _, n := range slices.Backward(d.nodes(text, at)) {
			d.connect(n, ends[at])
			ends[n.to] = append(ends[n.to], n)
		}
	}
	last := &node{}
	for at := len(text); at >= 0; at-- {
		if len(ends[at]) > 0 {
			d.connect(last, ends[at])
			break
		}
	}
	var out []string
	for n := last.prev; n != nil && n.prev != nil; n = n.prev {
		out = append(out, text[n.from:n.to])
	}
	slices.Reverse(out)
	return out
}

// connect finds the cheapest way to n.
func (d *Dictionary) connect(n *node, before []*node) {
	n.cost = math.MaxInt32
	extra := int64(0)
	if n.behind {
		extra = d.behindSpace[n.pos]
	}
	for _, b := range slices.Backward(before) {
		if cost := b.cost + d.cost(b.right, n.entry) + extra; cost < n.cost {
			n.cost, n.prev = cost, b
		}
	}
}

// char is what stands at a place of the text, and how many bytes it is.
func (d *Dictionary) char(text string, at int) (charInfo, int) {
	if at == len(text) {
		return d.kind(0), 1
	}
	r, n := utf8.DecodeRuneInString(text[at:])
	if r == utf8.RuneError && n == 1 {
		r = 0
	}
	return d.kind(r), n
}

// run passes over characters that share a kind with their neighbour, beginning with kind c. It gives the place of the first that does not,
// what that is, its bytes, and the number of characters passed.
func (d *Dictionary) run(text string, at int, c charInfo) (end int, next charInfo, size, n int) {
	next, size = c, 0
	for at < len(text) {
		if next, size = d.char(text, at); !c.shares(next) {
			break
		}
		at += size
		c = next
		n++
	}
	return at, next, size, n
}

// nodes lists the morphemes that may begin at a place, behind spaces: those of the dictionary, and where there are none or the
// character's kind asks for them, unknown ones.
func (d *Dictionary) nodes(text string, at int) []*node {
	from, first, size, _ := d.run(text, at, d.space)
	var out []*node
	add := func(to int, entries []entry) {
		for _, e := range entries {
			out = append(out, &node{entry: e, from: from, to: to, behind: from > at})
		}
	}
	if from == len(text) {
		return nil
	}
	d.system.prefixes([]byte(text[from:]), func(n int, found []entry) {
		if n > 0 {
			add(from+n, found)
		}
	})
	if len(out) > 0 && !first.invoke() {
		return out
	}
	unknown := d.unknown[first.kind()]
	second, grouped := from+size, 0
	if first.group() {
		end, _, _, n := d.run(text, second, first)
		if n <= maxGrouping {
			add(end, unknown)
		}
		grouped = end
	}
	to := second
	for i := 1; i <= first.length() && to <= len(text); i++ {
		if to == grouped {
			continue
		}
		add(to, unknown)
		c, n := d.char(text, to)
		if to == len(text) || !first.shares(c) {
			break
		}
		to += n
	}
	if len(out) == 0 {
		add(second, unknown)
	}
	return out
}
