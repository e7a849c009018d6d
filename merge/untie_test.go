package merge_test

import (
	"path/filepath"
	"testing"

	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/merge"
	"ft/nn"
	"ft/peft"
)

// embedder is an adapter that doubles the embedding and leaves a head that shares its weight alone.
type embedder struct{ peft.Adapter }

func (embedder) Params() []*nn.Param { return nil }
func (embedder) Targets() []string   { return []string{"model.embed_tokens"} }
func (embedder) Unties() bool        { return true }

func (embedder) Merge(name string, w []float32, _, _ int) (bool, error) {
	if name != "model.embed_tokens.weight" {
		return false, nil
	}
	for i := range w {
		w[i] *= 2
	}
	return true, nil
}

// TestUntie: the result has a head of its own, in both forms and from both, and answers as the base with the changed embedding.
func TestUntie(t *testing.T) {
	dir := tinyDir(t, testkit.TinyLlama{Seed: 1})
	for _, from := range []string{dir, plain(t, dir, filepath.Join(t.TempDir(), "base.gguf"), quant.F32)} {
		for _, out := range []string{"m.gguf", "m"} {
			for _, typ := range []quant.Type{quant.F32, quant.BF16} {
				b := open(t, from)
				table := b.Model.Stack().Embed.Table()
				p := nn.NewParam("", table.Rows, table.Cols)
				for i := range table.Rows {
					table.Row(p.Data[i*table.Cols:(i+1)*table.Cols], i)
				}
				for i := range p.Data {
					p.Data[i] *= 2
				}
				b.Model.Stack().Embed.SetWeight(p)
				o := merge.Options{Base: b, Adapter: embedder{}, Out: filepath.Join(t.TempDir(), out), Type: typ}
				if err := merge.Write(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				proof, err := merge.Prove(t.Context(), o, families, prompts)
				if err != nil {
					t.Fatal(err)
				}
				if proof.Targets != 1 || proof.Changed != 1 {
					t.Errorf("%+v", proof)
				}
				if result := open(t, o.Out); result.Model.Spec.Tied {
					t.Errorf("%s: the head is the embedding's", out)
				}
			}
		}
	}
}
