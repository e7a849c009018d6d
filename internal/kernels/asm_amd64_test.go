//go:build !purego

package kernels

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAssembly_current: the checked-in assembly is what its generator writes.
func TestAssembly_current(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command: ", err)
	}
	dir := t.TempDir()
	if out, err := exec.Command(goTool, "run", "./_asm", "-o", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	have, want := assemblyFiles(t, "."), assemblyFiles(t, dir)
	for name, text := range want {
		if !bytes.Equal(have[name], text) {
			t.Errorf("%s differs from its generator's output: go generate", name)
		}
	}
	for name := range have {
		if want[name] == nil {
			t.Errorf("%s is not from the generator", name)
		}
	}
}

// assemblyFiles reads all assembly in a folder, by name.
func assemblyFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.s"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no assembly in %s: %v", dir, err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		if files[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
