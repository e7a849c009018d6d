package dataset

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// tableBytes is how much text a table keeps in memory.
const tableBytes = 32 << 20

// Table is rows in the order in which they were added. Up to tableBytes of text are in memory; a table of more than that keeps all of its rows in a
// scratch file, and of each row 24 bytes.
type Table struct {
	rows  []Row    // unless there is a file
	ids   []idHash // of all rows
	bytes int      // of rows, about
	dir   string   // for the file; empty for none
	file  *scratch // nil while the rows are in memory
	ends  []int64  // where each row ends in the file
	tail  []byte   // rows that are not in the file yet
	codec codec
	order []int32 // rows by the hashes of their ids, once asked for
}

// idHash stands for an id: the first half of its SHA-256.
type idHash [16]byte

func hashID(id string) idHash {
	h := sha256.Sum256([]byte(id))
	return idHash(h[:16])
}

// NewTable makes a table of rows, in memory.
func NewTable(rows ...Row) *Table {
	t := newTable("")
	for _, r := range rows {
		t.Add(r) // cannot fail without a file
	}
	return t
}

// newTable makes a table that may have a scratch file in a folder.
func newTable(dir string) *Table { return &Table{dir: dir} }

// Add puts a row behind the others. It must not run beside anything else; an error is the disk's.
func (t *Table) Add(r Row) error {
	const overhead = 200 // of a row in memory beside its text
	t.ids = append(t.ids, hashID(r.ID))
	t.order = nil
	if t.file != nil {
		return t.append(r)
	}
	t.rows = append(t.rows, r)
	if t.bytes += r.size() + overhead; t.bytes <= tableBytes || t.dir == "" {
		return nil
	}
	file, err := newScratch(t.dir)
	if err != nil {
		t.dir = "" // memory, then
		return nil
	}
	t.file = file
	for _, r := range t.rows {
		if err := t.append(r); err != nil {
			return err
		}
	}
	t.rows = nil
	return nil
}

// append puts a row behind those in the file.
func (t *Table) append(r Row) error {
	const most = 1 << 18
	before := len(t.tail)
	t.tail = t.codec.append(t.tail, r)
	t.ends = append(t.ends, t.end()+int64(len(t.tail)-before))
	if len(t.tail) < most {
		return nil
	}
	_, err := t.file.Write(t.tail)
	t.tail = t.tail[:0]
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	return nil
}

// end is where the last row ends.
func (t *Table) end() int64 {
	if len(t.ends) == 0 {
		return 0
	}
	return t.ends[len(t.ends)-1]
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.ids) }

// At is row i. An error means that the row cannot be read back. It is safe for concurrent use.
func (t *Table) At(i int) (Row, error) {
	c := cursor{table: t}
	return c.at(i)
}

// cursor reads rows of a table; those that follow one another are read from the file together.
type cursor struct {
	table *Table
	buf   []byte
	from  int64 // where buf lies in the file
	next  int   // the row behind the last one that was asked for
}

// at is row i.
func (c *cursor) at(i int) (Row, error) {
	const ahead = 1 << 18
	t := c.table
	if t.file == nil {
		return t.rows[i], nil
	}
	lo, hi := int64(0), t.ends[i]
	if i > 0 {
		lo = t.ends[i-1]
	}
	if flushed := t.end() - int64(len(t.tail)); lo >= flushed {
		return t.codec.read(t.tail[lo-flushed : hi-flushed])
	}
	if lo < c.from || hi > c.from+int64(len(c.buf)) {
		n := hi - lo
		if near := i >= c.next && i < c.next+16; near && c.next > 0 {
			n = max(n, min(ahead, t.end()-int64(len(t.tail))-lo))
		}
		if int64(cap(c.buf)) < n {
			c.buf = make([]byte, n)
		}
		c.buf, c.from = c.buf[:n], lo
		if _, err := t.file.ReadAt(c.buf, lo); err != nil {
			c.buf = c.buf[:0]
			return Row{}, fmt.Errorf("dataset: rows cannot be read back: %w", err)
		}
	}
	c.next = i + 1
	return t.codec.read(c.buf[lo-c.from : hi-c.from])
}

