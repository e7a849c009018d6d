package merge_test

import (
	"path/filepath"
	"testing"

	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/lora"
	"ft/merge"
	"ft/peft"
)

// TestMerge_kinds merges what LoRA adapters can hold beside plain pairs, on a base whose head shares the embedding's weight: the head
// gets a tensor of its own where the two change in different ways.
func TestMerge_kinds(t *testing.T) {
	dir := tinyDir(t, testkit.TinyLlama{Seed: 4, Bias: true})
	gguf := plain(t, dir, filepath.Join(t.TempDir(), "base.gguf"), quant.F32)
	list := func(names ...string) peft.Names { return peft.Names{List: names} }
	for name, k := range map[string]struct {
		change func(*lora.Config)
		tied   bool
	}{
		"dora":           {func(c *lora.Config) { c.DoRA, c.Bias = true, "all" }, true},
		"bias of B":      {func(c *lora.Config) { c.LoRABias = true }, true},
		"embedding":      {func(c *lora.Config) { c.Targets = list("embed_tokens", "q_proj") }, false},
		"head":           {func(c *lora.Config) { c.Targets = list("lm_head", "q_proj") }, false},
		"saved":          {func(c *lora.Config) { c.SaveModules = []string{"embed_tokens", "norm"} }, false},
		"tokens":         {func(c *lora.Config) { c.Tokens = lora.Tokens{{ID: 60}, {ID: 2}, {ID: 7}} }, true},
		"tokens of head": {func(c *lora.Config) { c.HeadTokens = lora.Tokens{{ID: 60}, {ID: 2}} }, false},
	} {
		for from, path := range map[string]string{"directory": dir, "GGUF": gguf} {
			for _, to := range []string{"merged.gguf", "merged"} {
				t.Run(name+"/"+from+"/"+to, func(t *testing.T) {
					b := open(t, path)
					c := lora.Default()
					k.change(&c)
					o := merge.Options{Base: b, Adapter: adaptWith(t, b, c), Out: filepath.Join(t.TempDir(), to), Type: quant.F32}
					want := logits(t, b.Model)
					if err := merge.Write(t.Context(), o); err != nil {
						t.Fatal(err)
					}
					p, err := merge.Prove(t.Context(), o, families, prompts)
					if err != nil {
						t.Fatal(err)
					}
					if p.Changed != p.Targets || p.Targets == 0 {
						t.Errorf("proof %+v", p)
					}
					out := open(t, o.Out)
					testkit.Near(t, "logits", logits(t, out.Model), want, 1e-4, 0)
					if tied := out.Model.Stack().Head.Tied; tied != k.tied {
						t.Errorf("the result's head is tied: %v", tied)
					}
				})
			}
		}
	}
}
