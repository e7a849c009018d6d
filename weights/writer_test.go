package weights

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/quant"
)

var extents = []Extent{{"a", quant.F32, 12}, {"b", quant.BF16, 2}, {"c", quant.Q4_K, 144}}

// newWriter starts a file in a folder of its own that already has an older one under the name.
func newWriter(t *testing.T) (*Writer, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(path, []byte("head"), extents, 8)
	if err != nil {
		t.Fatal(err)
	}
	return w, path
}

func TestWriter(t *testing.T) {
	w, path := newWriter(t)
	steps := []error{w.Next("a"), w.WriteFloats([]float32{1}), w.WriteFloats(nil), w.WriteFloats([]float32{2, 3}), w.Next("b"), w.WriteFloats([]float32{4}), w.Next("c")}
	_, err := w.Write(make([]byte, 100))
	steps = append(steps, err)
	_, err = w.Write(make([]byte, 44))
	steps = append(steps, err, w.Close())
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	want := "head\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x00\x00\x80\x40\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 144)
	if got, err := os.ReadFile(path); string(got) != want || err != nil {
		t.Errorf("file is %q (%v), want %q", got, err, want)
	}
	if err := w.Next("d"); err == nil {
		t.Error("a closed writer took a tensor")
	}
}

// TestWriter_long crosses the inner chunks and the buffer.
func TestWriter_long(t *testing.T) {
	values := make([]float32, 100_000)
	for i := range values {
		values[i] = float32(i)
	}
	path := filepath.Join(t.TempDir(), "x")
	w, err := NewWriter(path, nil, []Extent{{"a", quant.F32, 4 * len(values)}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Next("a"), w.WriteFloats(values), w.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := (Tensor{Type: quant.F32, Shape: []int{len(values)}, Data: data}).Floats(); !slices.Equal(got, values) {
		t.Error("the values changed")
	}
}

func TestWriter_refuses(t *testing.T) {
	raw := func(n int) func(*Writer) error {
		return func(w *Writer) error { _, err := w.Write(make([]byte, n)); return err }
	}
	next := func(name string) func(*Writer) error { return func(w *Writer) error { return w.Next(name) } }
	floats := func(n int) func(*Writer) error {
		return func(w *Writer) error { return w.WriteFloats(make([]float32, n)) }
	}
	closing := (*Writer).Close
	type steps = []func(*Writer) error
	cases := []struct {
		steps steps
		want  string
	}{
		{steps{raw(1)}, "1 bytes too many for tensor (none is open)"},
		{steps{floats(1)}, "before the first tensor"},
		{steps{next("b")}, `"b" came where "a" was declared`},
		{steps{next("a"), raw(13)}, `1 bytes too many for tensor "a"`},
		{steps{next("a"), raw(11), next("b")}, `"a" lacks 1 of its 12 bytes`},
		{steps{next("a"), floats(2), closing}, `"a" lacks 4 of its 12 bytes`},
		{steps{next("a"), floats(3), closing}, `2 of 3 tensors were not written, the first is "b"`},
		{steps{next("a"), floats(3), next("b"), raw(2), next("c"), floats(256)}, `"c": 256 values cannot be written as Q4_K`},
		{steps{next("a"), floats(3), next("b"), raw(2), next("c"), raw(144), next("d")}, `"d" was not declared`},
		{steps{closing}, "3 of 3 tensors"},
	}
	for _, c := range cases {
		w, path := newWriter(t)
		for i, step := range c.steps {
			err := step(w)
			if i+1 < len(c.steps) && err != nil {
				t.Fatalf("%q: step %d: %v", c.want, i, err)
			}
			if i+1 == len(c.steps) && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path)) {
				t.Errorf("error %v, want one with the path and %q", err, c.want)
			}
		}
		if err := w.Close(); err == nil {
			t.Errorf("%q: Close forgot the error", c.want)
		}
		w.Abort()
		onlyOld(t, path)
	}
}

// onlyOld checks that the older file stands unharmed and alone.
func onlyOld(t *testing.T, path string) {
	t.Helper()
	if got, err := os.ReadFile(path); string(got) != "old" || err != nil {
		t.Errorf("the file that was there is now %q (%v)", got, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("the folder holds %v (%v)", entries, err)
	}
}

func TestWriter_abort(t *testing.T) {
	w, path := newWriter(t)
	if err := w.Next("a"); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if err := w.WriteFloats([]float32{1}); err == nil {
		t.Error("an aborted writer took values")
	}
	onlyOld(t, path)
}

func TestNewWriter_noFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent", "x")
	_, err := NewWriter(path, nil, nil, 1)
	if !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), ".tmp") || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names %s", err, path)
	}
}
