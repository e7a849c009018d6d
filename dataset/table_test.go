package dataset

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fill sets every field below v to something that differs from field to field.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			if !f.CanSet() { // not exported
				f = reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()
			}
			fill(t, f, n)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes(fmt.Appendf(nil, `{"n": %d}`, *n))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("é%d\n", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(*n) << 40)
	default:
		t.Fatalf("a row has a %s", v.Type())
	}
}

// Whatever a row holds reads back.
func TestCodec(t *testing.T) {
	var full Row
	n := 0
	fill(t, reflect.ValueOf(&full).Elem(), &n)
	var c codec
	for _, want := range []Row{full, {}, {File: "other", Messages: []Message{{}}}, {File: "other", Line: 3, Answer: strings.Repeat("x", 1<<20)}} {
		b := c.append(nil, want)
		got, err := c.read(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(Row{})); d != "" {
			t.Error(d)
		}
		for i := range min(len(b), 200) {
			c.read(b[:i]) // an error, or another row; no panic
		}
		if _, err := c.read(append(b, 0)); err == nil {
			t.Error("a byte too many is not noticed")
		}
	}
}

// bigTable is a table of rows that are too many for memory, and those rows.
func bigTable(t *testing.T, dir string) (*Table, []Row) {
	t.Helper()
	table := newTable(dir)
	t.Cleanup(func() { table.Close() })
	var rows []Row
	for i := range 3 * (tableBytes >> 20) {
		r := Row{
			ID: fmt.Sprint("id", i), File: "a.jsonl", Line: i, Answer: fmt.Sprint(i, strings.Repeat("x", i*1000)),
			Messages: []Message{{Role: "user", Content: strings.Repeat("医", 200_000+i)}},
		}
		rows = append(rows, r)
		if err := table.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return table, rows
}

func sameRow(t *testing.T, want, got Row, err error) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(want, got) {
		t.Errorf("row %s: got row %s, %v", want.ID, got.ID, err)
	}
}

func TestTable_scratch(t *testing.T) {
	dir := t.TempDir()
	table, rows := bigTable(t, dir)
	if table.file == nil || table.rows != nil {
		t.Fatal("the rows are in memory")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 && runtime.GOOS != "windows" {
		t.Errorf("%s has a name", left[0].Name())
	}
	i := 0
	for r, err := range table.View().All() {
		sameRow(t, rows[i], r, err)
		i++
	}
	if i != len(rows) {
		t.Errorf("%d rows of %d", i, len(rows))
	}
	var backwards []int32
	for i := range rows {
		backwards = append(backwards, int32(len(rows)-1-i))
	}
	i = len(rows)
	for r, err := range table.View().Pick(backwards).All() {
		i--
		sameRow(t, rows[i], r, err)
	}
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for i := range rows {
				i = (i*7 + k) % len(rows)
				r, err := table.At(i)
				sameRow(t, rows[i], r, err)
			}
		})
	}
	wg.Wait()
	n := 0
	for block, err := range table.View().Blocks() {
		if err != nil || len(block) == 0 || len(block) > 20 {
			t.Errorf("a block of %d rows of about 0.6 MB, %v", len(block), err)
		}
		for _, r := range block {
			sameRow(t, rows[n], r, nil)
			n++
		}
	}
	if n != len(rows) {
		t.Errorf("%d rows in blocks of %d", n, len(rows))
	}
	for i, r := range rows {
		if at, ok := table.find(r.ID); !ok || at != i {
			t.Errorf("%s is found at %d, %v", r.ID, at, ok)
		}
	}
	if _, ok := table.find("nobody"); ok {
		t.Error("found an id that no row has")
	}
}

// Where no file can be made the rows stay in memory.
func TestTable_noScratch(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", file} {
		table, rows := bigTable(t, dir)
		if table.file != nil {
			t.Fatal("there is a file")
		}
		r, err := table.At(len(rows) - 1)
		sameRow(t, rows[len(rows)-1], r, err)
	}
}

// A full disk is told as one.
func TestTable_fullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	table := newTable(t.TempDir())
	table.file = &scratch{full}
	for range 100 {
		err = table.Add(Row{Answer: strings.Repeat("x", 1<<16)})
		if err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "more room than the disk has") || !strings.Contains(err.Error(), "FT_CACHE_DIR") {
		t.Errorf("got %v", err)
	}
}
