package report

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"ft/dataset"
	"ft/internal/chart"
	"ft/internal/ui"
)

// dataFile is data.json.
type dataFile struct {
	dataset.Report
	Parts map[string]struct {
		Rows    int `json:"rows"`
		Samples int `json:"samples"`
	} `json:"parts"`
}

// The bounds of what is listed: rows that are named for a reason, pairs of leaks, other lines.
const (
	mostIDs   = 5
	mostPairs = 10
	mostLines = 20
)

// data is what was in the files, what was left out and why, and how the rest was parted.
func (v *view) data(s *source) {
	if d := s.data; d != nil {
		v.Parts = append(v.Parts, fact{"rows in the files", ui.Count(d.Rows)}, fact{"rows used", ui.Count(d.Kept)})
		v.tables(d)
		v.leaks(d.Leaks)
		v.dataLengths(d.Lengths)
	}
	for _, name := range []string{"train", "val", "test"} {
		if text := s.part(name); text != "" {
			v.Parts = append(v.Parts, fact{name + " part", text})
		}
	}
}

// part tells of a part of the split: its rows, those of them that were used where some were too long, and the samples that they became where a row may
// be several.
func (s *source) part(name string) string {
	n, ok := s.parts[name]
	text := plural(int64(n), "row")
	if s.data != nil {
		if used, has := s.data.Parts[name]; has {
			if ok = true; n > used.Rows {
				text = ui.Count(used.Rows) + " of " + plural(int64(n), "row") + " used"
			} else {
				text = plural(int64(used.Rows), "row")
			}
			if used.Samples > 0 && used.Samples != used.Rows {
				text += ", " + plural(int64(used.Samples), "sample")
			}
		}
	}
	if !ok {
		return ""
	}
	return text
}

// tables are the files, what was left out of them or noticed in them, and the languages.
func (v *view) tables(d *dataFile) {
	files := table{Title: "Data files", Head: []string{"file", "rows", "unusable", "format"}}
	for _, f := range d.Files[:min(mostLines, len(d.Files))] {
		format := slices.DeleteFunc([]string{f.Format, f.Encoding, f.Compression}, func(s string) bool { return s == "" })
		files.Rows = append(files.Rows, []cell{
			{Text: clipped(f.Name)}, {Text: ui.Count(f.Rows)}, {Text: ui.Count(f.Bad)}, {Text: clipped(strings.Join(format, ", ")), Class: "text"},
		})
	}
	if n := len(d.Files) - len(files.Rows); n > 0 {
		files.Note = plural(int64(n), "more file")
	}
	v.Reasons = append(v.Reasons, files, d.reasons("Left out", d.Dropped), d.reasons("Used all the same, but worth a look", d.Notes))
	if len(d.Languages) > 0 {
		names := slices.SortedFunc(maps.Keys(d.Languages), func(a, b string) int {
			return cmp.Or(d.Languages[b]-d.Languages[a], cmp.Compare(a, b))
		})
		var parts []string
		for _, name := range names[:min(mostLines, len(names))] {
			parts = append(parts, fmt.Sprintf("%s %s", clipped(name), ui.Count(d.Languages[name])))
		}
		v.Parts = append(v.Parts, fact{"languages", strings.Join(parts, ", ")})
	}
	for _, list := range []struct {
		title string
		lines []string
	}{{"Files that were not read", d.Skipped}, {"Rows that could not be read", d.BadRows}} {
		t := table{Title: list.title, Head: []string{"where and why"}}
		for _, line := range list.lines[:min(mostLines, len(list.lines))] {
			t.Rows = append(t.Rows, cells(clipped(line)))
		}
		if n := len(list.lines) - len(t.Rows); n > 0 {
			t.Note = fmt.Sprintf("The first %d of %s.", mostLines, ui.Count(len(list.lines)))
		}
		v.Reasons = append(v.Reasons, t)
	}
	v.Reasons = slices.DeleteFunc(v.Reasons, func(t table) bool { return len(t.Rows) == 0 })
}

