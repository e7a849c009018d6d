package weights

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

func mapFile(f *os.File, size int) ([]byte, func() error, error) {
	section, err := windows.CreateFileMapping(windows.Handle(f.Fd()), nil, windows.PAGE_READONLY, 0, 0, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping %d bytes: %w", size, err)
	}
	defer windows.CloseHandle(section) // the view keeps it alive
	address, err := windows.MapViewOfFile(section, windows.FILE_MAP_READ, 0, 0, uintptr(size))
	if err != nil {
		return nil, nil, fmt.Errorf("mapping %d bytes: %w", size, err)
	}
	// The view is no Go memory and does not move; the detour through &address is what vet asks for.
	start := *(**byte)(unsafe.Pointer(&address))
	return unsafe.Slice(start, size), func() error { return windows.UnmapViewOfFile(address) }, nil
}
