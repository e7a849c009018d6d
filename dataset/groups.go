package dataset

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"ft/internal/keyed"
)

// nearGroups is the split.group that finds groups by their questions.
const nearGroups = "near"

// groups are rows that must stay in one part. A group is named by its first row.
type groups struct {
	first []int32 // for each row, the first of its group
	list  []int32 // the groups
	// Of each group, at its first row:
	hash []uint64  // its identity: key of the group's name
	at   []float64 // its place in [0, 1)
	size []int32   // rows

	stratum []int32 // the number of each row's value; nil without split.stratify
	values  []string
}

// findGroups puts the rows into groups. A cluster of near questions has name and place of the one of its groups with the
// least hash, so that rows added later seldom move it, and what is near to nothing lies where auto puts it.
func findGroups(rows View, c SplitConfig) (*groups, error) {
	name, err := grouping(rows, c.Group)
	if err != nil {
		return nil, err
	}
	n := rows.Len()
	g := &groups{hash: make([]uint64, n), at: make([]float64, n), size: make([]int32, n)}
	if c.Stratify != "" {
		g.stratum = make([]int32, n)
	}
	number := map[string]int32{} // of each value of the column
	i := 0
	for r, err := range rows.All() {
		if err != nil {
			return nil, err
		}
		gr := name(r)
		g.hash[i], g.at[i] = key(gr), place(c.Seed, gr)
		if g.stratum != nil {
			if _, ok := number[r.Stratum]; !ok {
				number[r.Stratum] = int32(len(g.values))
				g.values = append(g.values, r.Stratum)
			}
			g.stratum[i] = number[r.Stratum]
		}
		i++
	}
	of := newUnion(n)
	for class := range equal(of, func(i int32) uint64 { return g.hash[i] }) {
		for _, i := range class {
			of.join(class[0], i)
		}
	}
	if c.Group == nearGroups {
		if err := of.joinKin(rows); err != nil {
			return nil, err
		}
	}
	for i := range of {
		first := of.find(int32(i))
		of[i] = first
		if g.size[first]++; g.size[first] == 1 {
			g.list = append(g.list, first)
		}
		if g.hash[i] < g.hash[first] {
			g.hash[first], g.at[first] = g.hash[i], g.at[i]
		}
	}
	g.first = of
	return g, nil
}

// joinKin joins rows whose questions are one.
func (u union) joinKin(rows View) error {
	k, err := findKin(rows)
	if err != nil {
		return err
	}
	for i, first := range k.same {
		u.join(first, int32(i))
	}
	for _, l := range k.links {
		u.join(l.a, l.b)
	}
	return nil
}

// strata are the groups by the value of the column that they are stratified by: one list without such a column. A group whose rows
// have several values belongs to that of most of its rows, of equally many to the one that the data has first, and is noted.
func (g *groups) strata(report *Report) [][]int32 {
	if g.stratum == nil {
		return [][]int32{g.list}
	}
	order := make([]int32, len(g.first))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(g.first[a], g.first[b]), cmp.Compare(g.stratum[a], g.stratum[b]))
	})
	lists := make([][]int32, len(g.values))
	for from := 0; from < len(order); {
		first := g.first[order[from]]
		best, times, several := int32(0), 0, false
		to := from
		for to < len(order) && g.first[order[to]] == first {
			begin, value := to, g.stratum[order[to]]
			for to < len(order) && g.first[order[to]] == first && g.stratum[order[to]] == value {
				to++
			}
			several = several || times > 0
			if to-begin > times {
				best, times = value, to-begin
			}
		}
		if several {
			report.Notes[groupInStrata]++
		}
		lists[best] = append(lists[best], first)
		from = to
	}
	return lists
}

// divide gives the groups of a stratum their parts: part[m] becomes 0, 1 or 2.
func (g *groups) divide(stratum []int32, c SplitConfig, part []uint8) {
	place := func(m int32) float64 { return g.at[m] }
	exact := g.stratum != nil
	if c.Folds == 0 {
		sum := c.Train + c.Val + c.Test
		g.positions(stratum, exact, place, func(m int32, p float64) {
			part[m] = 2
			if p < c.Train/sum {
				part[m] = 0
			} else if p < (c.Train+c.Val)/sum {
				part[m] = 1
			}
		})
		return
	}
	var rest []int32
	g.positions(stratum, exact, place, func(m int32, p float64) {
		if part[m] = 2; int(p*float64(c.Folds)) != c.Fold-1 {
			rest = append(rest, m)
		}
	})
	// Another place for each fold, so that no row is in val in all of them.
	stream := keyed.Mix(keyed.Mix(c.Seed+keyed.Increment) + uint64(c.Fold))
	again := func(m int32) float64 { return float64(keyed.Mix(g.hash[m]^stream)>>11) / (1 << 53) }
	g.positions(rest, exact, again, func(m int32, p float64) {
		if part[m] = 1; p < c.Train/(c.Train+c.Val) {
			part[m] = 0
		}
	})
}

// positions calls do with a position in [0, 1) for each group: its place, or where shares are to be exact, the share of rows
// before the group's middle one, in the order of places.
func (g *groups) positions(of []int32, exact bool, place func(int32) float64, do func(m int32, p float64)) {
	if !exact {
		for _, m := range of {
			do(m, place(m))
		}
		return
	}
	order := slices.Clone(of)
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(g.hash[a], g.hash[b]))
	})
	total, before := 0, 0
	for _, m := range order {
		total += int(g.size[m])
	}
	for _, m := range order {
		n := int(g.size[m])
		do(m, (float64(before)+float64(n)/2)/float64(total))
		before += n
	}
}

// union is sets of indices that grow together.
type union []int32

func newUnion(n int) union {
	u := make(union, n)
	for i := range u {
		u[i] = int32(i)
	}
	return u
}

func (u union) find(i int32) int32 {
	for u[i] != i {
		u[i] = u[u[i]]
		i = u[i]
	}
	return i
}

// join makes the sets of a and b one; its first index stands for it.
func (u union) join(a, b int32) {
	a, b = u.find(a), u.find(b)
	u[max(a, b)] = min(a, b)
}

// place maps a group to a point in [0, 1), evenly over groups: the first 53 bits of the SHA-256 of the seed
// (8 bytes, little-endian) and the group.
func place(seed uint64, group string) float64 {
	b := binary.LittleEndian.AppendUint64(nil, seed)
	h := sha256.Sum256(append(b, group...))
	return float64(binary.BigEndian.Uint64(h[:])>>11) / (1 << 53)
}
