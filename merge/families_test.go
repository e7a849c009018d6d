package merge_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/merge"
)

// TestMerge_conformance merges an adapter on all layers of every model of the reference set into a directory, and proves it. Prompts are
// the reference's.
func TestMerge_conformance(t *testing.T) {
	testkit.Conformance(t, "golden/models", func(t *testing.T, dir string) {
		configs, err := filepath.Glob(filepath.Join(dir, "*", "config.json"))
		if err != nil || len(configs) == 0 {
			t.Fatalf("%d models in %s (%v)", len(configs), dir, err)
		}
		for _, file := range configs {
			from := filepath.Dir(file)
			t.Run(filepath.Base(from), func(t *testing.T) { mergeFamily(t, from) })
		}
	})
}

func mergeFamily(t *testing.T, dir string) {
	b := open(t, dir)
	o := merge.Options{Base: b, Out: filepath.Join(t.TempDir(), "merged"), Type: quant.F32, Adapter: adapt(t, b)}
	tuned := logits(t, b.Model, []int32{1, 2, 3, 250})
	if err := merge.Write(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	p, err := merge.Prove(t.Context(), o, families, [][]int32{{1, 60, 80, 90, 2, 33}, {1, 200, 7}})
	if err != nil {
		t.Fatal(err)
	}
	if want := len(b.Model.Linears()) - 1; p.Targets != want {
		t.Errorf("%d layers were changed, expected %d", p.Targets, want)
	}
	out := open(t, o.Out)
	testkit.Near(t, "logits", logits(t, out.Model, []int32{1, 2, 3, 250}), tuned, 1e-4, 1e-4)
	for _, name := range out.Source.Names() {
		got, err := out.Source.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if was, err := b.Source.Tensor(name); err != nil || !slices.Equal(got.Shape, was.Shape) {
			t.Errorf("%s has shape %v, in the base %v (%v)", name, got.Shape, was.Shape, err)
		}
	}
	if b.Family.ToGGUF == nil {
		o.Out = filepath.Join(t.TempDir(), "merged.gguf")
		if err := merge.Write(t.Context(), o); err == nil || !strings.Contains(err.Error(), b.Family.ModelType+" cannot be written as GGUF") {
			t.Errorf("error %v", err)
		}
	}
}

// TestMerge_textOfMultimodal: of a model with images, the text model becomes a model of its own, under its own names.
func TestMerge_textOfMultimodal(t *testing.T) {
	testkit.Conformance(t, "golden/models/gemma3_text", func(t *testing.T, dir string) {
		outer := t.TempDir()
		var text map[string]any
		testkit.ReadJSON(t, filepath.Join(dir, "config.json"), &text)
		config, err := json.Marshal(map[string]any{"model_type": "gemma3", "text_config": text, "vision_config": map[string]any{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(outer, "config.json"), config, 0o666); err != nil {
			t.Fatal(err)
		}
		tensors := []testkit.Tensor{{Name: "vision_tower.weight", Shape: []int{2}, Data: []float32{1, 2}}}
		for name, x := range testkit.Tensors(t, filepath.Join(dir, "model.safetensors")) {
			x.Name = "language_model." + name
			tensors = append(tensors, x)
		}
		testkit.WriteTensors(t, filepath.Join(outer, "model.safetensors"), tensors, false)
		out := open(t, plain(t, outer, filepath.Join(t.TempDir(), "text"), quant.F32))
		if out.Model.ModelType() != "gemma3_text" || slices.Contains(out.Source.Names(), "vision_tower.weight") {
			t.Errorf("%s with %v", out.Model.ModelType(), out.Source.Names())
		}
		ids := []int32{5, 9, 200, 31}
		if got, want := logits(t, out.Model, ids), logits(t, open(t, dir).Model, ids); !slices.Equal(got, want) {
			t.Error("other logits")
		}
	})
}
