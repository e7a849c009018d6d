package dataset

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// parquetMagic begins and ends a Parquet file.
const parquetMagic = "PAR1"

// readParquet hands every row to r. Columns keep what they hold: text is text, everything else JSON, with the fields of structs in the
// order of the schema. Lines are numbers of rows.
func (r *reading) readParquet(file io.ReaderAt, size int64) (err error) {
	row := 0
	damaged := func(what any) error {
		if row == 0 {
			return fmt.Errorf("%s: damaged Parquet file: %v", r.name, what)
		}
		return fmt.Errorf("%s: damaged Parquet file behind row %d: %v", r.name, row, what)
	}
	defer func() {
		if p := recover(); p != nil { // the library's answer to some damage
			err = damaged(p)
		}
	}()
	if err := checkFooter(file, size); err != nil {
		return damaged(err)
	}
	f, err := parquet.OpenFile(file, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return damaged(err)
	}
	columns := map[string]parquet.Node{}
	for _, c := range f.Schema().Fields() {
		columns[c.Name()] = c
	}
	rows := parquet.NewGenericReader[any](f)
	defer rows.Close()
	for batch := make([]any, 16); ; {
		n, err := rows.Read(batch)
		for _, v := range batch[:n] {
			row++
			if err := r.parquetRow(row, columns, v); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if want := f.NumRows(); int64(row) != want {
				return damaged(fmt.Sprintf("it should have %d rows", want))
			}
			return nil
		case err != nil:
			return damaged(err)
		case n == 0:
			return damaged("it ends too early")
		}
	}
}

// checkFooter makes sure that the file ends as a Parquet file does. The library would reserve as much memory as a damaged length says.
func checkFooter(file io.ReaderAt, size int64) error {
	var end [8]byte // the length of the footer and the magic
	if size < int64(len(end)+len(parquetMagic)) {
		return errors.New("it ends too early")
	}
	if _, err := file.ReadAt(end[:], size-int64(len(end))); err != nil && err != io.EOF {
		return err
	}
	if string(end[4:]) != parquetMagic {
		return errors.New("its end is missing")
	}
	if n := int64(binary.LittleEndian.Uint32(end[:])); n > size-int64(len(end)+len(parquetMagic)) {
		return fmt.Errorf("a footer of %d bytes in a file of %d", n, size)
	}
	return nil
}

// parquetRow hands one row on.
func (r *reading) parquetRow(row int, columns map[string]parquet.Node, v any) error {
	all, _ := v.(map[string]any)
	fields := make(map[string]any, len(all))
	for name, value := range all {
		switch s := value.(type) {
		case string: // perhaps bytes of something else, which matters if the column is one of those that are used
			fields[name] = s
		default:
			raw, err := parquetJSON(nil, columns[name], value)
			if err != nil {
				return r.bad(row, fmt.Errorf("column %q: %w", name, err))
			}
			fields[name] = json.RawMessage(raw)
		}
	}
	return r.take(row, fields)
}

// parquetJSON appends a value as JSON.
func parquetJSON(b []byte, node parquet.Node, value any) ([]byte, error) {
	var err error
	comma := func(i int) {
		if i > 0 {
			b = append(b, ',')
		}
	}
	switch v := value.(type) {
	case map[string]any:
		names := ordered(node, v)
		b = append(b, '{')
		for i, f := range names {
			comma(i)
			b = append(append(b, quote(f.Name())...), ':')
			if b, err = parquetJSON(b, f, v[f.Name()]); err != nil {
				return nil, err
			}
		}
		if len(names) == len(v) {
			return append(b, '}'), nil
		}
		b = b[:len(b)-1] // a map: its keys are no fields
	case []any:
		b = append(b, '[')
		for i, member := range v {
			comma(i)
			if b, err = parquetJSON(b, element(node), member); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case string:
		if !utf8.ValidString(v) { // a picture's bytes, or the like
			return append(b, "null"...), nil
		}
		return append(b, quote(v)...), nil
	}
	text, err := json.Marshal(value)
	return append(b, text...), err
}

// ordered are the fields of a struct, in the order of the schema; none for anything else.
func ordered(node parquet.Node, v map[string]any) []parquet.Field {
	if node == nil || node.Leaf() || len(node.Fields()) != len(v) {
		return nil
	}
	for _, f := range node.Fields() {
		if _, ok := v[f.Name()]; !ok {
			return nil
		}
	}
	return node.Fields()
}

// element is the node of a list's elements: that below the two levels that a LIST has, or the repeated node itself.
func element(node parquet.Node) parquet.Node {
	if node == nil || node.Leaf() {
		return nil
	}
	if f := node.Fields(); len(f) == 1 && !f[0].Leaf() && len(f[0].Fields()) == 1 {
		return f[0].Fields()[0]
	}
	return node
}

// randomAccess gives a file with random access, which Parquet needs: the file itself, or where it has none or is compressed as a whole, its
// bytes in a scratch file, in memory if there can be none.
func (r *reading) randomAccess(content io.Reader) (file io.ReaderAt, size int64, done func(), err error) {
	type random interface {
		io.ReaderAt
		Stat() (fs.FileInfo, error)
	}
	if f, ok := r.file.(random); ok && r.info.Compression == "" {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return f, info.Size(), func() {}, nil
		}
	}
	if s, err := newScratch(r.from.Scratch); err == nil {
		if size, err = io.Copy(s, content); err != nil {
			s.Close()
			return nil, 0, nil, err
		}
		return s, size, func() { s.Close() }, nil
	}
	data, err := io.ReadAll(content)
	return bytes.NewReader(data), int64(len(data)), func() {}, err
}
