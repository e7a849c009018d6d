package lora_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/lora"
	"ft/model"
	"ft/nn"
	"ft/peft"
	"ft/peft/pefttest"
)

// variants are settings that cover what Config can say.
var variants = map[string]func(*lora.Config){
	"all-linear":      func(*lora.Config) {},
	"rank-stabilised": func(c *lora.Config) { c.RankStabilized = true },
	"names":           func(c *lora.Config) { c.Targets = peft.Names{List: []string{"v_proj", "mlp.up_proj", "lm_head"}} },
	"block of all":    func(c *lora.Config) { c.Layers = []int{1} },
	"block of names": func(c *lora.Config) {
		c.Targets, c.Layers = peft.Names{List: []string{"q_proj", "model.layers.1.mlp.up_proj"}}, []int{0}
	},
	"expression": func(c *lora.Config) {
		c.Targets, c.Exclude = peft.Names{Expr: `.*self_attn.*`}, peft.Names{List: []string{"k_proj"}}
	},
	"excluded by expression": func(c *lora.Config) { c.Exclude = peft.Names{Expr: `.*layers\.0\.(?!mlp).*`} },
	// Sorted, as files have them, these patterns would give other modules other values.
	"patterns": func(c *lora.Config) {
		c.Patterns = []lora.Pattern{{Match: "v_proj", Alpha: 9}, {Match: `layers\.1\..*`, Rank: 5, Alpha: 2}, {Match: ".*_proj", Rank: 2}}
	},
	"gaussian": func(c *lora.Config) { c.Init = "gaussian" },
	"PiSSA":    func(c *lora.Config) { c.Init = "pissa" },
	"OLoRA": func(c *lora.Config) {
		c.Init, c.Targets = "olora", peft.Names{List: []string{"v_proj", "mlp.up_proj", "lm_head"}}
	},
	"PiSSA, rank-stabilised, with patterns": func(c *lora.Config) {
		c.Init, c.RankStabilized = "pissa", true
		c.Patterns = []lora.Pattern{{Match: "v_proj", Alpha: 9}, {Match: `layers\.1\..*`, Rank: 5, Alpha: 2}}
	},
	"orthogonal":  func(c *lora.Config) { c.Rank, c.Init = 4, "orthogonal" },
	"dora":        func(c *lora.Config) { c.DoRA = true },
	"dora, pissa": func(c *lora.Config) { c.DoRA, c.Init = true, "pissa" },
	"dora, rank-stabilised, patterns": func(c *lora.Config) {
		c.DoRA, c.RankStabilized, c.Patterns = true, true, []lora.Pattern{{Match: "v_proj", Rank: 5}}
	},
	"embedding":          func(c *lora.Config) { c.Targets = peft.Names{List: []string{"embed_tokens", "q_proj"}} },
	"embedding and head": func(c *lora.Config) { c.Targets = peft.Names{List: []string{"embed_tokens", "lm_head"}} },
	"saved head":         func(c *lora.Config) { c.SaveModules = []string{"lm_head"} },
	"saved embedding, norms and a layer": func(c *lora.Config) {
		c.SaveModules = []string{"embed_tokens", "norm", "layers.1.mlp.up_proj"}
	},
	"saved MLP": func(c *lora.Config) { c.SaveModules = []string{"layers.0.mlp"} },
	"tokens":    func(c *lora.Config) { c.Tokens = lora.Tokens{{ID: 30}, {ID: 2}, {ID: 17}} },
	"tokens of embedding and head": func(c *lora.Config) {
		c.Tokens, c.HeadTokens = lora.Tokens{{ID: 30}, {ID: 2}}, lora.Tokens{{ID: 17}, {ID: 8}, {ID: 2}}
	},
	"patterns in order": func(c *lora.Config) {
		c.Patterns = []lora.Pattern{{Match: "down_proj", Rank: 1}, {Match: "v_proj", Rank: 4, Alpha: 1.5}}
	},
}

