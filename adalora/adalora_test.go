package adalora

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/model"
	"ft/peft"
	"ft/peft/pefttest"
)

// variants are settings that cover what Config can say.
var variants = map[string]func(*Config){
	"all-linear": func(*Config) {},
	"names":      func(c *Config) { c.Targets = peft.Names{List: []string{"v_proj", "mlp.up_proj", "lm_head"}} },
	"block of names": func(c *Config) {
		c.Targets, c.Layers = peft.Names{List: []string{"q_proj", "down_proj"}}, []int{1}
	},
	"excluded": func(c *Config) { c.Exclude = peft.Names{List: []string{"k_proj"}} },
}

func subjects(t *testing.T) map[string]pefttest.Subject {
	out := map[string]pefttest.Subject{}
	add := func(name, base string, change func(*Config)) {
		c := small()
		change(&c)
		out[name] = pefttest.Subject{Method: Method{Config: c, Seed: 1}, Load: Load, Base: base}
	}
	for name, change := range variants {
		add(name, "", change)
	}
	gpt2 := filepath.Join(testkit.Root(), "testdata", "conformance", "golden", "models", "gpt2")
	add("biases of targets of GPT-2", gpt2, func(c *Config) {
		c.Bias, c.Targets = "lora_only", peft.Names{List: []string{"c_attn", "mlp.c_proj"}}
	})
	add("all biases of GPT-2", gpt2, func(c *Config) { c.Bias, c.Targets = "all", peft.Names{List: []string{"c_fc"}} })
	return out
}

func TestMethod(t *testing.T) {
	for name, s := range subjects(t) {
		t.Run(name, func(t *testing.T) { pefttest.Run(t, s) })
	}
}

func TestPEFT(t *testing.T) { pefttest.PEFT(t, subjects(t)) }

// small are settings without dropout for a tiny model.
func small() Config {
	c := Default()
	c.InitRank, c.TargetRank, c.Dropout = 4, 2, 0
	return c
}

// tiny is a small llama with a fresh adapter.
func tiny(t *testing.T, c Config) (*model.Model, *adapter) {
	t.Helper()
	dir := t.TempDir()
	testkit.TinyLlama{}.Write(t, dir)
	m := pefttest.Open(t, dir)
	a, err := Method{Config: c, Seed: 1}.Attach(m)
	if err != nil {
		t.Fatal(err)
	}
	return m, a.(*adapter)
}

func TestConfig_Validate(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, change := range map[string]func(*Config){
		"init_rank: must be from 1 to 65536, got 0":         func(c *Config) { c.InitRank = 0 },
		"target_rank: must be from 1 to init_rank, 12, got": func(c *Config) { c.TargetRank = 13 },
		"alpha: must be above 0, got 0":                     func(c *Config) { c.Alpha = 0 },
		"dropout: must be from 0 to below 1, got 1":         func(c *Config) { c.Dropout = 1 },
		"targets: names no module":                          func(c *Config) { c.Targets = peft.Names{} },
		"tinit: must be a part of all steps":                func(c *Config) { c.TInit = 1.5 },
		"tfinal: must be a part of all steps":               func(c *Config) { c.TFinal = -1 },
		"tfinal: leaves no step to cut ranks in":            func(c *Config) { c.TInit, c.TFinal = 0.5, 0.5 },
		"delta_t: must be at least 1, got 0":                func(c *Config) { c.DeltaT = 0 },
		"beta1: must be above 0 and below 1, got 1":         func(c *Config) { c.Beta1 = 1 },
		"beta2: must be above 0 and below 1, got NaN":       func(c *Config) { c.Beta2 = math.NaN() },
		"orth_reg_weight: must be 0 or more, got -1":        func(c *Config) { c.OrthRegWeight = -1 },
		"bias: must be one of none, lora_only, all, got":    func(c *Config) { c.Bias = "some" },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want only one that begins with %q", err, want)
		}
	}
}

// TestBegin: parts of a run and numbers of steps.
func TestBegin(t *testing.T) {
	for _, c := range []struct {
		tinit, tfinal float64
		steps         int
		want          plan
	}{
		{0.1, 0.3, 100, plan{10, 30, 100}}, {5, 7, 100, plan{5, 7, 100}}, {0, 0, 10, plan{0, 1, 10}}, {0.1, 0.3, 2, plan{0, 1, 2}},
		{0.1, 0.3, 1, plan{}}, {60, 40, 100, plan{}},
	} {
		config := small()
		config.TInit, config.TFinal = c.tinit, c.tfinal
		_, a := tiny(t, config)
		err := a.Begin(c.steps)
		if c.want == (plan{}) {
			if err == nil || !strings.Contains(err.Error(), "no step is left to cut ranks in") {
				t.Errorf("%v and %v of %d steps: error %v", c.tinit, c.tfinal, c.steps, err)
			}
		} else if err != nil || a.plan != c.want {
			t.Errorf("%v and %v of %d steps: %+v, %v, want %+v", c.tinit, c.tfinal, c.steps, a.plan, err, c.want)
		}
	}
}

func TestAttach_refuses(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{}.Write(t, dir)
	m := pefttest.Open(t, dir)
	c := Default()
	c.InitRank = 17 // k_proj has 16 outputs
	_, err := Method{Config: c}.Attach(m)
	if err == nil || !strings.Contains(err.Error(), "init_rank: 17 is more than model.layers.0.self_attn.k_proj has") {
		t.Errorf("error %v", err)
	}
	for _, l := range m.Linears() {
		if len(l.Params()) > 0 {
			t.Errorf("something was left in %s", l.Name)
		}
	}
}

