package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
)

// Parts are the rows to train on, to choose the best weights by, and to test on.
type Parts struct {
	Train, Val, Test View
}

// partNames are the parts in order, as config and manifest spell them.
var partNames = [3]string{"train", "val", "test"}

// byName returns the parts in the order of partNames.
func (p Parts) byName() [3]View { return [3]View{p.Train, p.Val, p.Test} }

// Split divides the rows into parts that have no group in common.
//
// Without a manifest, seed and group alone decide on the part, so that rows added later move none of the
// others; rows keep their order, and a part that stays empty though its ratio is above 0 is an error. A
// manifest, which read returns by its name, is followed instead, in its order: ids that are not in the data
// and rows that have changed since are errors, and a group that it puts into two parts is noted in report.
func Split(rows View, c SplitConfig, read func(name string) ([]byte, error), report *Report) (Parts, error) {
	if c.Manifest == "" {
		return splitByHash(rows, c)
	}
	data, err := read(c.Manifest)
	if err != nil {
		return Parts{}, fmt.Errorf("dataset: split manifest: %w", err)
	}
	m, err := readManifest(data)
	var parts Parts
	if err == nil {
		parts, err = m.follow(rows, c.Group, report)
	}
	if err != nil {
		return Parts{}, fmt.Errorf("dataset: split manifest %s: %w", c.Manifest, err)
	}
	return parts, nil
}

func splitByHash(rows View, c SplitConfig) (Parts, error) {
	group, err := grouping(rows, c.Group)
	if err != nil {
		return Parts{}, err
	}
	sum := c.Train + c.Val + c.Test
	parts := [3][]int32{}
	groups := map[string]bool{}
	for i := range rows.Len() {
		r, err := rows.At(i)
		if err != nil {
			return Parts{}, err
		}
		g := group(r)
		groups[g] = true
		at := 2
		if u := place(c.Seed, g); u < c.Train/sum {
			at = 0
		} else if u < (c.Train+c.Val)/sum {
			at = 1
		}
		parts[at] = append(parts[at], int32(i))
	}
	for i, ratio := range []float64{c.Train, c.Val, c.Test} {
		if ratio > 0 && len(parts[i]) == 0 {
			return Parts{}, fmt.Errorf("dataset: the %s part is empty: %d rows in %d groups, split %v:%v:%v, gave %d, %d and %d; "+
				"add rows, change data.split.seed or data.split.group (now %q), give a data.split.manifest, or set data.split.%s to 0 to go without",
				partNames[i], rows.Len(), len(groups), c.Train, c.Val, c.Test, len(parts[0]), len(parts[1]), len(parts[2]), c.Group, partNames[i])
		}
	}
	return Parts{rows.Pick(parts[0]), rows.Pick(parts[1]), rows.Pick(parts[2])}, nil
}

// grouping returns what tells a row's group under split.group.
func grouping(rows View, how string) (func(Row) string, error) {
	byField := func(r Row) string { return r.Group }
	switch how {
	case "none":
		return func(r Row) string { return r.ID }, nil
	case "auto":
		for r, err := range rows.All() {
			if err != nil {
				return nil, err
			}
			if r.Group == "" {
				return func(r Row) string { return normalise(r.Question()) }, nil
			}
		}
	}
	return byField, nil
}

// place maps a group to a point in [0, 1), evenly over groups: the first 53 bits of the SHA-256 of the seed
// (8 bytes, little-endian) and the group.
func place(seed uint64, group string) float64 {
	b := binary.LittleEndian.AppendUint64(nil, seed)
	h := sha256.Sum256(append(b, group...))
	return float64(binary.BigEndian.Uint64(h[:])>>11) / (1 << 53)
}

// examples joins the first few of many names for a message.
func examples(names []string) string {
	const most = 3
	s := make([]string, 0, most)
	for i, n := range names {
		if i == most {
			return strings.Join(s, ", ") + ", ..."
		}
		s = append(s, fmt.Sprintf("%q", n))
	}
	return strings.Join(s, ", ")
}