// onBiases are settings for a base whose projections have biases and whose head is tied.
var onBiases = map[string]func(*lora.Config){
	"bias of targets":      func(c *lora.Config) { c.Bias, c.Targets = "lora_only", peft.Names{List: []string{"q_proj", "up_proj"}} },
	"every bias":           func(c *lora.Config) { c.Bias, c.Targets = "all", peft.Names{List: []string{"q_proj", "up_proj"}} },
	"bias of B":            func(c *lora.Config) { c.LoRABias = true },
	"both biases":          func(c *lora.Config) { c.LoRABias, c.Bias = true, "lora_only" },
	"dora with biases":     func(c *lora.Config) { c.DoRA, c.Bias = true, "lora_only" },
	"saved layer":          func(c *lora.Config) { c.SaveModules, c.Bias = []string{"v_proj"}, "all" },
	"tied embedding":       func(c *lora.Config) { c.Targets = peft.Names{List: []string{"embed_tokens", "q_proj"}} },
	"tied head":            func(c *lora.Config) { c.Targets = peft.Names{List: []string{"lm_head", "q_proj"}} },
	"saved tied embedding": func(c *lora.Config) { c.SaveModules = []string{"embed_tokens"} },
	"tied tokens":          func(c *lora.Config) { c.Tokens = lora.Tokens{{ID: 30}, {ID: 2}, {ID: 17}} },
	"untied tokens": func(c *lora.Config) {
		c.Tokens, c.HeadTokens = lora.Tokens{{ID: 30}, {ID: 2}}, lora.Tokens{{ID: 17}, {ID: 8}, {ID: 2}}
	},
}

// subject is a method for the suite. DoRA's norms count as constants in the gradient, which the reference's runs test.
func subject(c lora.Config, base string) pefttest.Subject {
	s := pefttest.Subject{Method: lora.Method{Config: c, Seed: 1}, Load: lora.Load, Base: base}
	if c.DoRA {
		s.Detached = func(p *nn.Param) bool {
			return !strings.HasSuffix(p.Name, ".lora_magnitude_vector") && !strings.HasSuffix(p.Name, ".bias")
		}
	}
	return s
}

func TestMethod_biases(t *testing.T) {
	base := t.TempDir()
	testkit.TinyLlama{Seed: 3, Dim: 24, HeadDim: 6, FF: 36, Bias: true}.Write(t, base)
	for name, change := range onBiases {
		t.Run(name, func(t *testing.T) {
			c := lora.Default()
			c.Rank, c.Alpha, c.Dropout = 3, 5, 0
			change(&c)
			pefttest.Run(t, subject(c, base))
		})
	}
}

func TestMethod(t *testing.T) {
	for name, change := range variants {
		t.Run(name, func(t *testing.T) {
			c := lora.Default()
			c.Rank, c.Alpha, c.Dropout = 3, 5, 0
			change(&c)
			pefttest.Run(t, subject(c, ""))
		})
	}
}

// tiny is a small llama, its head tied to the embedding.
func tiny(t *testing.T) *model.Model {
	t.Helper()
	dir := t.TempDir()
	testkit.TinyLlama{}.Write(t, dir)
	return pefttest.Open(t, dir)
}

