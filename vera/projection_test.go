package vera

import (
	"path/filepath"
	"slices"
	"testing"

	"ft/internal/testkit"
	"ft/peft"
)

// TestMT19937: the 10,000th output from the seed 5489, which the C++ standard gives for its mt19937, and the first from others.
func TestMT19937(t *testing.T) {
	g := newMT19937(5489)
	for range 9999 {
		g.word()
	}
	if got := g.word(); got != 4123659995 {
		t.Errorf("output 10,000 is %d, want 4123659995", got)
	}
	if got := newMT19937(5489).word(); got != 3499211612 {
		t.Errorf("the first output is %d, want 3499211612", got)
	}
}

// TestProjections: the pair that Hugging Face PEFT stored, bit for bit, from the key in its config.
func TestProjections(t *testing.T) {
	testkit.Conformance(t, "golden/peft", func(t *testing.T, dir string) {
		configs, err := filepath.Glob(filepath.Join(dir, "*", "init", peft.ConfigFile))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range configs {
			var c struct {
				Type string `json:"peft_type"`
				R    int
				Key  int64 `json:"projection_prng_key"`
			}
			if testkit.ReadJSON(t, path, &c); c.Type != peftType {
				continue
			}
			stored := testkit.Tensors(t, filepath.Join(filepath.Dir(path), peft.TensorFile))
			a, b := projections(c.Key, c.R, stored[nameA].Shape[1], stored[nameB].Shape[0])
			if !slices.Equal(a, stored[nameA].Data) || !slices.Equal(b, stored[nameB].Data) {
				t.Errorf("%s: key %d gives another pair", path, c.Key)
			}
		}
	})
}
