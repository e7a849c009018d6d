package gguf_test

import (
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/weights/gguf"
	"ft/weights/safetensors"
)

// TestConformance_open opens all GGUF files of the sets and decodes what they hold.
func TestConformance_open(t *testing.T) {
	for _, sub := range []string{"fixtures", "models", "tokenizers"} {
		t.Run(sub, func(t *testing.T) {
			testkit.Conformance(t, sub, openBelow)
		})
	}
}

func openBelow(t *testing.T, dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".gguf") {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		t.Run(rel, func(t *testing.T) { openWhole(t, path) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func openWhole(t *testing.T, path string) {
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if arch, err := f.String("general.architecture"); err != nil || arch == "" {
		t.Errorf("architecture %q (%v)", arch, err)
	}
	tokens, err := f.Strings("tokenizer.ggml.tokens")
	if err != nil || len(tokens) == 0 {
		t.Errorf("%d tokens (%v)", len(tokens), err)
	}
	for _, key := range f.Keys() {
		if v, err := f.Value(key); err != nil || v == nil {
			t.Errorf("%s: %v (%v)", key, v, err)
		}
	}
	for _, name := range f.Names() {
		tensor, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range tensor.Floats() {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Fatalf("%s: value %d is %g", name, i, v)
			}
		}
	}
}

// TestConformance_quants puts the reference's blocks into a GGUF file and reads them back from it.
func TestConformance_quants(t *testing.T) {
	testkit.Conformance(t, "golden/gguf", func(t *testing.T, dir string) {
		var index struct {
			Rows, Cols int
			Types      map[string]struct {
				Type quant.Type `json:"ggml_type"`
			}
		}
		raw, err := os.ReadFile(filepath.Join(dir, "quants.json"))
		if err == nil {
			err = json.Unmarshal(raw, &index)
		}
		if err != nil {
			t.Fatal(err)
		}
		golden, err := safetensors.Open(filepath.Join(dir, "quants.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer golden.Close()
		var infos []gguf.Info
		for name, c := range index.Types {
			infos = append(infos, gguf.Info{name, c.Type, []int{index.Rows, index.Cols}})
		}
		if len(infos) == 0 {
			t.Fatal("quants.json has no types")
		}
		path := filepath.Join(t.TempDir(), "quants.gguf")
		w, err := gguf.NewWriter(path, nil, infos)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		for _, info := range infos {
			_, q, err := golden.Raw(info.Name + ".q")
			if err == nil {
				err = w.Next(info.Name)
			}
			if err == nil {
				_, err = w.Write(q)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := gguf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, info := range infos {
			t.Run(info.Name, func(t *testing.T) {
				want, err := golden.Tensor(info.Name + ".f32")
				if err != nil {
					t.Fatal(err)
				}
				got, err := f.Tensor(info.Name)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got.Floats(), want.Floats()) || !slices.Equal(got.Shape, want.Shape) {
					t.Error("values or shape differ from the reference's")
				}
			})
		}
	})
}
