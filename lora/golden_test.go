package lora_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/dataset"
	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/lora"
	"ft/model"
	"ft/nn"
	"ft/optim"
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

// reference is train.json: ten steps of Hugging Face PEFT on a tiny model.
type reference struct {
	Model, Method string
	Optimizer     struct {
		Betas       [2]float64
		Eps         float64
		WeightDecay float64 `json:"weight_decay"`
		Clip        float64
	}
	Batches     [][]row
	BatchOfStep []int   `json:"batch_of_step"`
	GradsBatch  int     `json:"grads_batch"`
	GradsLoss   float64 `json:"grads_loss"`
	GradsNorm   float64 `json:"grads_norm"`
	LRs         []float64
	LRFactor    map[string]float64 `json:"lr_factor"`
	Losses      []float64
	GradNorms   []float64 `json:"grad_norms"`
	Final       struct {
		IDs        []int32 `json:"input_ids"`
		LogitsFrom int32   `json:"logits_from"`
		Logits     [][]float64
	}
	Merged struct {
		Last []float64 `json:"last_logits"`
	}
	Shadow struct {
		Noisy map[string]any `json:"noisy_tensors"`
	} `json:"float64_shadow"`
}

// refused are the reference's methods that ft lacks, and the words with which it must say so.
var refused = map[string]string{
	"dora": "use_dora: true", "lora_bias": `bias: "lora_only"`, "lora_embed": "LoRA on an embedding",
	"modules_to_save": "modules_to_save: [", "trainable_tokens": "trainable_token_indices: ", "adalora": `peft_type is "ADALORA"`,
	"vera": `peft_type is "VERA"`, "ia3": `peft_type is "IA3"`, "p_tuning": `peft_type is "P_TUNING"`,
	"p_tuning_lstm": `peft_type is "P_TUNING"`, "prefix_tuning": `peft_type is "PREFIX_TUNING"`,
	"prefix_projection": `peft_type is "PREFIX_TUNING"`, "prompt_tuning": `peft_type is "PROMPT_TUNING"`,
	"prompt_tuning_text": `peft_type is "PROMPT_TUNING"`,
}

func TestGolden(t *testing.T) {
	testkit.Conformance(t, "golden/peft", func(t *testing.T, dir string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		ran := 0
		for _, e := range entries {
			c := goldenCase{dir: filepath.Join(dir, e.Name()), models: filepath.Join(dir, "..", "models")}
			if _, err := os.Stat(filepath.Join(c.dir, "init", peft.ConfigFile)); err != nil {
				continue // no adapter: full fine-tuning, accumulation
			}
			ran++
			t.Run(e.Name(), c.run)
		}
		if ran == 0 {
			t.Fatal("no adapter cases")
		}
	})
}

// goldenCase is one folder of the reference set.
type goldenCase struct {
	dir, models string
	ref         reference
}

func (c *goldenCase) path(name string) string { return filepath.Join(c.dir, name) }
func (c *goldenCase) base() string            { return filepath.Join(c.models, c.ref.Model) }

func (c *goldenCase) run(t *testing.T) {
	testkit.ReadJSON(t, c.path("train.json"), &c.ref)
	if want, ok := refused[c.ref.Method]; ok {
		c.refused(t, want)
		return
	}
	t.Run("gradients", c.gradients)
	t.Run("bfloat16", c.reduced)
	t.Run("training", c.training)
	t.Run("final", c.final)
}

// refused asks for an error that names the feature. The base does not matter: features come first.
func (c *goldenCase) refused(t *testing.T, want string) {
	base := t.TempDir()
	testkit.TinyLlama{}.Write(t, base)
	m := pefttest.Open(t, base)
	for _, at := range []string{"init", "final"} {
		saved, err := peft.Load(c.path(at))
		if err != nil {
			t.Fatal(err)
		}
		_, err = lora.Load(m, saved)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", at, err, want)
		}
		for _, l := range m.Linears() {
			if len(l.Params()) > 0 {
				t.Fatalf("%s: a refused adapter left something in %s", at, l.Name)
			}
		}
	}
}

