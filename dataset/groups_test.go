package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// nearRows are n long questions, each followed by near ones that differ in a word: copies rows of each.
func nearRows(n, copies int) []Row {
	var rows []Row
	for i := range n {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		words := make([]string, 30)
		for j := range words {
			words[j] = fmt.Sprintf("w%c%c%c", 'a'+rng.IntN(26), 'a'+rng.IntN(26), 'a'+rng.IntN(26))
		}
		for k := range copies {
			w := slices.Clone(words)
			if k > 0 {
				w[5+k] = fmt.Sprintf("v%c%c%c", 'a'+rng.IntN(26), 'a'+rng.IntN(26), 'a'+rng.IntN(26))
			}
			rows = append(rows, Row{ID: fmt.Sprintf("r%d.%d", i, k), Messages: user(strings.Join(w, " ")), Answer: "a"})
		}
	}
	return rows
}

func split(t *testing.T, rows []Row, change func(*SplitConfig)) (Parts, *Report) {
	t.Helper()
	c := Default().Split
	change(&c)
	report := newReport(len(rows))
	p, err := Split(view(rows), c, Source{}, report)
	if err != nil {
		t.Fatal(err)
	}
	return p, report
}

// Near questions stay together; what is near to nothing lies where auto puts it; rows added later move few others.
func TestSplit_near(t *testing.T) {
	rows := append(nearRows(150, 3), nearRows(250, 1)[150:]...)
	p, _ := split(t, rows, func(c *SplitConfig) { c.Group = nearGroups })
	auto, _ := split(t, rows, func(*SplitConfig) {})
	at, before := sides(t, p), sides(t, auto)
	apart := 0
	for i := range 150 {
		for k := range 3 {
			if at[fmt.Sprintf("r%d.%d", i, k)] != at[fmt.Sprintf("r%d.0", i)] {
				t.Errorf("cluster %d is in two parts", i)
			}
			if before[fmt.Sprintf("r%d.%d", i, k)] != before[fmt.Sprintf("r%d.0", i)] {
				apart++
			}
		}
	}
	if apart < 50 {
		t.Errorf("auto puts only %d rows apart: nothing is tested", apart)
	}
	for i := 150; i < 250; i++ {
		if id := fmt.Sprintf("r%d.0", i); at[id] != before[id] {
			t.Errorf("%s is near to nothing and not where auto puts it", id)
		}
	}
	more, _ := split(t, append(rows, nearRows(400, 1)[250:]...), func(c *SplitConfig) { c.Group = nearGroups })
	after := sides(t, more)
	for id, part := range at {
		if after[id] != part {
			t.Errorf("%s moved when rows were added that are near to none", id)
		}
	}
	if l := leaksOf(t, p); l.Rows > 0 {
		t.Error(l)
	}
	if l := leaksOf(t, auto); l.Rows == 0 {
		t.Error("auto does not leak: nothing is tested")
	}
}

// Rows with a group field keep it under near, and clusters join groups.
func TestSplit_nearJoinsGroups(t *testing.T) {
	rows := nearRows(200, 2)
	for i := range rows {
		rows[i].Group = fmt.Sprint("g", (i+1)/2) // the second copy of one and the first of the next: all hang together
	}
	for i := range rows[:100] {
		rows[i].Group = fmt.Sprint("own", i)
	}
	p, _ := split(t, rows, func(c *SplitConfig) { c.Group = nearGroups })
	at := sides(t, p)
	for i := 50; i < 200; i++ {
		if at[fmt.Sprintf("r%d.0", i)] != at["r50.0"] || at[fmt.Sprintf("r%d.1", i)] != at["r50.0"] {
			t.Fatalf("row %d is apart from its chain", i)
		}
	}
}

func TestSplit_stratify(t *testing.T) {
	rows := qa(1200, 2)
	for i := range rows {
		rows[i].Stratum = []string{"common", "common", "common", "common", "rare", "common"}[i/2%6]
	}
	rows[0].Stratum, rows[1].Stratum = "common", "rare" // a group of both
	change := func(c *SplitConfig) { c.Stratify = "kind" }
	p, report := split(t, rows, change)
	count := map[string][3]int{}
	for i, part := range p.byName() {
		for _, r := range all(t, part) {
			n := count[r.Stratum]
			n[i]++
			count[r.Stratum] = n
		}
	}
	for value, n := range count {
		total := float64(n[0] + n[1] + n[2])
		for i, share := range []float64{.7, .2, .1} {
			if math.Abs(float64(n[i])-share*total) > 3 {
				t.Errorf("%s: %v of %v rows, want shares of 7:2:1 within a group", value, n, total)
			}
		}
	}
	if report.Notes[groupInStrata] != 1 {
		t.Errorf("notes %v, want the group of two values", report.Notes)
	}
	at := sides(t, p)
	for i := 0; i < len(rows); i += 2 {
		if at[rows[i].ID] != at[rows[i+1].ID] {
			t.Errorf("a group is in two parts")
		}
	}
	slices.Reverse(rows)
	if again, _ := split(t, rows, change); !sameSides(at, sides(t, again)) {
		t.Error("the order of rows changes the split")
	}
}

func sameSides(a, b map[string]int) bool {
	for id, part := range a {
		if b[id] != part {
			return false
		}
	}
	return len(a) == len(b)
}

// Every row is in the test part of one fold, groups stay whole, train and val share the rest, and val is another one in each fold.
func TestSplit_folds(t *testing.T) {
	for _, stratify := range []string{"", "kind"} {
		const folds = 5
		rows := qa(3000, 3)
		for i := range rows {
			rows[i].Stratum = []string{"x", "y"}[i/3%2]
		}
		tested, validated := map[string]int{}, map[string]int{}
		for fold := 1; fold <= folds; fold++ {
			p, _ := split(t, rows, func(c *SplitConfig) { c.Folds, c.Fold, c.Stratify = folds, fold, stratify })
			at := sides(t, p)
			if len(at) != len(rows) {
				t.Errorf("fold %d has %d rows", fold, len(at))
			}
			for i, r := range rows {
				switch at[r.ID] {
				case 2:
					tested[r.ID]++
				case 1:
					validated[r.ID]++
				}
				if at[r.ID] != at[rows[i/3*3].ID] {
					t.Errorf("fold %d: a group is in two parts", fold)
				}
			}
			for i, want := range []float64{.8 * 7 / 9, .8 * 2 / 9, .2} {
				if got := float64(p.byName()[i].Len()) / float64(len(rows)); math.Abs(got-want) > .05 {
					t.Errorf("fold %d: %s has %.3f of the rows, want %.3f", fold, partNames[i], got, want)
				}
			}
		}
		often := 0
		for _, r := range rows {
			if tested[r.ID] != 1 {
				t.Fatalf("row %s is tested %d times", r.ID, tested[r.ID])
			}
			if validated[r.ID] == folds-1 {
				often++
			}
		}
		if often > len(rows)/50 {
			t.Errorf("%d rows are never trained on", often)
		}
	}
}
