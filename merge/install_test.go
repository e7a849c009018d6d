package merge

import (
	"os"
	"path/filepath"
	"testing"
)

// TestInstall_failed: when the new directory cannot take the name, the old one has it again.
func TestInstall_failed(t *testing.T) {
	at := t.TempDir()
	m := &merger{Options: Options{Out: filepath.Join(at, "m")}}
	if err := os.Mkdir(m.Out, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := m.install(filepath.Join(at, "not there")); err == nil {
		t.Error("a directory that is not there was installed")
	}
	entries, err := os.ReadDir(at)
	if err != nil || len(entries) != 1 || entries[0].Name() != "m" {
		t.Errorf("%v (%v), want the old directory", entries, err)
	}
}