// View is the table's rows, all of them.
func (t *Table) View() View {
	at := make([]int32, t.Len())
	for i := range at {
		at[i] = int32(i)
	}
	return View{table: t, at: at}
}

// Close gives back what the table holds beside memory. Its views must not be used any more.
func (t *Table) Close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

// byHash are the rows in the order of the hashes of their ids, rows of one id in their own order.
func (t *Table) byHash() []int32 {
	if t.order == nil {
		t.order = make([]int32, t.Len())
		for i := range t.order {
			t.order[i] = int32(i)
		}
		slices.SortFunc(t.order, func(a, b int32) int {
			return cmp.Or(bytes.Compare(t.ids[a][:], t.ids[b][:]), cmp.Compare(a, b))
		})
	}
	return t.order
}

// find is the row with an id, if there is one.
func (t *Table) find(id string) (int, bool) {
	h, order := hashID(id), t.byHash()
	i, ok := slices.BinarySearchFunc(order, h, func(row int32, h idHash) int { return bytes.Compare(t.ids[row][:], h[:]) })
	if !ok {
		return 0, false
	}
	return int(order[i]), true
}

// uniqueIDs returns an error that names both places of the first row whose id an earlier one has.
func (t *Table) uniqueIDs() error {
	first, of, n := -1, 0, 0
	begin := 0 // of those with one id
	order := t.byHash()
	for k, row := range order {
		if t.ids[row] != t.ids[order[begin]] {
			begin = k
		}
		if k == begin {
			continue
		}
		if n++; first < 0 || int(row) < first {
			first, of = int(row), int(order[begin])
		}
	}
	if n == 0 {
		return nil
	}
	r, err := t.At(first)
	was, err2 := t.At(of)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	err = fmt.Errorf("dataset: %s:%d: id %q is also the id of %s:%d", r.File, r.Line, r.ID, was.File, was.Line)
	if n > 1 {
		err = fmt.Errorf("%w (and %d more ids that are not the first)", err, n-1)
	}
	return err
}

// View is some rows of a table, in an order of its own. The zero View has none.
type View struct {
	table *Table
	at    []int32 // indices of rows
	mend  bool    // rows are repaired when they are read (Row.mended)
}

// Len is the number of rows.
func (v View) Len() int { return len(v.at) }

// At is row i of the view.
func (v View) At(i int) (Row, error) {
	c := cursor{table: v.table}
	return v.read(&c, i)
}

// read is row i of the view.
func (v View) read(c *cursor, i int) (Row, error) {
	r, err := c.at(int(v.at[i]))
	if v.mend && err == nil {
		r, _, _ = r.mended()
	}
	return r, err
}

// raw is the view with its rows as the files have them.
func (v View) raw() View { return View{table: v.table, at: v.at} }

// Pick is the rows with the given indices, which are those of the view.
func (v View) Pick(indices []int32) View {
	at := make([]int32, len(indices))
	for i, k := range indices {
		at[i] = v.at[k]
	}
	return View{v.table, at, v.mend}
}

// First is the first n rows; all for n of 0, or if there are fewer.
func (v View) First(n int) View {
	if n > 0 && n < len(v.at) {
		return View{v.table, v.at[:n:n], v.mend}
	}
	return v
}

// All goes over the rows. It ends at the first one that cannot be read back, with its error.
func (v View) All() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		c := cursor{table: v.table}
		for i := range v.at {
			r, err := v.read(&c, i)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Bounds of a block: what is in memory at one time while a view is gone through.
const (
	blockRows  = 1 << 10
	blockBytes = 8 << 20
)

// Blocks goes over the rows a block at a time, for work that is shared out. A block is the caller's to keep; it ends at
// the first row that cannot be read back, with its error.
func (v View) Blocks() iter.Seq2[[]Row, error] {
	return func(yield func([]Row, error) bool) {
		var block []Row
		bytes := 0
		for r, err := range v.All() {
			if err != nil {
				yield(nil, err)
				return
			}
			block = append(block, r)
			bytes += r.size()
			if len(block) == blockRows || bytes >= blockBytes {
				if !yield(block, nil) {
					return
				}
				block, bytes = nil, 0
			}
		}
		if len(block) > 0 {
			yield(block, nil)
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
