package safetensors_test

import (
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/weights/safetensors"
)

func TestConformance(t *testing.T) {
	for _, sub := range []string{"golden", "fixtures", "models"} {
		t.Run(sub, func(t *testing.T) {
			testkit.Conformance(t, sub, func(t *testing.T, dir string) { openBelow(t, dir, sub == "golden") })
		})
	}
}

// openBelow opens every model folder and every single file below dir. must says that there have to be some.
func openBelow(t *testing.T, dir string, must bool) {
	cases := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		var open func() (*safetensors.File, error)
		switch {
		case strings.HasSuffix(path, ".safetensors"):
			open = func() (*safetensors.File, error) { return safetensors.Open(path) }
		case d.Name() == "model.safetensors.index.json":
			open = func() (*safetensors.File, error) { return safetensors.OpenDir(filepath.Dir(path)) }
		default:
			return nil
		}
		cases++
		rel, _ := filepath.Rel(dir, path)
		t.Run(rel, func(t *testing.T) {
			f, err := open()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			readAll(t, f)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if must && cases == 0 {
		t.Errorf("%s has no safetensors files", dir)
	}
}

// readAll decodes every tensor that ft can use; others must be refused by their dtype.
func readAll(t *testing.T, f *safetensors.File) {
	t.Helper()
	if len(f.Names()) == 0 {
		t.Error("no tensors")
	}
	for _, name := range f.Names() {
		info, _, err := f.Raw(name)
		if err != nil {
			t.Fatal(err)
		}
		tensor, err := f.Tensor(name)
		switch info.DType {
		case "F32", "F16", "BF16":
		default:
			if err == nil || !strings.Contains(err.Error(), info.DType) {
				t.Errorf("%s of %s: %v, want an error that names the dtype", name, info.DType, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range tensor.Floats() {
			if math.IsNaN(float64(v)) {
				t.Fatalf("%s: value %d is NaN", name, i)
			}
		}
	}
}
