// Package tokencache keeps the data of a training run as the run needs it, ready in one memory-mapped file: token ids
// and labels of the parts that training sees, rows of the parts that are answered, the split, the report. A run that finds its
// file starts without reading, splitting or tokenizing a row.
//
// A file's name is a hash of all that its content follows from: the program, the config's data section, the content of the data
// files, and what the base makes of text. Its header repeats the hash and has checksums, so a file that is damaged or not
// ours is ignored and replaced. The folder may be deleted at any time, and several runs may use it at once: a file appears whole
// or not at all, and one that is removed while it is mapped stays readable.
package tokencache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"ft/dataset"
	"ft/internal/atomicfile"
)

// Cache is a folder of prepared data.
type Cache struct{ dir string }

// Open gives the cache in a folder, which is made when something is stored.
func Open(dir string) *Cache { return &Cache{dir} }

const (
	dataExt = ".data"
	sumExt  = ".sum"
	unused  = 30 * 24 * time.Hour // after which a file is removed

	abandoned = 2 * 24 * time.Hour // after which that is done to one which a crash left half-made
)

// Key identifies prepared data.
type Key struct {
	hash [sha256.Size]byte
	// Sums are the SHA-256, in hex, of the files that the data comes from, by their path.
	Sums map[string]string
}

func (k Key) file(c *Cache) string {
	return filepath.Join(c.dir, hex.EncodeToString(k.hash[:20])+dataExt)
}

// Key computes the key of a config's data. text is what the base makes of text (base.Base.TextHash). The hash of a file that was
// hashed before and has kept size, times and identity is taken from the cache; Confirm is for those who hash it again.
func (c *Cache) Key(d dataset.Config, text [sha256.Size]byte) (Key, error) {
	k := Key{Sums: map[string]string{}}
	var err error
	if d.Files, _, err = dataset.Resolve(d.Files); err != nil {
		return Key{}, err
	}
	paths := d.Files
	if d.Split.Manifest != "" {
		paths = append(paths[:len(paths):len(paths)], d.Split.Manifest)
	}
	for _, path := range paths {
		sum, err := c.sum(path)
		if err != nil {
			return Key{}, err
		}
		k.Sums[path] = sum
	}
	d.Pack = false // does not change samples
	settings, err := json.Marshal(struct {
		Layout  int
		Program string
		Data    dataset.Config
		Sums    map[string]string
		Text    []byte
	}{layout, program(), d, k.Sums, text[:]})
	if err != nil {
		return Key{}, err
	}
	k.hash = sha256.Sum256(settings)
	return k, nil
}

// program tells this build from others: what made a file must be what reads it.
func program() string {
	path, err := os.Executable()
	if err != nil {
		return "unknown"
	}
	info, err := os.Stat(path)
	if err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}

// Load returns the data of a key, or nil if the cache has none. The caller closes it, and asks Whole before it trusts tokens and
// rows: their checksum takes a while on a large file.
func (c *Cache) Load(k Key) *Data {
	d, err := openData(k.file(c), k)
	if err != nil {
		return nil
	}
	now := time.Now()
	os.Chtimes(k.file(c), now, now) // that it is in use; failing does no harm
	return d
}

// Store puts data into the cache, and takes out what nobody has used for a month.
func (c *Cache) Store(k Key, d *Data) error {
	if err := os.MkdirAll(c.dir, 0o777); err != nil {
		return err
	}
	c.sweep()
	if d.temporary != "" && runtime.GOOS != "windows" { // where a file that is open can be renamed
		return d.adopt(k.file(c), k)
	}
	f, err := atomicfile.Create(k.file(c))
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := d.write(f, k); err != nil {
		return err
	}
	return f.Commit()
}

// adopt gives the file that the data was built in the name of a key's.
func (d *Data) adopt(path string, k Key) error {
	h := d.head
	h.key = k.hash
	if _, err := d.file.WriteAt(h.bytes(), 0); err != nil {
		return err
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(d.temporary, path); err != nil {
		return err
	}
	d.temporary = ""
	return nil
}

// sweep removes old files of ours.
func (c *Cache) sweep() {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		age := unused
		switch name := e.Name(); {
		case strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp"):
			age = abandoned
		case !strings.HasSuffix(name, dataExt) && !strings.HasSuffix(name, sumExt):
			continue // not ours
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > age {
			os.Remove(filepath.Join(c.dir, e.Name()))
		}
	}
}

// ErrChanged is the error of Confirm.
var ErrChanged = errors.New("its content changed though size and time did not")

// Confirm compares the hash of a file, computed anew, with the one that the key was made with. When they differ the data in use is not that
// of the file: the error says so, and the hash is forgotten.
func (c *Cache) Confirm(k Key, path, sum string) error {
	if was, ok := k.Sums[path]; !ok || was == sum {
		return nil
	}
	if name, ok := c.sumFile(path); ok {
		os.Remove(name)
	}
	return fmt.Errorf("%s: %w since it was last read; start again", path, ErrChanged)
}
