package compare

import (
	_ "embed"
	"html/template"
	"io"

	"ft/eval"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// colours is the number of colours in the page's palette.
const colours = 8

// curvePoints bounds the points of a curve of training losses.
const curvePoints = 60

// pageRow is a row as the page shows it.
type pageRow struct {
	Row
	Colour int
	Cells  []string // behind the name
	Best   []bool   // which of the cells are the best of their column
}

// HTML writes the report as one HTML page without scripts, fonts or anything else from elsewhere.
func (r *Report) HTML(w io.Writer) error {
	var val, train []series
	var rows []pageRow
	for i, row := range r.Rows {
		colour := (i + colours - 1) % colours // the base, which has no curve, takes none
		cells := r.cells(row)[1:]
		rows = append(rows, pageRow{row, colour, cells, make([]bool, len(cells))})
		if i > 0 {
			val = append(val, series{row.Name, colour, row.Val, true})
			train = append(train, series{row.Name, colour, smooth(row.Train, curvePoints), false})
		}
	}
	r.markBest(rows)
	return page.Execute(w, map[string]any{
		"Report": r, "Header": r.header(), "Rows": rows,
		"Val": chart("validation loss by step", val), "Train": chart("training loss by step", train),
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
