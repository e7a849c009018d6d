package compare

import (
	_ "embed"
	"html/template"
	"io"

	"ft/eval"
	"ft/internal/chart"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

//go:embed page.css
var pageStyle string

// curvePoints bounds the points of a curve of training losses.
const curvePoints = 60

// pageRow is a row as the page shows it.
type pageRow struct {
	Row
	Colour int
	Cells  []string // behind the name
	Best   []bool   // which of the cells are the best of their column
}

// HTML writes the report as one HTML page that needs nothing from elsewhere.
func (r *Report) HTML(w io.Writer) error {
	var val, train []chart.Line
	var rows []pageRow
	for i, row := range r.Rows {
		colour := (i + chart.Colours - 1) % chart.Colours // the base, which has no curve, takes none
		cells := r.cells(row)[1:]
		rows = append(rows, pageRow{row, colour, cells, make([]bool, len(cells))})
		if i > 0 {
			style := chart.Solid
			if i > chart.Colours {
				style = chart.Dash // the colours begin again
			}
			val = append(val, chart.Line{Name: row.Name, Colour: colour, Style: style, Points: row.Val, Markers: true})
			train = append(train, chart.Line{Name: row.Name, Colour: colour, Style: style, Points: chart.Stretches(row.Train, curvePoints)})
		}
	}
	r.markBest(rows)
	return page.Execute(w, map[string]any{
		"Report": r, "Header": r.header(), "Rows": rows,
		"Page":  chart.NewPage(pageStyle),
		"Val":   chart.Chart{Title: "Validation loss", Axis: "optimizer steps", One: "step", Lines: val}.HTML(),
		"Train": chart.Chart{Title: "Training loss", Axis: "optimizer steps", One: "step", Lines: train}.HTML(),
	})
}

// firstScore is the place of the validation loss among a row's cells, and of the scores behind it.
const firstScore = 4

// markBest marks the lowest validation loss and the best scores, all of those that look the same.
func (r *Report) markBest(rows []pageRow) {
	for c, name := range append([]string{""}, r.metrics()...) {
		best := -1
		var most float64
		for i, row := range rows {
			v, ok := row.Metrics[name]
			switch better := eval.BetterOf(name); {
			case c == 0:
				if ok = row.ValLoss != nil; ok {
					v = -*row.ValLoss
				}
			case better == eval.Lower:
				v = -v
			case better == eval.Neither:
				ok = false
			}
			if ok && (best < 0 || v > most) {
				best, most = i, v
			}
		}
		for i := range rows {
			rows[i].Best[firstScore+c] = best >= 0 && rows[i].Cells[firstScore+c] == rows[best].Cells[firstScore+c]
		}
	}
}
