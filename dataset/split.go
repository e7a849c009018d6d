package dataset

import (
	"bufio"
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
// manifest is followed instead, in its order: ids that are not in the data
// and rows that have changed since are errors, and a group that it puts into two parts is noted in report.
func Split(rows View, c SplitConfig, from Source, report *Report) (Parts, error) {
	if c.Manifest == "" {
		return splitByHash(rows, c, report)
	}
	file, err := from.open(c.Manifest)
	if err != nil {
		return Parts{}, fmt.Errorf("dataset: split manifest: %w", err)
	}
	defer file.Close()
	parts, err := follow(bufio.NewReader(file), rows, c.Group, report)
	if err != nil {
		return Parts{}, fmt.Errorf("dataset: split manifest %s: %w", c.Manifest, err)
	}
	return parts, nil
}

func splitByHash(rows View, c SplitConfig, report *Report) (Parts, error) {
	g, err := findGroups(rows, c)
	if err != nil {
		return Parts{}, err
	}
	part := make([]uint8, rows.Len()) // of each group
	for _, stratum := range g.strata(report) {
		g.divide(stratum, c, part)
	}
	parts := [3][]int32{}
	for i, first := range g.first {
		parts[part[first]] = append(parts[part[first]], int32(i))
	}
	for i, ratio := range []float64{c.Train, c.Val, c.testShare()} {
		if ratio > 0 && len(parts[i]) == 0 {
			return Parts{}, fmt.Errorf("dataset: the %s part is empty: %d rows in %d groups, %s, gave %d, %d and %d; "+
				"add rows, change data.split.seed or data.split.group (now %q), give a data.split.manifest, or set data.split.%s to 0 to go without",
				partNames[i], rows.Len(), len(g.list), c.how(), len(parts[0]), len(parts[1]), len(parts[2]), c.Group, partNames[i])
		}
	}
	return Parts{rows.Pick(parts[0]), rows.Pick(parts[1]), rows.Pick(parts[2])}, nil
}

// testShare is the ratio of the test part, any for a fold.
func (c SplitConfig) testShare() float64 {
	if c.Folds > 0 {
		return 1
	}
	return c.Test
}

// how says in words what the split was to be.
func (c SplitConfig) how() string {
	if c.Folds > 0 {
		return fmt.Sprintf("fold %d of %d, the rest split %v:%v", c.Fold, c.Folds, c.Train, c.Val)
	}
	return fmt.Sprintf("split %v:%v:%v", c.Train, c.Val, c.Test)
}

// grouping returns what tells a row's group under split.group.
func grouping(rows View, how string) (func(Row) string, error) {
	byField := func(r Row) string { return r.Group }
	switch how {
	case "none":
		return func(r Row) string { return r.ID }, nil
	case "auto", nearGroups:
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
