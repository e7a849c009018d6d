package pefttest

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/dataset"
	"ft/generate"
	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/model"
	"ft/nn"
	"ft/optim"
	"ft/peft"
)

// filePrefix begins the reference's tensor names; Param names begin behind it, unless they belong to no module.
const filePrefix = "base_model.model."

// Golden compares a method with ten training steps of Hugging Face PEFT: every folder of golden/peft whose method is one of Methods.
type Golden struct {
	Methods []string
	Load    func(peft.Host, *peft.Saved) (peft.Adapter, error)
	// Begin puts the first adapter, in the directory init of a case, on a base, where files of PEFT do not hold all that is trained; optional.
	Begin func(t *testing.T, h peft.Host, init string) peft.Adapter
	// Whole says that the method makes a whole model (peft.Standalone): a case begins with its base, which Begin is for, and ends with a model.
	Whole bool
	// Stepped looks at an adapter behind step t, 0 the first, of the case in dir; optional.
	Stepped func(t *testing.T, dir string, a peft.Adapter, step int)
}

// hooked is what a method has that acts around the optimizer's steps (trainer.Hooks).
type hooked interface {
	Begin(steps int) error
	Penalty() float64
	Updated(t int)
}

// Run runs all cases that the conformance sets hold.
func (g Golden) Run(t *testing.T) {
	testkit.Conformance(t, "golden/peft", func(t *testing.T, dir string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			c := &goldenCase{Golden: g, dir: filepath.Join(dir, e.Name())}
			mark := "init/" + peft.ConfigFile
			if g.Whole {
				mark = wholeFile
			}
			if _, err := os.Stat(c.path(mark)); err != nil {
				continue
			}
			testkit.ReadJSON(t, c.path("train.json"), &c.ref)
			if !slices.Contains(g.Methods, c.ref.Method) {
				continue
			}
			c.base = filepath.Join(dir, "..", "models", c.ref.Model)
			t.Run(e.Name(), c.run)
		}
	})
}

// goldenCase is one folder.
type goldenCase struct {
	Golden
	dir, base string
	ref       reference
}

func (c *goldenCase) path(name string) string { return filepath.Join(c.dir, name) }

func (c *goldenCase) run(t *testing.T) {
	t.Run("gradients", c.gradients)
	t.Run("bfloat16", c.reduced)
	t.Run("training", c.training)
	t.Run("final", c.final)
}

// load opens the base and puts the adapter in folder at on it.
func (c *goldenCase) load(t *testing.T, at string) (*model.Model, peft.Adapter) {
	t.Helper()
	m := Open(t, c.base)
	saved, err := peft.Load(at)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Load(m, saved)
	if err != nil {
		t.Fatal(err)
	}
	return m, a
}

// begin opens the base, puts the reference's first adapter on it and tells it how many steps there will be.
func (c *goldenCase) begin(t *testing.T) (*model.Model, peft.Adapter) {
	t.Helper()
	var m *model.Model
	var a peft.Adapter
	if c.Begin == nil {
		m, a = c.load(t, c.path("init"))
	} else {
		m = Open(t, c.base)
		a = c.Begin(t, m, c.path("init"))
	}
	if h, ok := a.(hooked); ok {
		if err := h.Begin(len(c.ref.LRs)); err != nil {
			t.Fatal(err)
		}
	}
	return m, a
}

// named is the tensor of a reference file for a parameter, whose name there may begin with PEFT's wrapper.
func named(tensors map[string]testkit.Tensor, name string) testkit.Tensor {
	if x, ok := tensors[filePrefix+name]; ok {
		return x
	}
	return tensors[name]
}

// step adds the gradient of a batch's loss per label token, and of the method's own term, to the parameters and returns the loss.
func (c *goldenCase) step(t *testing.T, m *model.Model, a peft.Adapter, batch int) float64 {
	t.Helper()
	loss := pass(t, m, c.ref.Batches[batch])
	if h, ok := a.(hooked); ok {
		loss += h.Penalty()
	}
	return loss
}