// load opens the base and puts the adapter in folder at on it.
func (c *goldenCase) load(t *testing.T, at string) (*model.Model, peft.Adapter) {
	t.Helper()
	return loadOn(t, c.base(), c.path(at))
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

func grads(ps []*nn.Param) (gs [][]float32) {
	for _, p := range ps {
		gs = append(gs, p.Grad)
	}
	return gs
}

func (c *goldenCase) gradients(t *testing.T) {
	m, a := c.load(t, "init")
	loss := pass(t, m, c.ref.Batches[c.ref.GradsBatch])
	near(t, "loss", loss, c.ref.GradsLoss, 1e-4)
	near(t, "gradient norm", optim.GlobalNorm(grads(a.Params())), c.ref.GradsNorm, 1e-4*c.ref.GradsNorm)
	compareGrads(t, a.Params(), c.path("grads.safetensors"))
}

// reduced takes the reference's steps with products in bfloat16, within what the reference set found for those (with
// attention's products rounded too): a loss within 0.1, the whole gradient within 10 %, each tensor that matters within 20 %, losses
// within 2 % and gradient norms within 7 % as vectors.
func (c *goldenCase) reduced(t *testing.T) {
	m, a := c.load(t, "init")
	m.SetPrecision(kernels.BF16)
	near(t, "loss", pass(t, m, c.ref.Batches[c.ref.GradsBatch]), c.ref.GradsLoss, 0.1)
	want := testkit.Tensors(t, c.path("grads.safetensors"))
	var diff, size float64
	for _, p := range a.Params() {
		d, s := apart(p.Grad, want[prefix+p.Name].Data)
		diff, size = diff+d, size+s
		if rel := math.Sqrt(d / s); math.Sqrt(s) > 1e-3*c.ref.GradsNorm && !(rel <= 0.2) {
			t.Errorf("%s differs by %g of its norm", p.Name, rel)
		}
	}
	if rel := math.Sqrt(diff / size); !(rel <= 0.1) || rel == 0 {
		t.Errorf("the gradient differs by %g of its norm", rel)
	}
	m, a = c.load(t, "init")
	m.SetPrecision(kernels.BF16)
	losses, norms := c.steps(t, m, a)
	for _, v := range []struct {
		what      string
		got, want []float64
		bound     float64
	}{{"losses", losses, c.ref.Losses, 0.02}, {"gradient norms", norms, c.ref.GradNorms, 0.07}} {
		if d, s := apart(v.got, v.want); !(math.Sqrt(d/s) <= v.bound) {
			t.Errorf("%s %v differ by %g, the reference has %v", v.what, v.got, math.Sqrt(d/s), v.want)
		}
	}
}

// apart is the squared distance of two vectors, and the squared length of the second.
func apart[A, B float32 | float64](a []A, b []B) (diff, size float64) {
	for i, v := range b {
		d := float64(a[i]) - float64(v)
		diff, size = diff+d*d, size+float64(v)*float64(v)
	}
	return diff, size
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

// training repeats the reference's steps from its first adapter.
func (c *goldenCase) training(t *testing.T) {
	m, a := c.load(t, "init")
	losses, norms := c.steps(t, m, a)
	testkit.Near(t, "losses", losses, c.ref.Losses, 0, 1e-4)
	for i, n := range norms {
		near(t, "a gradient norm", n, c.ref.GradNorms[i], 1e-4*c.ref.GradNorms[i])
	}
	want := testkit.Tensors(t, c.path("final/"+peft.TensorFile))
	for _, p := range a.Params() {
		if _, noisy := c.ref.Shadow.Noisy[prefix+p.Name]; !noisy {
			testkit.Near(t, p.Name, p.Data, want[prefix+p.Name].Data, 1e-4, 1e-4)
		}
	}
	c.probe(t, m)
}

// steps takes the reference's steps and returns the loss and the gradient's norm of each.
func (c *goldenCase) steps(t *testing.T, m *model.Model, a peft.Adapter) (losses, norms []float64) {
	t.Helper()
	var params []optim.Param
	var sizes []int
	for _, p := range a.Params() {
		params = append(params, optim.Param{Data: p.Data, Grad: p.Grad, Decay: true, LRScale: c.ref.LRFactor[prefix+p.Name]})
		sizes = append(sizes, p.Size())
	}
	o := c.ref.Optimizer
	adam, err := optim.NewAdamW(optim.AdamWConfig{Beta1: o.Betas[0], Beta2: o.Betas[1], Eps: o.Eps, WeightDecay: o.WeightDecay}, sizes)
	if err != nil {
		t.Fatal(err)
	}
	for step, lr := range c.ref.LRs {
		for _, p := range a.Params() {
			p.ZeroGrad()
		}
		losses = append(losses, pass(t, m, c.ref.Batches[c.ref.BatchOfStep[step]]))
		norms = append(norms, optim.Clip(grads(a.Params()), o.Clip))
		if err := adam.Step(lr, params); err != nil {
			t.Fatal(err)
		}
	}
	return losses, norms
}

// probe compares the logits of the tuned model.
func (c *goldenCase) probe(t *testing.T, m *model.Model) {
	t.Helper()
	f := &c.ref.Final
	var at []int32
	for i := range f.Logits {
		at = append(at, f.LogitsFrom+int32(i))
	}
	got := make([][]float32, len(at))
	if err := m.Logits(f.IDs, at, func(i int, l []float32) { got[i] = slices.Clone(l) }); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		testkit.Near(t, "logits", got[i], f.Logits[i], 1e-4, 0)
	}
}

// final takes the reference's tuned adapter as it is, saved by ft again, and merged.
func (c *goldenCase) final(t *testing.T) {
	m, a := c.load(t, "final")
	c.probe(t, m)
	dir := t.TempDir()
	state, err := a.State()
	if err != nil {
		t.Fatal(err)
	}
	if err := peft.Save(dir, state, peft.Meta{}); err != nil {
		t.Fatal(err)
	}
	again, _ := loadOn(t, c.base(), dir)
	c.probe(t, again)
	sameConfig(t, filepath.Join(dir, peft.ConfigFile), c.path("final/"+peft.ConfigFile))

	merged := pefttest.Merged(t, c.base(), a.Merge)
	last := c.ref.Final.IDs
	err = merged.Logits(last, []int32{int32(len(last) - 1)}, func(_ int, l []float32) {
		testkit.Near(t, "merged logits", l, c.ref.Merged.Last, 1e-4, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sameConfig asks that every key ft writes has PEFT's value, the base's name aside.
func sameConfig(t *testing.T, ours, theirs string) {
	t.Helper()
	var got, want map[string]any
	testkit.ReadJSON(t, ours, &got)
	testkit.ReadJSON(t, theirs, &want)
	delete(got, "base_model_name_or_path")
	for key, v := range got {
		g, _ := json.Marshal(v)
		w, _ := json.Marshal(want[key])
		if string(g) != string(w) {
			t.Errorf("%s: %s is %s, PEFT wrote %s", peft.ConfigFile, key, g, w)
		}
	}
}
