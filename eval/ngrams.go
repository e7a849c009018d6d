package eval

import "math/bits"

// vocabulary numbers tokens from 1, so that n-grams can be compared as numbers.
type vocabulary map[string]int32

func (v vocabulary) encode(tokens []string) []int32 {
	return v.append(make([]int32, 0, len(tokens)), tokens)
}

// append adds the tokens' numbers to ids.
func (v vocabulary) append(ids []int32, tokens []string) []int32 {
	for _, t := range tokens {
		id, ok := v[t]
		if !ok {
			id = int32(len(v) + 1)
			v[t] = id
		}
		ids = append(ids, id)
	}
	return ids
}

// gramTable numbers n-grams from 1, of any order side by side: an n-gram is the number of its first n-1 tokens, 0 for none, and
// its last token, which is above 0. It is a hash table with open addressing that is emptied by reset, not remade.
type gramTable struct {
	keys  []uint64 // prefix and token; 0 in empty places
	ids   []int32
	shift int // of the hash, so that it falls into keys
	n     int32
}

// reset empties the table and makes room for so many n-grams.
func (t *gramTable) reset(most int) {
	size := max(16, 1<<bits.Len(uint(most+most/2)))
	if len(t.keys) != size {
		if cap(t.keys) < size {
			t.keys, t.ids = make([]uint64, size), make([]int32, size)
		}
		t.keys, t.ids = t.keys[:size], t.ids[:size]
		t.shift = 64 - bits.TrailingZeros(uint(size))
	}
	clear(t.keys)
	t.n = 0
}

// place is where the n-gram is, or where it would be.
func (t *gramTable) place(key uint64) int {
	i := int(key * 0x9e3779b97f4a7c15 >> t.shift)
	for t.keys[i] != key && t.keys[i] != 0 {
		i = (i + 1) & (len(t.keys) - 1)
	}
	return i
}

func gramKey(prefix, token int32) uint64 { return uint64(prefix)<<32 | uint64(token) }

// add returns the number of an n-gram, a new one if it is not there.
func (t *gramTable) add(prefix, token int32) int32 {
	key := gramKey(prefix, token)
	i := t.place(key)
	if t.keys[i] == 0 {
		t.n++
		t.keys[i], t.ids[i] = key, t.n
	}
	return t.ids[i]
}

// find returns the number of an n-gram, 0 if it is not there.
func (t *gramTable) find(prefix, token int32) int32 {
	key := gramKey(prefix, token)
	if i := t.place(key); t.keys[i] != 0 {
		return t.ids[i]
	}
	return 0
}

// clipper counts the n-grams of a prediction that are in references, each at most as often as in the reference that has it most
// often. It keeps scratch between texts.
type clipper struct {
	table gramTable
	// allowed is by number of an n-gram how often it may still be counted, inThis how often the present reference has it.
	allowed, inThis []int32
	at              []int32 // the number of the n-gram that begins at each token
}

// reset forgets the references and makes room for others, of so many tokens all together.
func (c *clipper) reset(tokens, orders int) {
	c.table.reset(tokens * orders)
	c.allowed, c.inThis = append(c.allowed[:0], 0), append(c.inThis[:0], 0)
}

// reference takes up the n-grams of a reference, of orders 1 to orders.
func (c *clipper) reference(tokens []int32, orders int) {
	c.begin(tokens)
	for order := range orders {
		for i := range max(0, len(tokens)-order) {
			id := c.table.add(c.at[i], tokens[i+order])
			if int(id) == len(c.allowed) {
				c.allowed, c.inThis = append(c.allowed, 0), append(c.inThis, 0)
			}
			c.inThis[id]++
			c.allowed[id] = max(c.allowed[id], c.inThis[id])
			c.at[i] = id
		}
	}
	clear(c.inThis)
}

// matches counts for each order, from 1, the n-grams of a prediction that are in a reference, and uses the references up.
func (c *clipper) matches(tokens []int32, counts []int) {
	clear(counts)
	c.begin(tokens)
	for order := range counts {
		for i := range max(0, len(tokens)-order) {
			if order > 0 && c.at[i] == 0 {
				continue // what it begins with is in no reference
			}
			id := c.table.find(c.at[i], tokens[i+order])
			if c.at[i] = id; id != 0 && c.allowed[id] > 0 {
				c.allowed[id]--
				counts[order]++
			}
		}
	}
}

func (c *clipper) begin(tokens []int32) {
	c.at = append(c.at[:0], make([]int32, len(tokens))...)
}

// grams is the number of n-grams of that order in a text of so many tokens.
func grams(tokens, order int) int { return max(0, tokens-order+1) }
