// Package atomicfile writes a file so that a reader, or a crash, sees the old content or the new one and
// never half of either: the bytes go to a hidden file beside the target, which takes the target's name
// only after they are on disk.
package atomicfile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// File is a file that appears under its name when Commit succeeds. It is not safe for concurrent use.
type File struct {
	f    *os.File
	path string
	done bool
}

// Create opens a new file that Commit will put at path, replacing what is there. The folder must exist.
// Every File needs a Commit or an Abort; `defer f.Abort()` right after Create is the usual form.
func Create(path string) (*File, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: is a directory", path)
	}
	dir, base := filepath.Split(path)
	for range 100 {
		// Not os.CreateTemp: that makes files only their owner can read.
		temp := filepath.Join(dir, fmt.Sprintf(".%s.%08x.tmp", base, rand.Uint32()))
		f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return &File{f: f, path: path}, nil
	}
	return nil, fmt.Errorf("%s: no free temporary name beside it", path)
}

// Write appends p. It returns the operating system's error, after which only Abort makes sense.
func (f *File) Write(p []byte) (int, error) { return f.f.Write(p) }

// Commit brings the bytes to disk and gives the file its name. When it fails the target is as it was
// before and the temporary file is gone.
func (f *File) Commit() error {
	if f.done {
		return fmt.Errorf("%s: already committed or aborted", f.path)
	}
	if err := f.f.Sync(); err != nil {
		f.Abort()
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.done = true
	err := f.f.Close()
	if err == nil {
		err = os.Rename(f.f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.f.Name())
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return syncDir(filepath.Dir(f.path))
}

// Abort throws the bytes away and leaves the target as it was. After Commit or Abort it does nothing.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	f.f.Close()
	os.Remove(f.f.Name())
}

// WriteFile puts data at path in one step, as Create, Write and Commit do.
func WriteFile(path string, data []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}
