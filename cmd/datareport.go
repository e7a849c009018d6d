package cmd

import (
	"fmt"
	"io"
	"strings"

	"ft/dataset"
	"ft/internal/ui"
)

// print is one screen for a person.
func (check *dataCheck) print(s *ui.Streams) error {
	var b strings.Builder
	for _, line := range fileLines(check.Report) {
		fmt.Fprintf(&b, "file      %s\n", line)
	}
	for _, line := range badLines(check.Report) {
		fmt.Fprintf(&b, "          %s\n", line)
	}
	fmt.Fprintf(&b, "rows      %s in the files, %s used\n", ui.Count(check.Rows), ui.Count(check.Kept))
	for _, line := range notes(&dataset.Report{Notes: check.Dropped, IDs: check.IDs}) {
		fmt.Fprintf(&b, "left out  %s\n", line)
	}
	for _, line := range notes(check.Report) {
		fmt.Fprintf(&b, "note      %s\n", line)
	}
	if line := languageLine(check.Languages); line != "" {
		fmt.Fprintf(&b, "language  %s\n", line)
	}
	for _, line := range leakLines(check.Leaks) {
		fmt.Fprintf(&b, "leaks     %s\n", line)
	}
	fmt.Fprintf(&b, "questions of val and test that train has too: %s\n", ui.Count(check.SharedQuestions))
	if check.SharedGroups > 0 {
		fmt.Fprintf(&b, "rows of val and test whose group train has too: %s (val %s, test %s)\n", ui.Count(check.SharedGroups),
			ui.Count(check.Parts.Val.SharedGroups), ui.Count(check.Parts.Test.SharedGroups))
	}
	b.WriteByte('\n')
	if _, err := io.WriteString(s.Out, ui.Escape(b.String())); err != nil {
		return err
	}
	header := []string{"part", "rows", "questions"}
	if check.config.base != "" {
		header = append(header, "samples", "tokens", "in the loss", "shortest", "median", "90 %", "99 %", "longest")
	}
	rows := [][]string{
		check.Parts.Train.cells("train"), check.Parts.Val.cells("val"), check.Parts.Test.cells("test"),
	}
	if err := ui.Table(s.Out, header, rows); err != nil {
		return err
	}
	if check.config.base == "" {
		s.Note("no token lengths: the config names no base (--set base=…)")
	}
	return nil
}

// cells are a part's row of the table.
func (p checkPart) cells(name string) []string {
	cells := []string{name, ui.Count(p.Rows), ui.Count(p.Questions)}
	if l := p.Tokens; l != nil {
		for _, n := range []int{l.Samples, l.Tokens, l.Labels, l.Min, l.P50, l.P90, l.P99, l.Max} {
			cells = append(cells, ui.Count(n))
		}
	}
	return cells
}

// languageLine names the languages, most frequent first; empty if there is one alone.
func languageLine(of map[string]int) string {
	var parts []string
	for _, name := range dataset.Reasons(of) {
		parts = append(parts, fmt.Sprintf("%s %s", name, ui.Count(of[name])))
	}
	return strings.Join(parts, ", ")
}

// leakLines are what there is to say of leaks.
func leakLines(l *dataset.Leaks) []string {
	const most = 5
	var lines []string
	if l.Rows == 0 {
		lines = append(lines, "none: no part asks what another one asks")
	} else {
		lines = append(lines, l.Sentence()+": "+l.Kinds())
	}
	for i, p := range l.Pairs {
		if i == most {
			lines = append(lines, fmt.Sprintf("and %s more (--json has the worst %d)", ui.Count(l.Rows-most), len(l.Pairs)))
			break
		}
		lines = append(lines, p.String())
	}
	if l.Rows > 0 {
		cure := "set data.split.group=near to keep them in one part, or data.split.leaks=accept to go on all the same"
		if l.Accepted {
			cure = "accepted, as data.split.leaks says; data.split.group=near would keep them in one part"
		}
		lines = append(lines, cure)
	}
	if l.Similar > 0 {
		lines = append(lines, fmt.Sprintf("not counted: %s rows that differ from another part's in a number, a name or a template's value alone", ui.Count(l.Similar)))
	}
	if l.SharedAnswers > 0 {
		lines = append(lines, fmt.Sprintf("not counted: %s rows whose long answer another part has to another question", ui.Count(l.SharedAnswers)))
	}
	return lines
}

// leaksAccepted is a line about leaks that a run goes on with.
func leaksAccepted(l *dataset.Leaks) string {
	return fmt.Sprintf("leaks accepted: %s (%s)", l.Sentence(), l.Kinds())
}

// printDetails prints rows with what they say.
func printDetails(w io.Writer, rows []dataset.Detail) error {
	var b strings.Builder
	for i, r := range rows {
		if i == 0 || rows[i-1].Reason != r.Reason {
			fmt.Fprintf(&b, "%s\n", ui.EscapeLine(r.Reason))
		}
		line := r.ID
		if at := fmt.Sprintf("%s:%d", r.File, r.Line); r.File != "" && !strings.HasSuffix("/"+at, "/"+r.ID) {
			line += " (" + at + ")"
		}
		if r.Of != "" {
			line += ", as " + r.Of
		}
		fmt.Fprintf(&b, "  %s\n", ui.EscapeLine(line))
		for _, t := range []struct{ name, text string }{{"question", r.Question}, {"answer", r.Answer}, {"before", r.Before}, {"after", r.After}} {
			if t.text != "" && (r.Before == "" || t.name == "before" || t.name == "after") {
				fmt.Fprintf(&b, "    %-8s  %s\n", t.name, ui.EscapeLine(t.text))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
