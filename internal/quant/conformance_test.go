package quant_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/weights/safetensors"
)

func TestConformance(t *testing.T) {
	testkit.Conformance(t, "golden/gguf", func(t *testing.T, dir string) {
		var index struct {
			Rows, Cols int
			Types      map[string]struct {
				Type        quant.Type `json:"ggml_type"`
				BytesPerRow int        `json:"bytes_per_row"`
				Source      string     `json:"source"`
			}
		}
		raw, err := os.ReadFile(filepath.Join(dir, "quants.json"))
		if err == nil {
			err = json.Unmarshal(raw, &index)
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(index.Types) == 0 {
			t.Fatal("quants.json has no types")
		}
		golden, err := safetensors.Open(filepath.Join(dir, "quants.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer golden.Close()
		input := floats(t, golden, "input")
		for name, c := range index.Types {
			t.Run(name, func(t *testing.T) {
				if c.Type.String() != name || !c.Type.Known() {
					t.Fatalf("type %d is %s here, known: %v", uint32(c.Type), c.Type, c.Type.Known())
				}
				if got := c.Type.RowBytes(index.Cols); got != c.BytesPerRow {
					t.Fatalf("%d bytes a row, want %d", got, c.BytesPerRow)
				}
				_, blocks, err := golden.Raw(name + ".q")
				if err != nil {
					t.Fatal(err)
				}
				want, got := floats(t, golden, name+".f32"), make([]float32, len(input))
				quant.Dequantize(got, c.Type, blocks)
				for i := range want {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("value %d is %g, want %g", i, got[i], want[i])
					}
				}
				if c.Source != "gguf.quants.quantize(input)" {
					return
				}
				if !c.Type.CanQuantize() {
					t.Fatal("the reference can quantise this format")
				}
				q := make([]byte, len(blocks))
				quant.Quantize(q, c.Type, input)
				if at := firstDifference(q, blocks); at >= 0 {
					t.Fatalf("quantised byte %d is %#x, want %#x", at, q[at], blocks[at])
				}
			})
		}
	})
}

// firstDifference is the first index at which two slices of one length differ, -1 if none.
func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// floats decodes a tensor of the golden file.
func floats(t *testing.T, f *safetensors.File, name string) []float32 {
	t.Helper()
	tensor, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return tensor.Floats()
}