// pack puts sequences into one pass.
func pack(rows []sequence) dataset.Batch {
	var samples []dataset.Sample
	for i, r := range rows {
		samples = append(samples, dataset.Sample{Key: uint64(i), IDs: r.IDs, Labels: r.Labels})
	}
	return dataset.Pack(samples)
}

// pass adds the gradient of the sequences' loss per label token to the parameters and returns that loss.
func pass(t *testing.T, m *model.Model, rows []sequence) float64 {
	t.Helper()
	b := pack(rows)
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
	m, a := c.begin(t)
	near(t, "loss", c.step(t, m, a, c.ref.GradsBatch), c.ref.GradsLoss, 1e-4)
	near(t, "gradient norm", optim.GlobalNorm(grads(a.Params())), c.ref.GradsNorm, 1e-4*c.ref.GradsNorm)
	want := c.tensors(t, "grads.safetensors")
	if len(want) != len(a.Params()) {
		t.Errorf("%d gradients, the reference has %d", len(a.Params()), len(want))
	}
	for _, p := range a.Params() {
		testkit.Near(t, p.Name, p.Grad, named(want, p.Name).Data, 1e-4, 1e-6)
	}
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s is %.9g, the reference has %.9g", what, got, want)
	}
}

// reduced takes the reference's steps with products in bfloat16, within what the reference set found for those (with
// attention's products rounded too): a loss within 0.1, the whole gradient within 10 %, each tensor that matters within 20 %, losses
// within 2 % and gradient norms within 7 % as vectors.
func (c *goldenCase) reduced(t *testing.T) {
	m, a := c.begin(t)
	m.SetPrecision(kernels.BF16)
	near(t, "loss", c.step(t, m, a, c.ref.GradsBatch), c.ref.GradsLoss, 0.1)
	want := c.tensors(t, "grads.safetensors")
	var diff, size float64
	for _, p := range a.Params() {
		d, s := apart(p.Grad, named(want, p.Name).Data)
		diff, size = diff+d, size+s
		if rel := math.Sqrt(d / s); math.Sqrt(s) > 1e-3*c.ref.GradsNorm && !(rel <= 0.2) {
			t.Errorf("%s differs by %g of its norm", p.Name, rel)
		}
	}
	if rel := math.Sqrt(diff / size); !(rel <= 0.1) || rel == 0 {
		t.Errorf("the gradient differs by %g of its norm", rel)
	}
	m, a = c.begin(t)
	m.SetPrecision(kernels.BF16)
	losses, norms := c.steps(t, m, a, nil)
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
func apart[A, B testkit.Number](a []A, b []B) (diff, size float64) {
	for i, v := range b {
		d := float64(a[i]) - float64(v)
		diff, size = diff+d*d, size+float64(v)*float64(v)
	}
	return diff, size
}

// training repeats the reference's steps from its first adapter. What ft would save then is the reference's last adapter.
func (c *goldenCase) training(t *testing.T) {
	m, a := c.begin(t)
	losses, norms := c.steps(t, m, a, c.Stepped)
	testkit.Near(t, "losses", losses, c.ref.Losses, 0, 1e-4)
	for i, n := range norms {
		near(t, "a gradient norm", n, c.ref.GradNorms[i], 1e-4*c.ref.GradNorms[i])
	}
	if c.Whole {
		c.compareWhole(t, m, a)
		return
	}
	want := testkit.Tensors(t, c.path("final/"+peft.TensorFile))
	for name, got := range testkit.Tensors(t, filepath.Join(save(t, a), peft.TensorFile)) {
		if _, noisy := c.ref.Shadow.Noisy[name]; !noisy {
			testkit.Near(t, name, got.Data, want[name].Data, 1e-4, 1e-4)
		}
	}
	if _, err := os.Stat(c.path(encoderFile)); err == nil {
		want := testkit.Tensors(t, c.path(encoderFile))
		for _, p := range a.Params() {
			if _, noisy := c.ref.Shadow.Noisy[p.Name]; !noisy {
				testkit.Near(t, p.Name, p.Data, want[p.Name].Data, 1e-4, 1e-4)
			}
		}
	}
	c.probe(t, m)
}

// encoderFile holds what a soft prompt was trained through, which PEFT does not save.
const encoderFile = "final/prompt_encoder.safetensors"

// steps takes the reference's steps and returns the loss and the gradient's norm of each.
func (c *goldenCase) steps(t *testing.T, m *model.Model, a peft.Adapter, stepped func(*testing.T, string, peft.Adapter, int)) (losses, norms []float64) {
	t.Helper()
	var params []optim.Param
	var sizes []int
	for _, p := range a.Params() {
		params = append(params, optim.Param{Data: p.Data, Grad: p.Grad, Decay: true, LRScale: c.ref.LRFactor[filePrefix+p.Name]})
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
		losses = append(losses, c.step(t, m, a, c.ref.BatchOfStep[step]))
		norms = append(norms, optim.Clip(grads(a.Params()), o.Clip))
		if err := adam.Step(lr, params); err != nil {
			t.Fatal(err)
		}
		if h, ok := a.(hooked); ok {
			h.Updated(step)
		}
		if stepped != nil {
			stepped(t, c.dir, a, step)
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
	o := generate.Options{MaxNew: len(f.Greedy), Batch: 1}
	err := generate.Answers(t.Context(), m, [][]int32{f.IDs}, o, func(a generate.Answer) error {
		if !slices.Equal(a.IDs, f.Greedy) {
			t.Errorf("goes on with %v, the reference with %v", a.IDs, f.Greedy)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// save writes an adapter and returns its directory.
func save(t *testing.T, a peft.Adapter) string {
	t.Helper()
	dir := t.TempDir()
	state, err := a.State()
	if err != nil {
		t.Fatal(err)
	}
	if err := peft.Save(dir, state, peft.Meta{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// final takes the reference's tuned adapter as it is, saved by ft again, and merged.
func (c *goldenCase) final(t *testing.T) {
	if c.Whole {
		c.finalWhole(t)
		return
	}
	m, a := c.load(t, c.path("final"))
	c.probe(t, m)
	dir := save(t, a)
	again, _ := c.load(t, dir)
	c.probe(t, again)
	SameConfig(t, filepath.Join(dir, peft.ConfigFile), c.path("final/"+peft.ConfigFile))
	ours, theirs := testkit.Tensors(t, filepath.Join(dir, peft.TensorFile)), testkit.Tensors(t, c.path("final/"+peft.TensorFile))
	for name, want := range theirs {
		if strings.HasSuffix(name, ".base_layer.weight") {
			delete(theirs, name) // a frozen copy of the base's
			continue
		}
		if got := ours[name]; !slices.Equal(got.Shape, want.Shape) || !slices.Equal(got.Data, want.Data) {
			t.Errorf("%s is saved otherwise than it was loaded", name)
		}
	}
	if len(ours) != len(theirs) {
		t.Errorf("%d tensors are saved, %d were loaded", len(ours), len(theirs))
	}

	if len(c.ref.Merged.Last) == 0 {
		return // soft prompts cannot be merged
	}
	want := c.ref.Merged.Last
	if unties(a) { // PEFT changes the head with the embedding then; what is merged must say what the adapter says
		want = c.ref.Final.Logits[len(c.ref.Final.Logits)-1]
	}
	plain := merged(t, c.base, unties(a), a.Merge)
	last := c.ref.Final.IDs
	err := plain.Logits(last, []int32{int32(len(last) - 1)}, func(_ int, l []float32) {
		testkit.Near(t, "merged logits", l, want, 1e-4, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// SameConfig asks that every key ft writes has PEFT's value, the base's name aside.
func SameConfig(t *testing.T, ours, theirs string) {
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
