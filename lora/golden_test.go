package lora_test

import (
	"cmp"
	"math"
	"path/filepath"
	"testing"

	"ft/dataset"
	"ft/internal/testkit"
	"ft/lora"
	"ft/model"
	"ft/nn"
	"ft/peft"
	"ft/peft/pefttest"
)

// The reference's tensor names begin with this; Param names do not.
const prefix = "base_model.model."

// row is one sequence of a reference batch.
type row struct {
	IDs    []int32 `json:"input_ids"`
	Labels []int32 `json:"labels"`
}

func pack(rows ...row) dataset.Batch {
	var samples []dataset.Sample
	for i, r := range rows {
		samples = append(samples, dataset.Sample{Key: uint64(i), IDs: r.IDs, Labels: r.Labels})
	}
	return dataset.Pack(samples)
}

// TestGolden_rates: a fresh adapter with a learning-rate ratio has the reference's factors.
func TestGolden_rates(t *testing.T) {
	testkit.Conformance(t, "golden/peft", func(t *testing.T, dir string) {
		files, err := filepath.Glob(filepath.Join(dir, "*", "train.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			var ref struct {
				Model   string
				Options struct {
					R       int
					Targets []string `json:"target_modules"`
					Ratio   float64  `json:"loraplus_lr_ratio"`
				}
				Factors map[string]float64 `json:"lr_factor"`
			}
			var probe struct {
				Options struct {
					Ratio float64 `json:"loraplus_lr_ratio"`
				}
			}
			if testkit.ReadJSON(t, file, &probe); probe.Options.Ratio == 0 {
				continue
			}
			testkit.ReadJSON(t, file, &ref)
			c := lora.Default()
			c.Rank, c.LRRatio, c.Targets = ref.Options.R, ref.Options.Ratio, peft.Names{List: ref.Options.Targets}
			for _, p := range attach(t, pefttest.Open(t, filepath.Join(dir, "..", "models", ref.Model)), c, 1).Params() {
				if got, want := cmp.Or(p.LRScale, 1), ref.Factors[prefix+p.Name]; got != want {
					t.Errorf("%s learns %g times as fast, want %g", p.Name, got, want)
				}
			}
		}
	})
}

// TestGolden takes every training run of the reference whose method is LoRA's.
func TestGolden(t *testing.T) {
	pefttest.Golden{
		Methods: []string{
			"lora", "lora_all", "rslora", "lora_pattern", "dora", "lora_bias", "lora_embed", "modules_to_save", "lora_layers", "lora_regex",
			"trainable_tokens", "loraplus",
		},
		Load: lora.Load,
	}.Run(t)
}

func loadOn(t *testing.T, base, dir string) (*model.Model, peft.Adapter) {
	t.Helper()
	m := pefttest.Open(t, base)
	saved, err := peft.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := lora.Load(m, saved)
	if err != nil {
		t.Fatal(err)
	}
	return m, a
}

func grads(ps []*nn.Param) (gs [][]float32) {
	for _, p := range ps {
		gs = append(gs, p.Grad)
	}
	return gs
}

func compareGrads(t *testing.T, ps []*nn.Param, path string) {
	t.Helper()
	want := testkit.Tensors(t, path)
	if len(want) != len(ps) {
		t.Errorf("%d gradients, the reference has %d", len(ps), len(want))
	}
	for _, p := range ps {
		testkit.Near(t, p.Name, p.Grad, want[prefix+p.Name].Data, 1e-4, 1e-6)
	}
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s is %.9g, the reference has %.9g", what, got, want)
	}
}

// pass adds a batch's gradient, of the loss per label token, to the parameters and returns that loss.
func pass(t *testing.T, m *model.Model, rows []row) float64 {
	t.Helper()
	b := pack(rows...)
	l, err := m.Train(&b, model.TrainOptions{Scale: 1 / float32(b.LabelTokens())})
	if err != nil {
		t.Fatal(err)
	}
	return l.Mean()
}
