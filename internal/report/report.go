// Package report makes a run's report.html out of the run's files: one page that needs nothing from elsewhere. Each file may be missing, and what
// needs it is left out then; the same files give the same bytes.
package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"path/filepath"

	"ft/internal/atomicfile"
	"ft/internal/chart"
	"ft/internal/run"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

var page = template.Must(template.New("page").Parse(pageSource))

// Write puts report.html into the run directory dir and returns its path.
func Write(dir string) (string, error) {
	var b bytes.Buffer
	if err := HTML(&b, dir); err != nil {
		return "", err
	}
	path := filepath.Join(dir, run.ReportFile)
	return path, atomicfile.WriteFile(path, b.Bytes())
}

// HTML writes the report of the run in the directory dir. A directory without any of a run's files is an error, and so is a file that is there
// but cannot be read; one whose content makes no sense is named on the page.
func HTML(w io.Writer, dir string) error {
	s, err := read(dir)
	if err != nil {
		return err
	}
	v := view{Page: chart.NewPage(pageStyle)}
	v.headline(s)
	v.scores(s)
	v.curves(s)
	v.rows(s)
	v.data(s)
	v.origin(s)
	v.Files = s.remarks
	if err := page.Execute(w, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// view is what the page shows. Texts from files are escaped for the eye (ui.Escape) before they get here; the template escapes them for HTML.
type view struct {
	Page     chart.Page
	Name     string
	Status   string // empty for a run that is done
	Subject  string // what was trained on what
	Results  []string
	Scores   *table
	Facts    []fact // of the evaluation
	Sign     []fact // signatures
	Tables   []table
	Thinned  bool // a curve is not drawn with all of its points
	Charts   []template.HTML
	Evals    *table
	Lists    []rowList
	RowNote  string
	Lengths  []template.HTML
	DataNote string
	Parts    []fact
	Reasons  []table
	Origin   []fact
	Inputs   *table
	Config   string
	Files    []string // remarks on files
}

// fact is a name and a value.
type fact struct{ Name, Value string }

// table is rows of cells under a header. The first cell of a row names it.
type table struct {
	Title, Note string
	Head        []string
	Rows        [][]cell
}

// Words tells whether a column holds texts rather than numbers.
func (t table) Words(column int) bool {
	return len(t.Rows) > 0 && column < len(t.Rows[0]) && t.Rows[0][column].Class == "text"
}

// cell is one of a table; Class is how it looks.
type cell struct{ Text, Class string }

func cells(texts ...string) []cell {
	out := make([]cell, len(texts))
	for i, t := range texts {
		out[i].Text = t
	}
	return out
}
