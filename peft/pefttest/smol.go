package pefttest

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"ft/base"
	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/model"
	"ft/model/family"
	"ft/optim"
	"ft/peft"
)

// Smol compares a method with a few training steps of Hugging Face PEFT on a real model: the folder Case of golden/smollm2.
type Smol struct {
	Case string
	Load func(peft.Host, *peft.Saved) (peft.Adapter, error)
}

// smolReference is train.json of the folder: steps of Hugging Face PEFT on a model of 135 million parameters in float32,
// whose weights are the dequantised ones of a GGUF file.
type smolReference struct {
	Optimizer struct {
		Betas       [2]float64
		Eps         float64
		WeightDecay float64 `json:"weight_decay"`
		Clip        float64
	}
	Rows      []sequence
	LRs       []float64
	Losses    []float64
	GradNorms []float64    `json:"grad_norms"`
	LossAfter float64      `json:"loss_after"`
	InitTop   [][2]float64 `json:"init_top8_last_of_prompt0"` // id and logit
	Final     []smolProbe  `json:"final_of_prompts"`
}

// smolProbe is what the model says behind a prompt.
type smolProbe struct {
	Top [][2]float64 `json:"top8_last"`
	LSE float64      `json:"logsumexp_last"`
}

// Run trains on the quantised base itself, which ft never writes out in float32.
func (s Smol) Run(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a model of 135 million parameters")
	}
	testkit.Conformance(t, "golden/smollm2/"+s.Case, func(t *testing.T, dir string) {
		files, err := filepath.Glob(filepath.Join(dir, "..", "..", "..", "models", "smollm2", "*.gguf"))
		if err != nil || len(files) != 1 {
			t.Skipf("%d models in models/smollm2 of the same set (%v)", len(files), err)
		}
		var ref smolReference
		testkit.ReadJSON(t, filepath.Join(dir, "train.json"), &ref)
		var prompts struct {
			Prompts []struct {
				IDs []int32 `json:"input_ids"`
			}
		}
		testkit.ReadJSON(t, filepath.Join(dir, "..", "logits.json"), &prompts)
		if len(prompts.Prompts) != len(ref.Final) || len(ref.Rows) == 0 || len(ref.LRs) == 0 {
			t.Fatalf("%d prompts for %d results, %d rows, %d steps", len(prompts.Prompts), len(ref.Final), len(ref.Rows), len(ref.LRs))
		}
		t.Run("bfloat16", func(t *testing.T) { ref.reduced(t, s, files[0], dir) })
		m, params := s.open(t, files[0], filepath.Join(dir, "init"))
		m.SetPrecision(kernels.F32)
		saidBy(t, m, prompts.Prompts[0].IDs, ref.InitTop)
		losses, norms := ref.train(t, m, params)
		for i, l := range losses {
			near(t, "a loss", l, ref.Losses[i], 1e-4)
			near(t, "a gradient norm", norms[i], ref.GradNorms[i], 1e-4*ref.GradNorms[i])
		}
		near(t, "loss after the steps", evalLoss(t, m, ref.Rows), ref.LossAfter, 1e-4)
		for i, want := range ref.Final {
			near(t, "logsumexp", saidBy(t, m, prompts.Prompts[i].IDs, want.Top), want.LSE, 5e-4)
		}
		sameWay(t, params, dir)
	})
}

func (s Smol) open(t *testing.T, gguf, adapter string) (*model.Model, peft.Adapter) {
	t.Helper()
	b, err := base.Open(gguf, []*model.Family{&family.Llama})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	saved, err := peft.Load(adapter)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Load(b.Model, saved)
	if err != nil {
		t.Fatal(err)
	}
	return b.Model, a
}

