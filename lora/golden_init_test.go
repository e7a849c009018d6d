package lora_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/lora"
	"ft/model"
	"ft/optim"
	"ft/peft"
	"ft/peft/pefttest"
	"ft/weights"
)

// initReference is init.json: three steps of PEFT from a start that takes a part of the base over.
type initReference struct {
	Model   string
	Options struct {
		R       int
		Alpha   float64  `json:"lora_alpha"`
		Targets []string `json:"target_modules"`
		Init    string   `json:"init_lora_weights"`
		RSLoRA  bool     `json:"use_rslora"`
	}
	Optimizer struct {
		Betas       [2]float64
		Eps         float64
		WeightDecay float64 `json:"weight_decay"`
		Clip        float64
	}
	Batches   [][]row
	LRs       []float64
	Losses    []float64
	GradNorms []float64 `json:"grad_norms"`
	Base      probe
	Trained   probe
}

// probe is logits of some positions.
type probe struct {
	IDs        []int32 `json:"input_ids"`
	LogitsFrom int32   `json:"logits_from"`
	Logits     [][]float64
}

func (p probe) compare(t *testing.T, what string, m *model.Model) {
	t.Helper()
	at := make([]int32, len(p.Logits))
	for i := range at {
		at[i] = p.LogitsFrom + int32(i)
	}
	m.SetPrecision(kernels.F32)
	if err := m.Logits(p.IDs, at, func(i int, l []float32) { testkit.Near(t, what, l, p.Logits[i], 1e-4, 0) }); err != nil {
		t.Fatal(err)
	}
}

// TestGoldenInit walks the reference's PiSSA and OLoRA cases.
func TestGoldenInit(t *testing.T) {
	testkit.Conformance(t, "golden/init", func(t *testing.T, root string) {
		cases, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			dir := filepath.Join(root, c.Name())
			t.Run(c.Name(), func(t *testing.T) {
				var ref initReference
				testkit.ReadJSON(t, filepath.Join(dir, "init.json"), &ref)
				base := filepath.Join(root, "..", "models", ref.Model)
				t.Run("training", func(t *testing.T) { ref.train(t, dir, base) })
				for _, at := range []string{"trained", "converted"} {
					t.Run(at, func(t *testing.T) {
						m, _ := loadOn(t, base, filepath.Join(dir, at))
						ref.Trained.compare(t, "logits", m)
					})
				}
			})
		}
	})
}

func (ref *initReference) train(t *testing.T, dir, base string) {
	m := pefttest.Open(t, base)
	o := ref.Options
	config := lora.Default()
	config.Rank, config.Alpha, config.Dropout, config.Init, config.RankStabilized = o.R, o.Alpha, 0, o.Init, o.RSLoRA
	config.Targets = peft.Names{List: o.Targets}
	a, err := lora.Method{Config: config}.Attach(m)
	if err != nil {
		t.Fatal(err)
	}
	ref.Base.compare(t, "fresh logits", m)
	scale := o.Alpha / float64(o.R)
	if o.RSLoRA {
		scale = o.Alpha / math.Sqrt(float64(o.R))
	}
	want := testkit.Tensors(t, filepath.Join(dir, "products.safetensors"))
	same := func(what, suffix string, tol float64) {
		t.Helper()
		ps := a.Params()
		for i := 0; i < len(ps); i += 2 {
			r, n := ps[i].Shape[0], ps[i].Shape[1]
			module, rows := strings.TrimSuffix(ps[i].Name, ".lora_A.weight"), ps[i+1].Shape[0]
			got := make([]float32, rows*n)
			if suffix == ".product" {
				kernels.Gemm(got, n, ps[i+1].Data, r, false, ps[i].Data, n, false, rows, n, r, float32(scale), false)
			} else if changed, err := a.Merge(module+".weight", got, rows, n); err != nil || !changed { // the difference from the start
				t.Fatal(err)
			}
			ref := want[module+suffix].Data
			if want[module+suffix].Shape[0] != rows { // the base's own layout is [in, out]
				ref = weights.Transposed(ref, n, rows)
			}
			testkit.Near(t, what+" "+module, got, ref, tol, 0)
		}
	}
	same("product", ".product", 1e-4)
	step := ref.optimizer(t, a)
	for i, b := range ref.Batches {
		loss := pass(t, m, b)
		near(t, "loss", loss, ref.Losses[i], 1e-4)
		near(t, "gradient norm", optim.Clip(grads(a.Params()), ref.Optimizer.Clip), ref.GradNorms[i], 1e-4*ref.GradNorms[i])
		if err := step(ref.LRs[i]); err != nil {
			t.Fatal(err)
		}
	}
	same("change", ".delta_after", 1e-3) // AdamW's steps have the size of lr, however small the gradient: rounding shows
	ref.Trained.compare(t, "trained logits", m)
	state, err := a.State()
	if err != nil {
		t.Fatal(err)
	}
	saved := t.TempDir()
	if err := peft.Save(saved, state, peft.Meta{}); err != nil {
		t.Fatal(err)
	}
	pefttest.SameConfig(t, filepath.Join(saved, peft.ConfigFile), filepath.Join(dir, "converted", peft.ConfigFile))
	again, _ := loadOn(t, base, saved)
	ref.Trained.compare(t, "saved logits", again)
}

// optimizer is a step of the reference's AdamW, by learning rate.
func (ref *initReference) optimizer(t *testing.T, a peft.Adapter) func(lr float64) error {
	t.Helper()
	var params []optim.Param
	var sizes []int
	for _, p := range a.Params() {
		params, sizes = append(params, optim.Param{Data: p.Data, Grad: p.Grad, Decay: true}), append(sizes, p.Size())
	}
	o := ref.Optimizer
	adam, err := optim.NewAdamW(optim.AdamWConfig{Beta1: o.Betas[0], Beta2: o.Betas[1], Eps: o.Eps, WeightDecay: o.WeightDecay}, sizes)
	if err != nil {
		t.Fatal(err)
	}
	return func(lr float64) error {
		defer func() {
			for _, p := range a.Params() {
				p.ZeroGrad()
			}
		}()
		return adam.Step(lr, params)
	}
}
