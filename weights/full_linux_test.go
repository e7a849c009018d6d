package weights

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/quant"

	"golang.org/x/sys/unix"
)

// TestWriter_fullDisk fills a file system of 64 KiB.
func TestWriter_fullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	defer unix.Unmount(dir, 0)
	path := filepath.Join(dir, "x")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(path, nil, []Extent{{"a", quant.F32, 1 << 22}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(w.Next("a"), w.WriteFloats(make([]float32, 1<<20)))
	if !errors.Is(err, unix.ENOSPC) || strings.Contains(err.Error(), ".tmp") || strings.Count(err.Error(), path) != 1 {
		t.Errorf("error %v, want one that says once that %s found no space", err, path)
	}
	if again := w.Close(); again == nil {
		t.Error("Close forgot the error")
	}
	onlyOld(t, path)
}