// reasons is a table of reasons with how many rows they hold for, and some of these.
func (d *dataFile) reasons(title string, counts map[string]int) table {
	t := table{Title: title, Head: []string{"reason", "rows", "such as"}}
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		ids := d.IDs[reason]
		var some []string
		for i, id := range ids[:min(mostIDs, len(ids))] {
			if of := d.Of[reason]; i < len(of) && of[i] != "" {
				id += " (of " + of[i] + ")"
			}
			some = append(some, clipped(id))
		}
		if len(ids) > mostIDs {
			some = append(some, "…")
		}
		t.Rows = append(t.Rows, []cell{
			{Text: clipped(strings.ReplaceAll(reason, "_", " "))}, {Text: ui.Count(counts[reason])}, {Text: strings.Join(some, ", "), Class: "text"},
		})
	}
	return t
}

// leaks says what the parts share.
func (v *view) leaks(l *dataset.Leaks) {
	if l == nil {
		return
	}
	text := "none found"
	if l.Rows > 0 {
		text = fmt.Sprintf("%s of val and test repeat one of a part before: %d same, %d reordered, %d near", plural(int64(l.Rows), "row"), l.Same, l.Reordered, l.Near)
		if l.Accepted {
			text += " (accepted by split.leaks)"
		}
	}
	v.Parts = append(v.Parts, fact{"leaks", text})
	if l.Similar+l.SharedAnswers > 0 {
		v.Parts = append(v.Parts, fact{"no leaks, but alike", fmt.Sprintf("%s like one of a part before but for a number or a name, %s with the answer to another question",
			plural(int64(l.Similar), "row"), plural(int64(l.SharedAnswers), "row"))})
	}
	t := table{Title: "Leaks: rows that repeat one of another part", Head: []string{"row", "kind", "similarity", "question", "repeats", "question"}}
	for _, p := range l.Pairs[:min(mostPairs, len(l.Pairs))] {
		t.Rows = append(t.Rows, []cell{
			{Text: leakName(p.Row)}, {Text: clipped(p.Kind)}, {Text: fmt.Sprintf("%.2f", p.Similarity)},
			{Text: clipped(p.Row.Question), Class: "text"}, {Text: leakName(p.Repeats)}, {Text: clipped(p.Repeats.Question), Class: "text"},
		})
	}
	if len(t.Rows) > 0 {
		v.Reasons = append(v.Reasons, t)
	}
}

func leakName(r dataset.LeakRow) string { return clipped(r.Part + " " + r.ID) }

// dataLengths are the lengths of samples, in numbers and, where there are bins, as histograms.
func (v *view) dataLengths(lengths map[string]dataset.Lengths) {
	t := table{Title: "Lengths of samples, in tokens", Head: []string{"of", "samples", "mean", "median", "90 %", "99 %", "longest"}}
	for _, name := range slices.Sorted(maps.Keys(lengths)) {
		d := lengths[name]
		if d.Samples == 0 {
			continue
		}
		shown := clipped(strings.ReplaceAll(name, "_", " "))
		t.Rows = append(t.Rows, cells(shown, ui.Count(d.Samples), fmt.Sprintf("%.1f", d.Mean), ui.Count(d.P50), ui.Count(d.P90), ui.Count(d.P99), ui.Count(d.Max)))
		var bins []chart.Bin
		for _, b := range d.Bins {
			bins = append(bins, chart.Bin{From: b.From, To: b.To, Count: b.Count})
		}
		text := chart.Bins("Tokens of a sample: "+shown, "tokens", "samples", chart.Group{Name: shown, Style: chart.Solid}, bins).HTML()
		if text != template.HTML("") {
			v.Lengths = append(v.Lengths, text)
		}
	}
	if len(t.Rows) > 0 {
		v.Reasons = append(v.Reasons, t)
	}
}
