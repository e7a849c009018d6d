package merge_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/base"
	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/merge"
)

// inexpressible are options of the reference models that llama.cpp does not compute, and values that it does.
var inexpressible = map[string]struct {
	option string
	values map[string]any
}{
	"gemma2":      {"query_pre_attn_scalar", map[string]any{"query_pre_attn_scalar": 16}},
	"gemma3_text": {"query_pre_attn_scalar", map[string]any{"query_pre_attn_scalar": 16}},
	"smollm3":     {"no_rope_layers", map[string]any{"no_rope_layers": []int{1, 1}}},
}

// withTokenizer copies a model's directory, changes its configuration and gives it a tokenizer of bytes that fits its vocabulary.
func withTokenizer(t *testing.T, dir string, change map[string]any) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	testkit.ReadJSON(t, filepath.Join(dir, "config.json"), &config)
	maps.Copy(config, change)
	vocab := map[string]int{}
	for c := rune('!'); len(vocab) < 90; c++ {
		vocab[string(c)] = len(vocab)
	}
	vocab["ab"] = len(vocab)
	steps := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	tokenizer := map[string]any{"version": "1.0", "added_tokens": []any{}, "pre_tokenizer": steps, "decoder": steps,
		"model": map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{"a b"}}}
	for name, v := range map[string]any{"config.json": config, "tokenizer.json": tokenizer} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// familyPrompts fit the contexts of all reference models, also where a window bounds them.
var familyPrompts = [][]int32{{1, 60, 80, 90, 2, 33, 250}, {1, 200, 7}}

// asGGUF opens a reference model in a form that GGUF files can hold, after it has checked that the other form is refused by name.
func asGGUF(t *testing.T, dir string) *base.Base {
	t.Helper()
	no, limited := inexpressible[filepath.Base(dir)]
	if limited {
		o := merge.Options{Base: open(t, withTokenizer(t, dir, nil)), Out: filepath.Join(t.TempDir(), "no.gguf"), Type: quant.F32}
		if err := merge.Write(t.Context(), o); err == nil || !strings.Contains(err.Error(), no.option) {
			t.Errorf("error %v, want one with %q", err, no.option)
		}
	}
	return open(t, withTokenizer(t, dir, no.values))
}

// TestMerge_familiesGGUF writes every reference model with an adapter as GGUF, and that as GGUF and as a directory again: all have the logits of base
// and adapter, computed from the safetensors directory, which TestConformance of model compares with the reference.
func TestMerge_familiesGGUF(t *testing.T) {
	testkit.Conformance(t, "golden/models", func(t *testing.T, dir string) {
		configs, err := filepath.Glob(filepath.Join(dir, "*", "config.json"))
		if err != nil || len(configs) == 0 {
			t.Fatalf("%d models in %s (%v)", len(configs), dir, err)
		}
		for _, file := range configs {
			t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) { mergeFamilyGGUF(t, filepath.Dir(file)) })
		}
	})
}

func mergeFamilyGGUF(t *testing.T, dir string) {
	b := asGGUF(t, dir)
	untuned := logits(t, b.Model, familyPrompts...)
	bare := plain(t, b.Path, filepath.Join(t.TempDir(), "bare.gguf"), quant.F32)
	testkit.Near(t, "logits of the base", logits(t, open(t, bare).Model, familyPrompts...), untuned, 1e-5, 1e-5)
	o := merge.Options{Base: b, Out: filepath.Join(t.TempDir(), "tuned.gguf"), Type: quant.F32, Adapter: adapt(t, b)}
	tuned := logits(t, b.Model, familyPrompts...)
	if err := merge.Write(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := merge.Prove(t.Context(), o, families, familyPrompts); err != nil {
		t.Fatal(err)
	}
	testkit.Near(t, "logits", logits(t, open(t, o.Out).Model, familyPrompts...), tuned, 1e-4, 1e-4)
	again := plain(t, o.Out, filepath.Join(t.TempDir(), "again.gguf"), quant.F32)
	testkit.Near(t, "logits of GGUF from GGUF", logits(t, open(t, again).Model, familyPrompts...), tuned, 1e-4, 1e-4)
	if b.Model.Spec.Rope.Kind == "llama3" {
		return // which GGUF stores in a form that config.json has no field for
	}
	back := plain(t, o.Out, filepath.Join(t.TempDir(), "back"), quant.F32)
	testkit.Near(t, "logits of a directory from GGUF", logits(t, open(t, back).Model, familyPrompts...), tuned, 1e-4, 1e-4)
	g := open(t, bare) // an adapter trained on the GGUF file is that of the directory
	adapt(t, g)
	testkit.Near(t, "logits with the adapter on GGUF", logits(t, g.Model, familyPrompts...), tuned, 1e-4, 1e-4)
}
