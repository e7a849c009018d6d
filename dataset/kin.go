package dataset

import (
	"cmp"
	"slices"

	"ft/internal/near"
	"ft/internal/workers"
)

// What makes two questions one (docs/data.md tells why, and how it was tried).
const (
	wordsToReorder = 12  // questions with the same words in another order are one from this length on
	wordsToCompare = 12  // shorter questions are never near
	wordsToLeak    = 20  // shorter ones are too short to tell a slip from another subject
	leastAlike     = 0.7 // Jaccard index below which nothing is looked at
	surelyAlike    = 0.8 // from which two long questions are near, whatever differs
	fewWords       = 2   // differ at most: near from leastAlike on
	timesAChange   = 3   // pairs that differ by the same change make it one of meaning
)

// The kinds of questions that are one, in order.
const (
	sameQuestion      = "same"      // but for case, punctuation, white space and the form of characters
	reorderedQuestion = "reordered" // the same sentences, or if long the same words, in another order
	nearQuestion      = "near"
)

// kin tells which rows of a view ask the same.
type kin struct {
	same  []int32 // for each row, the first one that asks the same
	links []link  // between such first rows
	// similar pairs differ in a number or name, or by a change that the data makes again and again: a template with other
	// values in it.
	similar []link
}

type link struct {
	a, b       int32
	kind       string
	similarity float64
}

// findKin compares the questions of all rows, those of plain texts being the texts.
func findKin(rows View) (*kin, error) {
	n := rows.Len()
	k := &kin{same: make([]int32, n)}
	folded := make([]foldedKey, n)
	err := eachRow(rows, func(i int, r Row) error {
		var t near.Text
		t.Fold(r.Question())
		f := foldedKey{seq: t.Sequence(), weight: int32(t.Weight())}
		if f.seq == 0 {
			f.seq = key(normalise(r.Question())) | 1
		}
		f.bag, f.sentences = t.Bag(), t.Sentences()
		folded[i] = f
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range k.same {
		k.same[i] = int32(i)
	}
	for class := range equal(k.same, func(i int32) uint64 { return folded[i].seq }) {
		for _, i := range class {
			k.same[i] = class[0]
		}
	}
	var several, long []int32
	for i := range k.same {
		if k.same[i] == int32(i) {
			if folded[i].sentences != 0 {
				several = append(several, int32(i))
			}
			if folded[i].weight >= wordsToCompare {
				long = append(long, int32(i))
			}
		}
	}
	k.reordered(several, func(i int32) uint64 { return folded[i].sentences })
	k.reordered(long, func(i int32) uint64 { return folded[i].bag })
	err = k.near(rows, long, folded)
	slices.SortFunc(k.links, func(a, b link) int {
		return cmp.Or(cmp.Compare(a.a, b.a), cmp.Compare(a.b, b.b), cmp.Compare(b.similarity, a.similarity))
	})
	k.links = slices.CompactFunc(k.links, func(a, b link) bool { return a.a == b.a && a.b == b.b })
	return k, err
}

// foldedKey is what is kept of a question.
type foldedKey struct {
	seq, bag, sentences uint64
	weight              int32
}

// equal goes over the groups of at least two indices with the same key, each in order.
func equal(indices []int32, key func(int32) uint64) func(yield func([]int32) bool) {
	order := slices.Clone(indices)
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a, b)) })
	return func(yield func([]int32) bool) {
		for from := 0; from < len(order); {
			to := from + 1
			for to < len(order) && key(order[to]) == key(order[from]) {
				to++
			}
			if to > from+1 && !yield(order[from:to]) {
				return
			}
			from = to
		}
	}
}

// reordered links the questions with the same key: each pair of a few, many as a chain and with the first.
func (k *kin) reordered(among []int32, key func(int32) uint64) {
	const few = 16
	for class := range equal(among, key) {
		for i, a := range class {
			for j := i + 1; j < len(class); j++ {
				if len(class) <= few || i == 0 || j == i+1 {
					k.links = append(k.links, link{a, class[j], reorderedQuestion, 1})
				}
			}
		}
	}
}