// TestPenalty: the gradient against finite differences.
func TestPenalty(t *testing.T) {
	c := small()
	c.Layers = []int{1}
	_, a := tiny(t, c)
	if want := c.OrthRegWeight * 2; math.Abs(a.Penalty()-want) > 0.05*want { // of nearly zero rows: ‖I‖ = 2 at rank 4
		t.Errorf("penalty of a fresh adapter: %g, want nearly %g", a.Penalty(), want)
	}
	for _, p := range a.Params() {
		for i := range p.Data {
			p.Data[i] += float32(math.Sin(float64(3*i+len(p.Data)))) * 0.3
		}
		p.ZeroGrad()
	}
	a.Penalty()
	var grads [][]float32
	for _, p := range a.Params() {
		grads = append(grads, slices.Clone(p.Grad))
	}
	for n, p := range a.Params() {
		size := float64(p.Size())
		for _, i := range []int{0, p.Size() / 2, p.Size() - 1} {
			was := p.Data[i]
			side := func(d float32) float64 { p.Data[i] = was + d; return a.Penalty() }
			want := (side(0.01) - side(-0.01)) / 0.02
			p.Data[i] = was
			if got := float64(grads[n][i]); math.Abs(want-got) > 2e-4 || got == 0 && size > 4 {
				t.Errorf("%v: gradient at %d is %g, finite differences say %g", p, i, got, want)
			}
		}
	}
}

// scored gives every module's triplets scores that rise with their number, the first module's below all others.
func scored(a *adapter) {
	for i, m := range a.modules {
		m.scores.triplets = make([]float64, m.rank)
		for k := range m.scores.triplets {
			m.scores.triplets[k] = float64(k + min(i, 1)*m.rank)
		}
	}
}

// stir gives every parameter another value, as training does.
func stir(a *adapter) {
	for n, p := range a.Params() {
		for i := range p.Data {
			p.Data[i] += float32(math.Sin(float64(n+7*i+1))) * 0.2
		}
	}
}

// TestState_cut: what is saved are the triplets with an E, also those that the optimizer brought back or that the weights of an earlier
// step still had, so that it computes what the model computed.
func TestState_cut(t *testing.T) {
	for name, revive := range map[string]bool{"behind an allocation": false, "with others brought back": true} {
		t.Run(name, func(t *testing.T) {
			m, a := tiny(t, small())
			stir(a)
			scored(a)
			before := slices.Clone(a.modules[1].e.Data)
			a.drop(2 * (len(a.modules) - 1)) // nothing of the first module, half of the others
			want := []int{0, 2, 2}
			if revive {
				copy(a.modules[1].e.Data, before)
				want = []int{0, 4, 2}
			}
			again, b := reloaded(t, a)
			if got := []int{b.modules[0].rank, b.modules[1].rank, b.modules[2].rank}; !slices.Equal(got, want) {
				t.Errorf("ranks %v, want %v", got, want)
			}
			if targets := b.Targets(); !slices.Equal(targets, a.Targets()[1:]) {
				t.Errorf("targets %v: the first has nothing left", targets)
			}
			testkit.Near(t, "logits of what was saved", logits(t, again), logits(t, m), 1e-5, 0)
			if err := b.Begin(10); err == nil {
				t.Error("an adapter with its final ranks may be trained on")
			}
			third, c := reloaded(t, b)
			testkit.Near(t, "logits of what was saved again", logits(t, third), logits(t, again), 0, 0)
			for i, m := range c.modules {
				if !slices.Equal(m.pattern, b.modules[i].pattern) {
					t.Errorf("%s: pattern %v became %v", m.linear.Name, b.modules[i].pattern, m.pattern)
				}
			}
		})
	}
}

// reloaded saves an adapter and loads it on a base of its own.
func reloaded(t *testing.T, a *adapter) (*model.Model, *adapter) {
	t.Helper()
	state, err := a.State()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := peft.Save(dir, state, peft.Meta{}); err != nil {
		t.Fatal(err)
	}
	saved, err := peft.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	testkit.TinyLlama{}.Write(t, base)
	m := pefttest.Open(t, base)
	b, err := Load(m, saved)
	if err != nil {
		t.Fatal(err)
	}
	return m, b.(*adapter)
}

func logits(t *testing.T, m *model.Model) []float32 {
	t.Helper()
	at := []int32{0, 3, 7}
	out := make([]float32, len(at)*m.Spec.Vocab)
	err := m.Logits([]int32{3, 1, 4, 1, 5, 9, 2, 6}, at, func(i int, l []float32) { copy(out[i*m.Spec.Vocab:], l) })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLoad_refuses: patterns that do not fit.
func TestLoad_refuses(t *testing.T) {
	_, a := tiny(t, small())
	for want, patterns := range map[string]map[string][]bool{
		"is none of the adapter's layers": {"model.layers.9.self_attn.q_proj.lora_E": {true, true, true, true}},
		"has 1 entries, init_r is 4":      {a.modules[0].linear.Name + nameE: {true}},
	} {
		if err := a.patterns(patterns); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestUpdated_allocations: a step in steady state allocates next to nothing.
func TestUpdated_allocations(t *testing.T) {
	_, a := tiny(t, small())
	if err := a.Begin(1000); err != nil {
		t.Fatal(err)
	}
	step := 200
	a.Updated(step)
	n := testing.AllocsPerRun(20, func() {
		step++
		a.Forward()
		a.Backward()
		a.Penalty()
		a.Updated(step)
	})
	if n > 10 {
		t.Errorf("%g allocations a step", n)
	}
}
