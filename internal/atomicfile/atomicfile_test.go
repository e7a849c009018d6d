package atomicfile

import (
	"os"
	"path/filepath"
	"testing"
)

// only asserts that dir holds exactly the named files.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if len(got) != len(names) {
		t.Fatalf("folder holds %v, want %v", got, names)
	}
	for i := range names {
		if got[i] != names[i] {
			t.Fatalf("folder holds %v, want %v", got, names)
		}
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCommit_replaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"new ", "text"} {
		if _, err := f.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if got := content(t, path); got != "old" {
		t.Errorf("before Commit a reader sees %q, want the old content", got)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	if got := content(t, path); got != "new text" {
		t.Errorf("after Commit: %q", got)
	}
	if err := f.Commit(); err == nil {
		t.Error("a second Commit succeeded")
	}
	only(t, dir, "a.txt")
}

func TestAbort_leavesTarget(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("half of it"))
	f.Abort()
	if got := content(t, path); got != "old" {
		t.Errorf("after Abort: %q", got)
	}
	only(t, dir, "a.txt")
}

func TestCreate_refuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir); err == nil {
		t.Error("a directory was accepted as target")
	}
	if _, err := Create(filepath.Join(dir, "missing", "a")); err == nil {
		t.Error("a target in a missing folder was accepted")
	}
	only(t, dir)
}

func TestWriteFile_othersMayRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := WriteFile(path, nil); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "b")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	a, _ := os.Stat(path)
	b, _ := os.Stat(plain)
	if a.Mode() != b.Mode() {
		t.Errorf("mode %v, a plain file gets %v", a.Mode(), b.Mode())
	}
}
