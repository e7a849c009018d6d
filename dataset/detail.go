package dataset

import (
	"cmp"
	"slices"
)

// Detail is a row of a report with what it says.
type Detail struct {
	Reason   string `json:"reason"`
	ID       string `json:"id"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Of       string `json:"of,omitempty"`       // the id of the row that it repeats or contradicts
	Question string `json:"question,omitempty"` // its begin
	Answer   string `json:"answer,omitempty"`   // its begin
	// Before and After are of a repaired row: the text around the first repair.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Details hands the rows of the given reasons, all of them for none, to each: by reason, then in the order of the report. What they say is
// looked up in the rows, which are those that the report is about.
func (r *Report) Details(rows View, reasons []string, each func(Detail) error) error {
	if len(reasons) == 0 {
		for reason := range r.IDs {
			reasons = append(reasons, reason)
		}
		slices.Sort(reasons)
	}
	for _, reason := range reasons {
		for i, id := range r.IDs[reason] {
			d := Detail{Reason: reason, ID: id}
			if i < len(r.Of[reason]) {
				d.Of = r.Of[reason][i]
			}
			if at, ok := rows.table.find(id); ok && reason != groupOnTwoSides {
				row, err := rows.table.At(at)
				if err != nil {
					return err
				}
				d.File, d.Line = row.File, row.Line
				if !row.Plain {
					d.Question = shorten(normalise(row.Question()), 120)
				}
				d.Answer = shorten(normalise(row.Reference()), 120)
				if reason == textFixed {
					d.Before, d.After = row.repair()
				}
			}
			if err := each(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// repair is the text around the first place that is repaired.
func (r Row) repair() (before, after string) {
	fixed, _, _ := r.mended()
	for i, m := range r.Messages {
		if was, is := m.Content, fixed.Messages[i].Content; was != is {
			return around(was, is)
		}
	}
	return around(r.Answer, fixed.Answer)
}

// around cuts two texts to where they begin to differ.
func around(a, b string) (string, string) {
	const before, most = 20, 60
	x, y := []rune(a), []rune(b)
	at := 0
	for at < min(len(x), len(y)) && x[at] == y[at] {
		at++
	}
	from := max(0, at-before)
	return string(x[from:min(len(x), from+most)]), string(y[from:min(len(y), from+most)])
}

// LengthOutliers replaces what the report notes about lengths in words by what holds for lengths in tokens; ids are those of the rows.
// A report whose lengths were not looked at, or whose outliers were dropped, stays as it is.
func (r *Report) LengthOutliers(c CleanConfig, ids []string, tokens []int) {
	if c.Outliers != noteIt || len(tokens) < fewRows {
		return
	}
	odd := outliers(tokens)
	delete(r.Notes, lengthOutlier)
	delete(r.IDs, lengthOutlier)
	for i, n := range tokens {
		if odd(n) {
			r.note(lengthOutlier, ids[i])
		}
	}
}

// Reasons are the names in a count by reason, those of most rows first.
func Reasons(of map[string]int) []string {
	names := make([]string, 0, len(of))
	for name := range of {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
	return names
}
