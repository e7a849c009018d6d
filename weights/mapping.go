package weights

import (
	"fmt"
	"math"
	"os"
)

// Mapping is a file's content as memory, read-only. Where the system can it is a view of the file that is
// read page by page when touched; elsewhere it is a copy. The file must not be cut short while it is open.
type Mapping struct {
	Bytes []byte // writing to it crashes the program
	free  func() error
}

// Map opens the regular file at path. An empty file gives a Mapping without bytes.
func Map(path string) (*Mapping, error) {
	// Asked before the file is opened, because opening a pipe waits for its other end.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return &Mapping{}, nil
	}
	if info.Size() > math.MaxInt {
		return nil, fmt.Errorf("%s: %d bytes are too many for this machine", path, info.Size())
	}
	bytes, free, err := mapFile(f, int(info.Size()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Mapping{Bytes: bytes, free: free}, nil
}

// Close gives the memory back; Bytes must not be used any more. A second Close does nothing.
func (m *Mapping) Close() error {
	free := m.free
	m.Bytes, m.free = nil, nil
	if free == nil {
		return nil
	}
	return free()
}