// near links the near ones of questions that are long enough.
func (k *kin) near(rows View, long []int32, folded []foldedKey) error {
	text := func(i int) (*near.Text, error) {
		r, err := rows.At(int(long[i]))
		if err != nil {
			return nil, err
		}
		t := new(near.Text)
		t.Fold(r.Question())
		return t, nil
	}
	pairs, err := near.Pairs(len(long), leastAlike, func(i int, to []uint64) ([]uint64, error) {
		t, err := text(i)
		if err != nil {
			return nil, err
		}
		return t.Features(to), nil
	})
	if err != nil || len(pairs) == 0 {
		return err
	}
	found := make([]comparison, len(pairs))
	times, alike := map[uint64]int32{}, make([]int32, len(long))
	for i, p := range pairs {
		a, err := text(int(p.A))
		if err != nil {
			return err
		}
		b, err := text(int(p.B))
		if err != nil {
			return err
		}
		found[i] = compareTexts(a, b)
		times[found[i].change]++
		alike[p.A]++
		alike[p.B]++
	}
	var values changes // between questions that are one template with other values
	for i, p := range pairs {
		if c := found[i]; c.meaning && times[c.change] >= timesAChange && alike[p.A]+alike[p.B] > 2 {
			values = append(values, [2]int32{p.A, p.B}, [2]int32{p.B, p.A})
		}
	}
	values.sort()
	for i, p := range pairs {
		a, b := long[p.A], long[p.B]
		l := link{a, b, nearQuestion, p.Similarity}
		c := found[i]
		switch {
		case c.words == 0:
			l.kind = reorderedQuestion
			k.links = append(k.links, l)
		case min(folded[a].weight, folded[b].weight) < wordsToLeak || c.labels || values.lead(p.A, p.B) ||
			p.Similarity < surelyAlike && c.words > 2*fewWords:
			k.similar = append(k.similar, l)
		default:
			k.links = append(k.links, l)
		}
	}
	return nil
}

// changes are pairs of texts, each in both directions, sorted.
type changes [][2]int32

func (c changes) sort() { slices.SortFunc(c, comparePairs) }

func comparePairs(a, b [2]int32) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }

// of are the changes that lead from a text.
func (c changes) of(a int32) changes {
	from, _ := slices.BinarySearchFunc(c, [2]int32{a, -1}, comparePairs)
	to, _ := slices.BinarySearchFunc(c, [2]int32{a + 1, -1}, comparePairs)
	return c[from:to]
}

// lead reports whether one change or two lead from a to b.
func (c changes) lead(a, b int32) bool {
	x, y := c.of(a), c.of(b)
	for len(x) > 0 && len(y) > 0 {
		switch end := cmp.Compare(x[0][1], y[0][1]); {
		case x[0][1] == b || end == 0:
			return true
		case end < 0:
			x = x[1:]
		default:
			y = y[1:]
		}
	}
	return slices.ContainsFunc(x, func(p [2]int32) bool { return p[1] == b })
}

// comparison is how two texts differ.
type comparison struct {
	change  uint64
	words   int  // that the one has more of than the other has, in half words
	labels  bool // both have numbers or names that the other has not
	meaning bool // words took the place of others, and not only such as build sentences
}

func compareTexts(a, b *near.Text) comparison {
	onlyA, onlyB := near.Difference(a, b)
	c := comparison{change: near.Change(onlyA, onlyB), words: max(near.HalfWords(onlyA), near.HalfWords(onlyB))}
	c.labels = slices.ContainsFunc(onlyA, near.Label) && slices.ContainsFunc(onlyB, near.Label)
	content := func(t near.Token) bool { return !near.Function(t) }
	c.meaning = len(onlyA) > 0 && len(onlyB) > 0 && (slices.ContainsFunc(onlyA, content) || slices.ContainsFunc(onlyB, content))
	return c
}

// rowGrain is how many rows a worker takes at a time.
const rowGrain = 32

// eachRow hands every row to do, shared out among all CPUs. It returns one of the errors.
func eachRow(rows View, do func(i int, r Row) error) error {
	from := 0
	for block, err := range rows.Blocks() {
		if err != nil {
			return err
		}
		err := workers.Do(len(block), rowGrain, func() func(int) error {
			return func(i int) error { return do(from+i, block[i]) }
		})
		if err != nil {
			return err
		}
		from += len(block)
	}
	return nil
}
