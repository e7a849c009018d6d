package dataset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
)

// scratch is a file without a name for what is too much for memory. Where a file must have a name as long as it is open, Close removes it.
type scratch struct {
	f *os.File
}

// newScratch makes a scratch file in a folder, which it makes too.
func newScratch(dir string) (*scratch, error) {
	if dir == "" {
		return nil, errors.New("no folder for scratch files")
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, ".scratch.*.tmp") // what a crash leaves is found by its name
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" {
		os.Remove(f.Name())
	}
	return &scratch{f}, nil
}

// Write writes behind what is there.
func (s *scratch) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("rows need more room than the disk has: %w; make some, or let FT_CACHE_DIR name a folder with more", err)
	}
	return n, err
}

// ReadAt reads anywhere; it is safe for concurrent use.
func (s *scratch) ReadAt(p []byte, at int64) (int, error) {
	n, err := s.f.ReadAt(p, at)
	if err == io.EOF && n == len(p) {
		err = nil
	}
	return n, err
}

// Close gives the room back.
func (s *scratch) Close() error {
	err := s.f.Close()
	if runtime.GOOS == "windows" {
		err = errors.Join(err, os.Remove(s.f.Name()))
	}
	return err
}
