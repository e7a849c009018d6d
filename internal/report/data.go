package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ft/internal/ui"
)

// dataFile is what the page needs of data.json.
type dataFile struct {
	Rows    int                 `json:"rows"`
	Kept    int                 `json:"kept"`
	Dropped map[string]int      `json:"dropped"`
	Notes   map[string]int      `json:"notes"`
	IDs     map[string][]string `json:"ids"`
	Leaks   *leaks              `json:"leaks"`
}

// leaks are rows that parts of the split share.
type leaks struct {
	Rows      int  `json:"rows"`
	Same      int  `json:"same"`
	Reordered int  `json:"reordered"`
	Near      int  `json:"near"`
	Accepted  bool `json:"accepted"`
	Pairs     []struct {
		Kind       string  `json:"kind"`
		Similarity float64 `json:"similarity"`
		Row        leakRow `json:"row"`
		Repeats    leakRow `json:"repeats"`
	} `json:"pairs"`
}

type leakRow struct {
	Part     string `json:"part"`
	ID       string `json:"id"`
	Question string `json:"question"`
}

// mostPairs bounds the leaked rows that are shown.
const mostPairs = 10

// mostIDs bounds the rows that are named for a reason.
const mostIDs = 5

// data is what was in the files, what was left out and why, and how the rest was parted.
func (v *view) data(s *source) {
	if d := s.data; d != nil {
		v.Parts = append(v.Parts, fact{"rows in the files", ui.Count(d.Rows)}, fact{"rows used", ui.Count(d.Kept)})
		for _, part := range []struct {
			title string
			of    map[string]int
		}{{"Left out", d.Dropped}, {"Used all the same, but worth a look", d.Notes}} {
			if t := d.reasons(part.title, part.of); t != nil {
				v.Reasons = append(v.Reasons, *t)
			}
		}
		if d.Leaks != nil {
			v.leaks(d.Leaks)
		}
	}
	for _, name := range []string{"train", "val", "test"} {
		if n, ok := s.parts[name]; ok {
			v.Parts = append(v.Parts, fact{name + " part", ui.Count(n)})
		}
	}
}

// reasons is a table of reasons with how many rows they hold for, and some of these.
func (d *dataFile) reasons(title string, counts map[string]int) *table {
	if len(counts) == 0 {
		return nil
	}
	t := &table{Title: title, Head: []string{"reason", "rows", "such as"}}
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		ids := d.IDs[reason]
		some := strings.Join(ids[:min(mostIDs, len(ids))], ", ")
		if len(ids) > mostIDs {
			some += ", …"
		}
		t.Rows = append(t.Rows, []cell{
			{Text: ui.EscapeLine(strings.ReplaceAll(reason, "_", " "))}, {Text: ui.Count(counts[reason])}, {Text: clipped(some), Class: "text"},
		})
	}
	return t
}

// leaks says what the parts share.
func (v *view) leaks(l *leaks) {
	text := "none found"
	if l.Rows > 0 {
		text = fmt.Sprintf("%s of val and test repeat one of a part before: %d same, %d reordered, %d near", plural(int64(l.Rows), "row"), l.Same, l.Reordered, l.Near)
		if l.Accepted {
			text += " (accepted by split.leaks)"
		}
	}
	v.Parts = append(v.Parts, fact{"leaks", text})
	if len(l.Pairs) == 0 {
		return
	}
	t := table{Title: "Leaks: rows that repeat one of another part", Head: []string{"row", "kind", "similarity", "question", "repeats", "question"}}
	for _, p := range l.Pairs[:min(mostPairs, len(l.Pairs))] {
		t.Rows = append(t.Rows, []cell{
			{Text: p.Row.name()}, {Text: ui.EscapeLine(p.Kind)}, {Text: fmt.Sprintf("%.2f", p.Similarity)},
			{Text: clipped(p.Row.Question), Class: "text"}, {Text: p.Repeats.name()}, {Text: clipped(p.Repeats.Question), Class: "text"},
		})
	}
	v.Reasons = append(v.Reasons, t)
}

func (r leakRow) name() string { return clipped(r.Part + " " + r.ID) }
