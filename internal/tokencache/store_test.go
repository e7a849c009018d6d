package tokencache

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStore_cannot: where nothing can be written nothing is cached, and nothing else fails.
func TestStore_cannot(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "")
	for _, c := range []*Cache{Open(filepath.Join(file, "cache")), Open(file)} {
		k := key(t, c, config(t, dir))
		if c.Load(k) != nil {
			t.Error("a hit")
		}
		if err := c.Store(k, made(t, 2)); err == nil {
			t.Error("stored in a folder that cannot be")
		}
	}
}

// TestStore_sweep: what nobody used for a month goes; what is not ours stays.
func TestStore_sweep(t *testing.T) {
	c := Open(t.TempDir())
	old := time.Now().Add(-unused - time.Hour)
	for _, name := range []string{"a.data", "a.sum", ".a.data.12345678.tmp", "a.txt", "new.data", "used.data"} {
		path := filepath.Join(c.dir, name)
		write(t, path, "")
		if name != "new.data" {
			os.Chtimes(path, old, old)
		}
	}
	k := Key{}
	if err := c.Store(k, made(t, 1)); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(c.dir)
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	want := []string{hex.EncodeToString(k.hash[:20]) + dataExt, "a.txt", "new.data"}
	if d := cmp.Diff(want, left); d != "" {
		t.Error(d)
	}
	os.Chtimes(k.file(c), old, old)
	c.Load(k).Close()
	if err := c.Store(Key{hash: [32]byte{9}}, made(t, 1)); err != nil {
		t.Fatal(err)
	}
	if d := c.Load(k); d == nil {
		t.Error("a file in use was swept away")
	} else {
		d.Close()
	}
}

// TestCache_atOnce: runs that use one cache at once each get what they asked for, or nothing.
func TestCache_atOnce(t *testing.T) {
	dir := t.TempDir()
	d := config(t, dir)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			c := Open(filepath.Join(dir, "cache"))
			d := d
			d.MaxTokens += i % 2
			want := made(t, 3+i%2)
			for range 20 {
				k := key(t, c, d)
				if err := c.Store(k, want); err != nil {
					t.Error(err)
				}
				got := c.Load(k)
				if got == nil || !got.Whole() {
					t.Error("stored and not found")
					continue
				}
				same(t, got, want)
				got.Close()
			}
		})
	}
	wg.Wait()
}
