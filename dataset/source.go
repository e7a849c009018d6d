package dataset

import (
	"io"
	"os"
)

// Source is where the stages find files.
type Source struct {
	// Open opens a file by its name; nil is os.Open. A file is read from its begin to its end, or as an io.ReaderAt
	// where it is one and its format asks for that.
	Open func(name string) (io.ReadCloser, error)
	// Scratch is the folder for a file of rows that are too many to keep in memory. Empty, or a folder in which
	// nothing can be made, keeps them in memory all the same.
	Scratch string
}

// open opens a file.
func (s Source) open(name string) (io.ReadCloser, error) {
	if s.Open != nil {
		return s.Open(name)
	}
	return os.Open(name)
}
