package run

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"ft/internal/plainjson"
)

// Rows is a JSONL file that grows row by row. Each row reaches the operating system in one write, so a
// crash of the program loses none.
type Rows struct{ f *os.File }

// Prediction is a row of predictions.jsonl.
type Prediction struct {
	ID         string `json:"id"`
	Prompt     string `json:"prompt"`
	Prediction string `json:"prediction"`
	Reference  string `json:"reference"`
	Sample     *int   `json:"sample,omitempty"`   // which of several answers to the row; nil if it has one
	Decoding   any    `json:"decoding,omitempty"` // how the answer was written, if not greedily
	Key        string `json:"key,omitempty"`      // identifies all that the answer depends on
}

// Append opens a row file of the run (LogFile, PredictionsFile) to go on with it, and makes it if need be.
// A last row that a crash left unfinished is cut off.
func (r *Run) Append(name string) (*Rows, error) {
	return openRows(r.Path(name), os.O_RDWR|os.O_CREATE)
}

// Replace opens a row file of the run and empties it.
func (r *Run) Replace(name string) (*Rows, error) {
	return openRows(r.Path(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

func openRows(path string, flags int) (*Rows, error) {
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	end, err := lastRowEnd(f)
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("run: %s: %w", path, err)
	}
	return &Rows{f}, nil
}

// lastRowEnd is the offset after the last new line of f, 0 if there is none.
func lastRowEnd(f *os.File) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 4096)
	for end > 0 {
		start := max(0, end-int64(len(buf)))
		part := buf[:end-start]
		if _, err := f.ReadAt(part, start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// Write adds v as one row. JSON has no NaN or infinity: a row with one is an error.
func (w *Rows) Write(v any) error {
	data, err := plainjson.Marshal(v, "")
	if err == nil {
		_, err = w.f.Write(data)
	}
	if err != nil {
		return fmt.Errorf("run: %s: %w", w.f.Name(), err)
	}
	return nil
}

// Close closes the file.
func (w *Rows) Close() error { return w.f.Close() }
