package lora_test

import (
	"path/filepath"
	"testing"

	"ft/internal/testkit"
	"ft/model"
	"ft/optim"
)

// TestGolden_accumulation: rows in one pass or in a pass each give PEFT's loss and gradients.
func TestGolden_accumulation(t *testing.T) {
	testkit.Conformance(t, "golden/peft/grad_accum", func(t *testing.T, dir string) {
		var ref struct {
			Adapter, Model string
			Rows           []row
			Tokens         []int `json:"n_label_tokens"`
			Loss           float64
			Norm           float64 `json:"grad_norm"`
		}
		testkit.ReadJSON(t, filepath.Join(dir, "accum.json"), &ref)
		root := filepath.Join(dir, "..", "..")
		all := 0
		for _, n := range ref.Tokens {
			all += n
		}
		whole, each := [][]row{ref.Rows}, [][]row{}
		for _, r := range ref.Rows {
			each = append(each, []row{r})
		}
		for name, passes := range map[string][][]row{"one pass": whole, "a pass for each row": each} {
			t.Run(name, func(t *testing.T) {
				m, a := loadOn(t, filepath.Join(root, "models", ref.Model), filepath.Join(root, filepath.FromSlash(ref.Adapter)))
				sum := 0.0
				for _, rows := range passes {
					b := pack(rows...)
					l, err := m.Train(&b, model.TrainOptions{Scale: 1 / float32(all)})
					if err != nil {
						t.Fatal(err)
					}
					sum += l.Sum
				}
				near(t, "loss", sum/float64(all), ref.Loss, 1e-4)
				near(t, "gradient norm", optim.GlobalNorm(grads(a.Params())), ref.Norm, 1e-4*ref.Norm)
				compareGrads(t, a.Params(), filepath.Join(dir, "grads.safetensors"))
			})
		}
	})
}
