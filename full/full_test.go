package full_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/full"
	"ft/internal/kernels"
	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/internal/testkit/backend"
	"ft/model"
	"ft/peft"
	"ft/peft/pefttest"
)

func TestBackend(t *testing.T) { backend.Check(t) }

func TestGolden(t *testing.T) {
	pefttest.Golden{Methods: []string{"full"}, Whole: true, Begin: func(t *testing.T, h peft.Host, _ string) peft.Adapter {
		a, err := full.DefaultFull().Attach(h)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}}.Run(t)
}

// bases are a llama, tied and untied, and the reference set's GPT-2, whose weights are transposed and which has biases everywhere.
func bases(t *testing.T) map[string]string {
	t.Helper()
	tied := t.TempDir()
	testkit.TinyLlama{Seed: 1, Dim: 24, HeadDim: 6, FF: 36, Bias: true}.Write(t, tied)
	return map[string]string{
		"": "", " tied": tied, " gpt2": filepath.Join(testkit.Root(), "testdata", "conformance", "golden", "models", "gpt2"),
	}
}

func TestMethod(t *testing.T) {
	for name, m := range map[string]peft.Method{
		"full":   full.DefaultFull(),
		"freeze": full.Freeze{Weights: "float32", Blocks: 1},
		"extra":  full.Freeze{Weights: "float32", Extra: []string{"head", "norm"}},
		"bitfit": full.DefaultBitFit(),
	} {
		for of, base := range bases(t) {
			if name == "bitfit" && base == "" {
				continue // it has no biases
			}
			t.Run(name+of, func(t *testing.T) { pefttest.Run(t, pefttest.Subject{Method: m, Base: base, Whole: true}) })
		}
	}
}

