package lora_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"ft/lora"
	"ft/peft"
)

func TestConfig_yaml(t *testing.T) {
	text := `
rank: 8
alpha: 16
dropout: 0.1
targets: [q_proj, v_proj]
exclude: .*layers\.0.*
layers: [0, 1]
rank_stabilized: true
dora: true
bias: lora_only
save_modules: [lm_head]
tokens: [7, "<eos>"]
head_tokens: [8]
lr_ratio: 16
init: pissa
patterns: [{match: "layers.0.*q_proj", rank: 4, alpha: 2.5}]
`
	got := lora.Default()
	if err := yaml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := lora.Config{
		Rank: 8, Alpha: 16, Dropout: 0.1, Targets: peft.Names{List: []string{"q_proj", "v_proj"}}, Exclude: peft.Names{Expr: `.*layers\.0.*`},
		Layers: []int{0, 1}, RankStabilized: true, DoRA: true, Bias: "lora_only", SaveModules: []string{"lm_head"},
		Tokens: lora.Tokens{{ID: 7}, {Text: "<eos>"}}, HeadTokens: lora.Tokens{{ID: 8}}, LRRatio: 16, Init: "pissa", Patterns: []lora.Pattern{{Match: "layers.0.*q_proj", Rank: 4, Alpha: 2.5}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	out, err := yaml.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	again := lora.Default()
	if err := yaml.Unmarshal(out, &again); err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("written as\n%s and read as %+v, %v", out, again, err)
	}
}

func TestConfig_Validate(t *testing.T) {
	if err := lora.Default().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, change := range map[string]func(*lora.Config){
		"rank: must be from 1 to 65536, got 0":       func(c *lora.Config) { c.Rank = 0 },
		"rank: must be from 1 to 65536, got 65537":   func(c *lora.Config) { c.Rank = 1<<16 + 1 },
		"alpha: must be above 0, got -1":             func(c *lora.Config) { c.Alpha = -1 },
		"alpha: must be above 0, got NaN":            func(c *lora.Config) { c.Alpha = math.NaN() },
		"dropout: must be from 0 to below 1, got 1":  func(c *lora.Config) { c.Dropout = 1 },
		`init: unknown "pisa"; did you mean "pissa"`: func(c *lora.Config) { c.Init = "pisa" },
		"targets: names no module":                   func(c *lora.Config) { c.Targets = peft.Names{} },
		`exclude: regular expression "("`:            func(c *lora.Config) { c.Exclude.Expr = "(" },
		"layers: must be 0 or more, got -2":          func(c *lora.Config) { c.Layers = []int{0, -2} },
		"patterns[1].match: is missing":              func(c *lora.Config) { c.Patterns = []lora.Pattern{{Match: "a", Rank: 1}, {Rank: 1}} },
		`patterns[0].match: regular expression "[a"`: func(c *lora.Config) { c.Patterns = []lora.Pattern{{Match: "[a", Rank: 1}} },
		"patterns[0].rank: must be from 1 to 65536":  func(c *lora.Config) { c.Patterns = []lora.Pattern{{Match: "a", Rank: -1}} },
		"patterns[0].alpha: must be above 0":         func(c *lora.Config) { c.Patterns = []lora.Pattern{{Match: "a", Alpha: -3}} },
		"patterns[0]: gives neither rank nor alpha":  func(c *lora.Config) { c.Patterns = []lora.Pattern{{Match: "a"}} },
	} {
		c := lora.Default()
		change(&c)
		err := c.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want only one that begins with %q", err, want)
		}
	}
	all := lora.Config{Layers: []int{-1}}.Validate()
	if n := strings.Count(all.Error(), "\n") + 1; n != 7 {
		t.Errorf("%d problems, want 7 (rank, alpha, targets, layers, init, bias, lr_ratio):\n%v", n, all)
	}
}
