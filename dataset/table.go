package dataset

import "iter"

// Table is rows in the order in which they were added.
type Table struct{ rows []Row }

// NewTable makes a table of rows.
func NewTable(rows ...Row) *Table { return &Table{rows} }

// Add puts a row behind the others.
func (t *Table) Add(r Row) error {
	t.rows = append(t.rows, r)
	return nil
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// At is row i. An error means that the row cannot be read back.
func (t *Table) At(i int) (Row, error) { return t.rows[i], nil }

// View is the table's rows, all of them.
func (t *Table) View() View {
	at := make([]int32, t.Len())
	for i := range at {
		at[i] = int32(i)
	}
	return View{t, at}
}

// Close gives back what the table holds beside memory. Its views must not be used any more.
func (t *Table) Close() error { return nil }

// View is some rows of a table, in an order of its own. The zero View has none.
type View struct {
	table *Table
	at    []int32 // indices of rows
}

// Len is the number of rows.
func (v View) Len() int { return len(v.at) }

// At is row i of the view.
func (v View) At(i int) (Row, error) { return v.table.At(int(v.at[i])) }

// Pick is the rows with the given indices, which are those of the view.
func (v View) Pick(indices []int32) View {
	at := make([]int32, len(indices))
	for i, k := range indices {
		at[i] = v.at[k]
	}
	return View{v.table, at}
}

// First is the first n rows; all for n of 0, or if there are fewer.
func (v View) First(n int) View {
	if n > 0 && n < len(v.at) {
		return View{v.table, v.at[:n:n]}
	}
	return v
}

// All goes over the rows. It ends at the first one that cannot be read back, with its error.
func (v View) All() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for i := range v.at {
			r, err := v.At(i)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Rows are all rows, in memory: for a view that is known to be small.
func (v View) Rows() ([]Row, error) {
	rows := make([]Row, 0, v.Len())
	for r, err := range v.All() {
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}