// TestFreeze: what is trained is what was asked for, and nothing else.
func TestFreeze(t *testing.T) {
	for _, c := range []struct {
		tied  bool
		m     full.Freeze
		parts []string // every trained tensor begins with one, and each begins some
	}{
		{false, full.Freeze{Blocks: 1}, []string{"model.layers.1."}},
		{false, full.Freeze{Blocks: 2, Extra: []string{"norm"}}, []string{"model.layers.0.", "model.layers.1.", "model.norm."}},
		{false, full.Freeze{Extra: []string{"head"}}, []string{"lm_head.weight"}},
		{true, full.Freeze{Extra: []string{"head"}}, []string{"model.embed_tokens.weight"}},
		{true, full.Freeze{Extra: []string{"embedding"}}, []string{"model.embed_tokens.weight"}},
	} {
		dir := t.TempDir()
		testkit.TinyLlama{Untied: !c.tied}.Write(t, dir)
		c.m.Weights = "float32"
		a, err := c.m.Attach(pefttest.Open(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, p := range a.Params() {
			i := slices.IndexFunc(c.parts, func(s string) bool { return strings.HasPrefix(p.Name, s) })
			if i < 0 {
				t.Errorf("%+v trains %v", c.m, p)
				continue
			}
			seen[c.parts[i]] = true
		}
		if len(seen) != len(c.parts) {
			t.Errorf("%+v trains only %v", c.m, seen)
		}
	}
}

// TestFull_bfloat16: passes see the masters rounded, the gradient goes to the masters, and the values of the model are those that it has
// when it is written in bfloat16.
func TestFull_bfloat16(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{Seed: 3}.Write(t, dir)
	attach := func(weights string) (peft.Adapter, func() []float32) {
		m := pefttest.Open(t, dir)
		m.SetPrecision(kernels.F32)
		a, err := full.Full{Weights: weights}.Attach(m)
		if err != nil {
			t.Fatal(err)
		}
		return a, func() []float32 { return logits(t, m) }
	}
	a, rounded := attach("bfloat16")
	b, exact := attach("float32")
	if slices.Equal(rounded(), exact()) {
		t.Error("rounding changes nothing: this test tells nothing")
	}
	for i, p := range b.Params() {
		if len(p.Shape) == 2 {
			for j, v := range p.Data {
				p.Data[j] = quant.BF16Value(quant.BF16Bits(v))
			}
		}
		if !slices.Equal(p.Shape, a.Params()[i].Shape) {
			t.Fatalf("%v and %v", p, a.Params()[i])
		}
	}
	if !slices.Equal(rounded(), exact()) {
		t.Error("the logits are not those of the rounded weights")
	}
	for _, p := range a.Params() {
		for j := range p.Data {
			p.Data[j] *= 1.5
		}
	}
	for _, p := range b.Params() {
		for j := range p.Data {
			p.Data[j] *= 1.5
		}
	}
	testkit.Near(t, "logits behind a change", rounded(), exact(), 0.02, 0)
	if typ := a.(peft.Standalone).WeightType(); typ != quant.BF16 {
		t.Errorf("written in %v", typ)
	}
}

func TestAttach_refuses(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{}.Write(t, dir)
	for want, m := range map[string]peft.Method{
		"full: weights: must be float32 or bfloat16, got \"f16\"":           full.Full{Weights: "f16"},
		"freeze: blocks: the base has 2 blocks, got 3":                      full.Freeze{Weights: "float32", Blocks: 3},
		"freeze: blocks: must be 0 or more, got -1":                         full.Freeze{Weights: "float32", Blocks: -1},
		"freeze: blocks: must be 1 or more unless extra":                    full.Freeze{Weights: "float32"},
		"freeze: extra[0]: must be one of embedding, norm, head, got \"x\"": full.Freeze{Weights: "float32", Blocks: 1, Extra: []string{"x"}},
		"bitfit: this base (model type llama) has no biases":                full.DefaultBitFit(),
	} {
		m1 := pefttest.Open(t, dir)
		if _, err := m.Attach(m1); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		for _, l := range m1.Linears() {
			if len(l.Params()) > 0 {
				t.Errorf("%s: something was left in %s", want, l.Name)
			}
		}
	}
}

// TestFull_families: every tensor of every family is trained under the name that the family's files have for it, and a model that is
// written answers as the one that was trained.
func TestFull_families(t *testing.T) {
	testkit.Conformance(t, "golden/models", func(t *testing.T, dir string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			base := filepath.Join(dir, e.Name())
			stored, _ := filepath.Glob(filepath.Join(base, "*.safetensors"))
			if len(stored) == 0 {
				continue
			}
			t.Run(e.Name(), func(t *testing.T) {
				want := map[string]bool{}
				for _, file := range stored {
					for name := range testkit.Tensors(t, file) {
						want[name] = true
					}
				}
				m := pefttest.Open(t, base)
				a, err := full.DefaultFull().Attach(m)
				if err != nil {
					t.Fatal(err)
				}
				r := rand.New(rand.NewPCG(1, 1))
				for _, p := range a.Params() {
					if p.NoDecay != (len(p.Shape) == 1) {
						t.Errorf("%v: NoDecay %v", p, p.NoDecay)
					}
					if !want[p.Name] {
						t.Errorf("%v is not in the files", p)
					}
					delete(want, p.Name)
					for i := range p.Data {
						p.Data[i] += float32(0.02 * r.NormFloat64())
					}
				}
				if len(want) > 0 {
					t.Errorf("not trained: %v", want)
				}
				m.SetPrecision(kernels.F32)
				written := pefttest.Merged(t, base, a.Merge)
				written.SetPrecision(kernels.F32)
				testkit.Near(t, "logits", logits(t, written), logits(t, m), 1e-5, 0)
			})
		}
	})
}

// logits are those behind a few tokens.
func logits(t *testing.T, m *model.Model) (out []float32) {
	t.Helper()
	if err := m.Logits([]int32{5, 1, 30, 2, 17}, []int32{4}, func(_ int, l []float32) { out = slices.Clone(l) }); err != nil {
		t.Fatal(err)
	}
	return out
}
