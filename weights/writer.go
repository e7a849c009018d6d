package weights

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"

	"ft/internal/atomicfile"
	"ft/internal/quant"
)

// Extent is the place of one tensor in a file that is being written.
type Extent struct {
	Name string
	Type quant.Type // what WriteFloats rounds to; a format that cannot be written takes only raw bytes
	Size int        // bytes
}

// Writer writes a model file: a header made by a format package, then the data of the declared tensors in
// their order. The file appears under its name when Close succeeds; until then, and after any error, what
// was there before stays. Memory use does not depend on the size of the tensors. Not safe for concurrent use.
//
// Every tensor is opened with Next and filled with Write or WriteFloats. `defer w.Abort()` right after the
// format's NewWriter is the usual form.
type Writer struct {
	path    string
	file    *atomicfile.File
	out     *bufio.Writer
	extents []Extent
	align   int
	current int // index of the open tensor, -1 before the first
	left    int // bytes that it still lacks
	total   int // bytes written behind the header
	err     error
}

// NewWriter starts a model file at path with a header. Each tensor starts at a multiple of align bytes
// behind the header, and the data ends at one; the gaps are zeros.
func NewWriter(path string, header []byte, extents []Extent, align int) (*Writer, error) {
	file, err := atomicfile.Create(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %s not written: %w", path, cause(err))
	}
	w := &Writer{path: path, file: file, out: bufio.NewWriterSize(file, 1<<18), extents: extents, align: align, current: -1}
	if _, err := w.out.Write(header); err != nil {
		return nil, w.fail(err)
	}
	return w, nil
}

// Next opens the next declared tensor. name must be its name and the tensor before it complete.
func (w *Writer) Next(name string) error {
	if err := w.finish(); err != nil {
		return err
	}
	if w.current+1 == len(w.extents) {
		return w.fail(fmt.Errorf("tensor %q was not declared or came late: all %d are written", name, len(w.extents)))
	}
	if want := w.extents[w.current+1].Name; name != want {
		return w.fail(fmt.Errorf("tensor %q came where %q was declared", name, want))
	}
	w.current++
	w.left = w.extents[w.current].Size
	return nil
}

// Write appends raw bytes to the open tensor.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if len(p) > w.left {
		return 0, w.fail(fmt.Errorf("%d bytes too many for tensor %s", len(p)-w.left, w.name()))
	}
	n, err := w.out.Write(p)
	w.left -= n
	w.total += n
	if err != nil {
		return n, w.fail(err)
	}
	return n, nil
}

// WriteFloats rounds values to the open tensor's format and appends them. Their number must be a
// multiple of the format's block.
func (w *Writer) WriteFloats(values []float32) error {
	if w.err != nil {
		return w.err
	}
	if w.current < 0 {
		return w.fail(errors.New("values came before the first tensor"))
	}
	typ := w.extents[w.current].Type
	if !typ.CanQuantize() || len(values)%typ.Block() != 0 {
		return w.fail(fmt.Errorf("tensor %s: %d values cannot be written as %s", w.name(), len(values), typ))
	}
	const chunk = 8192 // a multiple of every block
	buf := make([]byte, typ.RowBytes(min(chunk, len(values))))
	for len(values) > 0 {
		n := min(chunk, len(values))
		b := buf[:typ.RowBytes(n)]
		quant.Quantize(b, typ, values[:n])
		if _, err := w.Write(b); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// Close checks that all declared tensors are complete and gives the file its name. After an error, its own
// or an earlier one, the file does not exist.
func (w *Writer) Close() error {
	if err := w.finish(); err != nil {
		return err
	}
	if n := len(w.extents) - w.current - 1; n > 0 {
		return w.fail(fmt.Errorf("%d of %d tensors were not written, the first is %q", n, len(w.extents), w.extents[w.current+1].Name))
	}
	if err := w.out.Flush(); err != nil {
		return w.fail(err)
	}
	if err := w.file.Commit(); err != nil {
		return w.fail(err)
	}
	w.err = errClosed
	return nil
}

// Abort throws the unfinished file away. After Close or an error it does nothing.
func (w *Writer) Abort() {
	if w.err == nil {
		w.err = errClosed
		w.file.Abort()
	}
}

var errClosed = errors.New("weights: the writer is closed")

// finish checks that the open tensor is complete and pads behind it.
func (w *Writer) finish() error {
	if w.err != nil {
		return w.err
	}
	if w.left > 0 {
		return w.fail(fmt.Errorf("tensor %s lacks %d of its %d bytes", w.name(), w.left, w.extents[w.current].Size))
	}
	pad := (w.align - w.total%w.align) % w.align
	w.total += pad
	if _, err := w.out.Write(make([]byte, pad)); err != nil {
		return w.fail(err)
	}
	return nil
}

func (w *Writer) name() string {
	if w.current < 0 {
		return "(none is open)"
	}
	return fmt.Sprintf("%q", w.extents[w.current].Name)
}

// fail removes the unfinished file and keeps the error for all later calls.
func (w *Writer) fail(err error) error {
	w.file.Abort()
	w.err = fmt.Errorf("weights: %s not written: %w", w.path, cause(err))
	return w.err
}

// cause takes the temporary file's name, which nobody asked for, off the system's error.
func cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
