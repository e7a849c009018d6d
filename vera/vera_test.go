package vera_test

import (
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
	"biases of targets": func(c *vera.Config) {
		c.Bias, c.Targets = "vera_only", peft.Names{List: []string{"v_proj", "up_proj"}}
	},
	"all biases": func(c *vera.Config) { c.Bias, c.Targets = "all", peft.Names{List: []string{"q_proj", "down_proj"}} },
}

func subjects() map[string]pefttest.Subject {
	out := map[string]pefttest.Subject{}
	for name, change := range variants {
		c := vera.Default()
		c.Rank, c.DInitial = 16, 0.5
		change(&c)
		out[name] = pefttest.Subject{Method: vera.Method{Config: c}, Load: vera.Load, Bias: c.Bias != "none"}
	}
	return out
}

func TestMethod(t *testing.T) {
	for name, s := range subjects() {
		t.Run(name, func(t *testing.T) { pefttest.Run(t, s) })
	}
}

func TestPEFT(t *testing.T) { pefttest.PEFT(t, subjects()) }

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