func attach(t *testing.T, m peft.Host, c lora.Config, seed uint64) peft.Adapter {
	t.Helper()
	a, err := lora.Method{Config: c, Seed: seed}.Attach(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wide is a llama whose layers are at least 64 wide.
func wide(t *testing.T) *model.Model {
	t.Helper()
	dir := t.TempDir()
	testkit.TinyLlama{Dim: 64, HeadDim: 32, FF: 64}.Write(t, dir)
	return pefttest.Open(t, dir)
}

// The start of A is uniform in ±1/√in and depends on seed and module, not on the other targets.
func TestAttach_start(t *testing.T) {
	c := lora.Default()
	c.Rank = 64
	byName := map[string][]float32{}
	for _, p := range attach(t, wide(t), c, 1).Params() {
		if strings.HasSuffix(p.Name, "lora_B.weight") {
			if slices.ContainsFunc(p.Data, func(v float32) bool { return v != 0 }) {
				t.Errorf("%v does not start at zero", p)
			}
			continue
		}
		byName[p.Name] = p.Data
		bound := 1 / math.Sqrt(float64(p.Shape[1]))
		var most, sum, squares float64
		for _, v := range p.Data {
			most = max(most, math.Abs(float64(v)))
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
		n := float64(p.Size())
		if most > bound || most < 0.98*bound || math.Abs(sum/n) > 0.06*bound || math.Abs(squares/n/(bound*bound/3)-1) > 0.1 {
			t.Errorf("%v: largest %g, mean %g, variance %g for U(±%g)", p, most, sum/n, squares/n, bound)
		}
	}
	c.Targets = peft.Names{List: []string{"v_proj"}}
	alone, other := attach(t, wide(t), c, 1).Params()[0], attach(t, wide(t), c, 2).Params()[0]
	if !slices.Equal(alone.Data, byName[alone.Name]) {
		t.Errorf("%v starts otherwise when it is alone", alone)
	}
	if slices.Equal(alone.Data, other.Data) {
		t.Errorf("%v starts alike from seeds 1 and 2", alone)
	}
	if slices.Equal(alone.Data, byName[strings.Replace(alone.Name, "v_proj", "k_proj", 1)]) {
		t.Errorf("%v starts as k_proj does", alone)
	}
}

func TestAttach_params(t *testing.T) {
	c := lora.Default()
	c.Targets, c.Layers = peft.Names{List: []string{"up_proj", "q_proj"}}, []int{1}
	a := attach(t, tiny(t), c, 0)
	var got []string
	for _, p := range a.Params() {
		got = append(got, p.String())
	}
	want := []string{
		"model.layers.1.self_attn.q_proj.lora_A.weight[16 32]", "model.layers.1.self_attn.q_proj.lora_B.weight[32 16]",
		"model.layers.1.mlp.up_proj.lora_A.weight[16 32]", "model.layers.1.mlp.up_proj.lora_B.weight[48 16]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if targets := a.Targets(); !slices.Equal(targets, []string{"model.layers.1.self_attn.q_proj", "model.layers.1.mlp.up_proj"}) {
		t.Errorf("targets %v", targets)
	}
}

func TestAttach_refuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*lora.Config)
		want   string
	}{
		"bad config":               {func(c *lora.Config) { c.Rank = 0 }, "rank: must be from 1"},
		"no such module":           {func(c *lora.Config) { c.Targets.Expr, c.Targets.List = "", []string{"gate_prj"} }, `did you mean "gate_proj"`},
		"idle pattern":             {func(c *lora.Config) { c.Patterns = []lora.Pattern{{Match: "layers.7.*", Rank: 2}} }, `patterns: "layers.7.*" matches none`},
		"rank above a layer":       {func(c *lora.Config) { c.Rank = 17 }, "rank: 17 is above the width of model.layers.0.self_attn.k_proj [16,32]"},
		"no biases":                {func(c *lora.Config) { c.Bias = "all" }, "bias: all: this base (model type llama) has no such biases"},
		"no module to save":        {func(c *lora.Config) { c.SaveModules = []string{"embedding"} }, `save_modules: no module's path ends in "embedding"`},
		"no such token":            {func(c *lora.Config) { c.Tokens = lora.Tokens{{ID: 1 << 20}} }, "tokens: there is no token 1048576"},
		"a token twice":            {func(c *lora.Config) { c.Tokens = lora.Tokens{{ID: 4}, {ID: 4}} }, "tokens: token 4 is there twice"},
		"a token's text":           {func(c *lora.Config) { c.Tokens = lora.Tokens{{Text: "fox"}} }, "the base has no tokenizer"},
		"tokens of a saved module": {func(c *lora.Config) { c.Tokens, c.SaveModules = lora.Tokens{{ID: 4}}, []string{"embed_tokens"} }, "is trained in another way already"},
		"odd rank":                 {func(c *lora.Config) { c.Rank, c.Init = 3, "orthogonal" }, "init: orthogonal needs an even rank"},
		"DoRA on the embedding":    {func(c *lora.Config) { c.DoRA, c.Targets = true, peft.Names{List: []string{"embed_tokens", "q_proj"}} }, `DoRA on the embedding "model.embed_tokens" is not supported`},
	} {
		t.Run(name, func(t *testing.T) {
			m, cfg := tiny(t), lora.Default()
			c.change(&cfg)
			_, err := lora.Method{Config: cfg}.Attach(m)
			if err == nil || !strings.HasPrefix(err.Error(), "lora: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			for _, l := range m.Linears() {
				if len(l.Params()) > 0 {
					t.Errorf("something was left in %s", l.Name)
				}
			}
		})
	}
}

// Dropout reaches the layers: it changes training passes by step, and nothing else.
func TestAttach_dropout(t *testing.T) {
	rows := row{IDs: []int32{3, 1, 4, 1, 5, 9}, Labels: []int32{-100, 1, 4, 1, 5, 9}}
	for dropout, differ := range map[float64]bool{0: false, 0.5: true} {
		c := lora.Default()
		c.Dropout = dropout
		m := tiny(t)
		for _, p := range attach(t, m, c, 1).Params() {
			for i := range p.Data {
				p.Data[i] += float32(i%7-3) / 50
			}
		}
		var losses []float64
		for step := range uint64(2) {
			b := pack(rows)
			l, err := m.Train(&b, model.TrainOptions{Scale: 1, Seed: 1, Step: step})
			if err != nil {
				t.Fatal(err)
			}
			losses = append(losses, l.Sum)
		}
		if (losses[0] != losses[1]) != differ {
			t.Errorf("dropout %v: losses of two steps %v", dropout, losses)
		}
	}
}