// reduced takes the steps with products in bfloat16: losses within 2 % and gradient norms within 5 %, as vectors.
func (ref *smolReference) reduced(t *testing.T, s Smol, gguf, dir string) {
	m, a := s.open(t, gguf, filepath.Join(dir, "init"))
	m.SetPrecision(kernels.BF16)
	if !kernels.HasBF16() {
		t.Skip("this backend has no bfloat16; the plain twin would take hours")
	}
	losses, norms := ref.train(t, m, a)
	for i, l := range losses {
		near(t, "a loss", l, ref.Losses[i], 0.02*ref.Losses[i])
		near(t, "a gradient norm", norms[i], ref.GradNorms[i], 0.05*ref.GradNorms[i])
	}
	near(t, "loss after the steps", evalLoss(t, m, ref.Rows), ref.LossAfter, 0.02*ref.LossAfter)
}

// train repeats the reference's steps, each on all rows.
func (ref *smolReference) train(t *testing.T, m *model.Model, a peft.Adapter) (losses, norms []float64) {
	t.Helper()
	var params []optim.Param
	var sizes []int
	for _, p := range a.Params() {
		params = append(params, optim.Param{Data: p.Data, Grad: p.Grad, Decay: true})
		sizes = append(sizes, p.Size())
	}
	o := ref.Optimizer
	adam, err := optim.NewAdamW(optim.AdamWConfig{Beta1: o.Betas[0], Beta2: o.Betas[1], Eps: o.Eps, WeightDecay: o.WeightDecay}, sizes)
	if err != nil {
		t.Fatal(err)
	}
	for _, lr := range ref.LRs {
		for _, p := range a.Params() {
			p.ZeroGrad()
		}
		losses = append(losses, pass(t, m, ref.Rows))
		norms = append(norms, optim.Clip(grads(a.Params()), o.Clip))
		if err := adam.Step(lr, params); err != nil {
			t.Fatal(err)
		}
	}
	return losses, norms
}

// sameWay compares the way that all parameters went together. One by one some differ: AdamW turns the rounding noise of
// gradients near zero into full steps.
func sameWay(t *testing.T, a peft.Adapter, dir string) {
	t.Helper()
	begin, end := testkit.Tensors(t, filepath.Join(dir, "init", peft.TensorFile)), testkit.Tensors(t, filepath.Join(dir, "final", peft.TensorFile))
	if len(end) != len(a.Params()) {
		t.Errorf("%d tensors, the reference has %d", len(a.Params()), len(end))
	}
	var off, way float64
	for _, p := range a.Params() {
		from, to := named(begin, p.Name).Data, named(end, p.Name).Data
		if len(to) != len(p.Data) || len(from) != len(p.Data) {
			t.Fatalf("%s has %d values, the reference %d", p.Name, len(p.Data), len(to))
		}
		for i, v := range p.Data {
			off += math.Pow(float64(v)-float64(to[i]), 2)
			way += math.Pow(float64(to[i])-float64(from[i]), 2)
		}
	}
	if share := math.Sqrt(off / way); !(share < 0.01) {
		t.Errorf("the parameters are off by %.2g of the way they went", share)
	}
}

func evalLoss(t *testing.T, m *model.Model, rows []sequence) float64 {
	t.Helper()
	b := pack(rows)
	l, err := m.Loss(&b)
	if err != nil {
		t.Fatal(err)
	}
	return l.Mean()
}

// saidBy compares the logits behind a prompt with the reference's largest ones, asks that no other is larger, and returns
// the logarithm of the sum of their exponentials.
func saidBy(t *testing.T, m *model.Model, ids []int32, top [][2]float64) (lse float64) {
	t.Helper()
	const tol = 5e-4 // of the reference: eager and fused attention differ by a tenth of it
	err := m.Logits(ids, []int32{int32(len(ids) - 1)}, func(_ int, l []float32) {
		least, named := math.Inf(1), map[int]bool{}
		for _, e := range top {
			near(t, "a logit", float64(l[int(e[0])]), e[1], tol)
			least, named[int(e[0])] = min(least, e[1]), true
		}
		largest := float64(slices.Max(l))
		for i, v := range l {
			if float64(v) > least+tol && !named[i] {
				t.Errorf("token %d has the logit %g and is not among the reference's first %d", i, v, len(top))
			}
			lse += math.Exp(float64(v) - largest)
		}
		lse = largest + math.Log(lse)
	})
	if err != nil {
		t.Fatal(err)
	}
	return lse
}
