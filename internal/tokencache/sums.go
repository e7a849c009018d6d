package tokencache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ft/internal/atomicfile"
)

// settled is how old a file's time must be for its hash to be kept: a younger file could change again within one tick of a coarse
// clock.
const settled = 2 * time.Second

// sum is the SHA-256 of a file in hex, kept in the cache from an earlier time if it can be.
func (c *Cache) sum(path string) (string, error) {
	name, known := c.sumFile(path)
	if known {
		if kept, err := os.ReadFile(name); err == nil {
			if s := strings.TrimSpace(string(kept)); len(s) == 2*sha256.Size {
				return s, nil
			}
		}
	}
	begin := time.Now()
	s, err := hashFile(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	again, _ := c.sumFile(path)
	if err == nil && known && again == name && begin.Sub(info.ModTime()) > settled && os.MkdirAll(c.dir, 0o777) == nil {
		atomicfile.WriteFile(name, []byte(s+"\n")) // failing costs time at the next start, no more
	}
	return s, nil
}

// sumFile is where the hash of a file is kept: a name made of all that the system tells of it.
func (c *Cache) sumFile(path string) (string, bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return "", false
	}
	whole, err := filepath.Abs(path)
	if err != nil {
		return "", false
	}
	h := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d %d %s", whole, info.Size(), info.ModTime().UnixNano(), identity(info)))
	return filepath.Join(c.dir, hex.EncodeToString(h[:16])+sumExt), true
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
