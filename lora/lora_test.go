package lora_test

import (
	"testing"

	"ft/lora"
	"ft/peft"
	"ft/peft/pefttest"
)

func TestConformance(t *testing.T) {
	base := lora.Default()
	base.Rank, base.Alpha, base.Dropout = 3, 5, 0
	for name, change := range map[string]func(*lora.Config){
		"all-linear":      func(*lora.Config) {},
		"rank-stabilised": func(c *lora.Config) { c.RankStabilized = true },
		"head too":        func(c *lora.Config) { c.Targets = peft.Names{List: []string{"lm_head", "down_proj"}} },
		"one block":       func(c *lora.Config) { c.Layers = []int{1} },
		"expression": func(c *lora.Config) {
			c.Targets, c.Exclude = peft.Names{Expr: `.*self_attn.*`}, peft.Names{List: []string{"k_proj"}}
		},
		"patterns": func(c *lora.Config) {
			c.Patterns = []lora.Pattern{{Match: "v_proj", Alpha: 9}, {Match: `layers\.1\..*`, Rank: 5, Alpha: 2}, {Match: ".*_proj", Rank: 2}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := base
			change(&c)
			pefttest.Run(t, pefttest.Subject{Method: lora.Method{Config: c, Seed: 1}, Load: lora.Load})
		})
	}
}
