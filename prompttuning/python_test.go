package prompttuning_test

import (
	"os"
	"path/filepath"
	"testing"

	"ft/internal/testkit"
	"ft/peft/pefttest"
	"ft/prompttuning"
)

// TestPEFT asks Hugging Face PEFT itself: it must load what ft writes, compute the same logits, and write what ft loads.
func TestPEFT(t *testing.T) {
	variants := map[string]pefttest.Subject{}
	for name, c := range kinds {
		variants[name] = pefttest.Subject{Method: prompttuning.Method{Config: c, Seed: 1, Encode: encode}, Load: prompttuning.Load, Soft: true}
	}
	pefttest.PEFT(t, variants)
}

// TestPEFT_families: windows, scales of embeddings, positions and caps are the reference's in front of the text, too.
func TestPEFT_families(t *testing.T) {
	testkit.Conformance(t, "golden/models", func(t *testing.T, dir string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		variants := map[string]pefttest.Subject{}
		for _, e := range entries {
			for name, c := range map[string]prompttuning.Config{
				"prompt": prompttuning.Prompt{Tokens: 6, Init: "vocab"}, "prefix": prompttuning.Prefix{Tokens: 6}, "long prefix": prompttuning.Prefix{Tokens: 13},
			} {
				variants[e.Name()+" "+name] = pefttest.Subject{
					Method: prompttuning.Method{Config: c, Seed: 1}, Load: prompttuning.Load, Base: filepath.Join(dir, e.Name()), Soft: true,
				}
			}
		}
		pefttest.PEFT(t, variants)
	})
}
