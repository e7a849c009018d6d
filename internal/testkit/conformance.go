// Package testkit holds what tests of several packages share: the conformance folders, golden
// comparisons, gradient checks and a tiny model. Only tests import it, and it imports no package of ft.
package testkit

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Root is the repository's top folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Conformance calls run with each existing folder sub (such as "golden/models") of the conformance
// sets: testdata/conformance of this repository, and the directory that FT_CONFORMANCE names. A set without
// the folder is said and passed over. It reports how many sets had it.
func Conformance(t *testing.T, sub string, run func(t *testing.T, dir string)) int {
	t.Helper()
	sets := map[string]string{"repo": filepath.Join(Root(), "testdata", "conformance")}
	if d := os.Getenv("FT_CONFORMANCE"); d != "" {
		if !filepath.IsAbs(d) {
			d = filepath.Join(Root(), d)
		}
		sets["given"] = d
	}
	n := 0
	for _, name := range []string{"repo", "given"} {
		set, ok := sets[name]
		if !ok {
			continue
		}
		dir := filepath.Join(set, filepath.FromSlash(sub))
		if _, err := os.Stat(dir); err != nil {
			t.Logf("%s set has no %s: passed over", name, sub)
			continue
		}
		n++
		t.Run(name, func(t *testing.T) { run(t, dir) })
	}
	return n
}
