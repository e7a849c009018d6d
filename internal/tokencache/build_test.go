package tokencache

import (
	"os"
	"path/filepath"
	"testing"

	"ft/dataset"
)

// names are the files in a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// Data that is too large for memory is the same as data in memory, its file becomes the cache's, and what is not stored leaves nothing behind.
func TestBuilder_file(t *testing.T) {
	defer func(n int) { memoryBytes = n }(memoryBytes)
	memoryBytes = 100
	dir := t.TempDir()
	c := Open(filepath.Join(dir, "cache"))
	k := key(t, c, config(t, dir))
	want := made(t, 9)
	got := built(t, 9, c.dir)
	if got.mapping == nil {
		t.Fatal("the data is in memory")
	}
	same(t, got, want)
	if !got.Whole() {
		t.Error("not whole")
	}
	if err := c.Store(k, got); err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	if err := got.Close(); err != nil {
		t.Error(err)
	}
	again := c.Load(k)
	if again == nil || !again.Whole() {
		t.Fatal("stored and not found")
	}
	same(t, again, want)
	before, _ := os.ReadFile(k.file(c))
	if err := c.Store(k, want); err != nil { // out of memory
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(k.file(c)); string(after) != string(before) {
		t.Error("another file from memory than from a file")
	}
	again.Close()
	left := len(names(t, c.dir))
	for range 2 {
		d := built(t, 3, c.dir)
		if len(names(t, c.dir)) != left+1 {
			t.Error("no file")
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if len(names(t, c.dir)) != left {
			t.Errorf("files are left: %v", names(t, c.dir))
		}
	}
	b := NewBuilder(c.dir)
	for range 100 {
		b.Train(dataset.Sample{ID: "x", IDs: []int32{1}, Labels: []int32{1}})
	}
	b.Close()
	if len(names(t, c.dir)) != left {
		t.Errorf("a building that ended early leaves %v", names(t, c.dir))
	}
}

// Where no file can be made the data stays in memory.
func TestBuilder_noFile(t *testing.T) {
	defer func(n int) { memoryBytes = n }(memoryBytes)
	memoryBytes = 100
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for _, dir := range []string{"", file} {
		d := built(t, 9, dir)
		if d.mapping != nil {
			t.Error("there is a file")
		}
		same(t, d, made(t, 9))
	}
}
