package vera_test

import (
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/internal/testkit/backend"
	"ft/peft"
	"ft/peft/pefttest"
	"ft/vera"
)

func TestBackend(t *testing.T) { backend.Check(t) }

func TestGolden(t *testing.T) {
	pefttest.Golden{Methods: []string{"vera"}, Load: vera.Load}.Run(t)
}

// variants are settings that cover what Config can say.
var variants = map[string]func(*vera.Config){
	"all-linear":         func(*vera.Config) {},
	"without projection": func(c *vera.Config) { c.SaveProjection, c.ProjectionKey = false, -3 },
	"names":              func(c *vera.Config) { c.Targets = peft.Names{List: []string{"v_proj", "mlp.up_proj", "lm_head"}} },
	"block of names": func(c *vera.Config) {
		c.Targets, c.Layers = peft.Names{List: []string{"q_proj", "down_proj"}}, []int{1}
	},
	"excluded": func(c *vera.Config) { c.Exclude = peft.Names{List: []string{"k_proj"}} },
}

// biased are settings for bases that have biases: a llama with some on its linear layers, and the reference set's GPT-2, which has them on
// layer norms too and stores its weights transposed.
var biased = map[string]func(*vera.Config){
	"biases of targets": func(c *vera.Config) { c.Bias = "vera_only" },
	"all biases":        func(c *vera.Config) { c.Bias = "all" },
}

func subjects(t *testing.T) map[string]pefttest.Subject {
	out := map[string]pefttest.Subject{}
	add := func(name, base string, changes ...func(*vera.Config)) {
		c := vera.Default()
		c.Rank, c.DInitial = 16, 0.5
		for _, change := range changes {
			change(&c)
		}
		out[name] = pefttest.Subject{Method: vera.Method{Config: c}, Load: vera.Load, Base: base}
	}
	for name, change := range variants {
		add(name, "", change)
	}
	llama := t.TempDir()
	testkit.TinyLlama{Seed: 1, Dim: 24, HeadDim: 6, FF: 36, Bias: true}.Write(t, llama)
	gpt2 := filepath.Join(testkit.Root(), "testdata", "conformance", "golden", "models", "gpt2")
	for name, change := range biased {
		add(name, llama, change, func(c *vera.Config) { c.Targets = peft.Names{List: []string{"q_proj", "down_proj"}} })
		add(name+" of GPT-2", gpt2, change, func(c *vera.Config) { c.Targets = peft.Names{List: []string{"c_attn", "mlp.c_proj"}} })
	}
	return out
}

func TestMethod(t *testing.T) {
	for name, s := range subjects(t) {
		t.Run(name, func(t *testing.T) { pefttest.Run(t, s) })
	}
}

func TestPEFT(t *testing.T) { pefttest.PEFT(t, subjects(t)) }

func TestConfig_Validate(t *testing.T) {
	if err := vera.Default().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, change := range map[string]func(*vera.Config){
		"rank: must be from 1 to 65536, got 0":      func(c *vera.Config) { c.Rank = 0 },
		"d_initial: must be a number other than 0":  func(c *vera.Config) { c.DInitial = 0 },
		"dropout: must be from 0 to below 1, got 1": func(c *vera.Config) { c.Dropout = 1 },
		"targets: names no module":                  func(c *vera.Config) { c.Targets = peft.Names{} },
		"bias: must be one of none, vera_only, all": func(c *vera.Config) { c.Bias = "some" },
	} {
		c := vera.Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want only one that begins with %q", err, want)
		}
	}
}

func TestAttach_noBias(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{}.Write(t, dir)
	m := pefttest.Open(t, dir)
	c := vera.Default()
	c.Bias = "all"
	if _, err := (vera.Method{Config: c}).Attach(m); err == nil || !strings.Contains(err.Error(), "bias: all: this base has no such biases") {
		t.Errorf("error %v", err)
	}
	for _, l := range m.Linears() {
		if len(l.Params()) > 0 {
			t.Errorf("something was left in %s", l.Name)
		}
	}
}
