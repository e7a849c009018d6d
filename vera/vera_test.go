package vera_test

import (
	"strings"
	"testing"

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

func TestMethod(t *testing.T) {
	for name, change := range variants {
		t.Run(name, func(t *testing.T) {
			c := vera.Default()
			c.Rank, c.DInitial = 16, 0.5
			change(&c)
			pefttest.Run(t, pefttest.Subject{Method: vera.Method{Config: c}, Load: vera.Load})
		})
	}
}

func TestConfig_Validate(t *testing.T) {
	if err := vera.Default().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, change := range map[string]func(*vera.Config){
		"rank: must be from 1 to 65536, got 0":      func(c *vera.Config) { c.Rank = 0 },
		"d_initial: must be a number other than 0":  func(c *vera.Config) { c.DInitial = 0 },
		"dropout: must be from 0 to below 1, got 1": func(c *vera.Config) { c.Dropout = 1 },
		"targets: names no module":                  func(c *vera.Config) { c.Targets = peft.Names{} },
	} {
		c := vera.Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want only one that begins with %q", err, want)
		}
	}
}
