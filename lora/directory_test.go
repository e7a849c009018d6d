package lora_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/lora"
	"ft/nn"
	"ft/peft"
	"ft/weights/safetensors"
)

// bare is a base model without arithmetic.
type bare struct {
	stack    nn.Stack
	linears  []*nn.Linear
	defaults []string
}

func (h bare) Linears() []*nn.Linear          { return h.linears }
func (h bare) Stack() *nn.Stack               { return &h.stack }
func (h bare) ModelType() string              { return "odd" }
func (h bare) DefaultTargets(string) []string { return h.defaults }

// newBare has layers [4,2] of ones.
func newBare(paths ...string) bare {
	h := bare{defaults: []string{"q"}}
	h.stack.Embed = nn.NewEmbedding("m.e", kernels.FromFloat32(4, 2, make([]float32, 8)))
	for _, p := range paths {
		ones := []float32{1, 1, 1, 1, 1, 1, 1, 1}
		h.linears = append(h.linears, nn.NewLinear(p, kernels.FromFloat32(4, 2, ones), nil))
	}
	return h
}

// twoBlocks is a base with the modules q and v in each of two blocks.
func twoBlocks() bare { return newBare("m.b.0.q", "m.b.0.v", "m.b.1.q", "m.b.1.v") }

// adapterDir writes an adapter directory with the given keys and a pair of the given rank for each module.
func adapterDir(t *testing.T, config map[string]any, ranks map[string]int, more map[string]safetensors.Floats) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]any{"peft_type": "LORA"}
	maps.Copy(all, config)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, peft.ConfigFile), text, 0o666); err != nil {
		t.Fatal(err)
	}
	tensors := map[string]safetensors.Floats{}
	for m, r := range ranks {
		tensors[prefix+m+".lora_A.weight"] = safetensors.Floats{Shape: []int{r, 2}, Data: make([]float32, 2*r)}
		tensors[prefix+m+".lora_B.weight"] = safetensors.Floats{Shape: []int{4, r}, Data: make([]float32, 4*r)}
	}
	maps.Copy(tensors, more)
	if err := safetensors.Save(filepath.Join(dir, peft.TensorFile), tensors, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func load(t *testing.T, h peft.Host, dir string) (peft.Adapter, error) {
	t.Helper()
	saved, err := peft.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return lora.Load(h, saved)
}

// What older and newer versions of PEFT leave out, or write in other ways, means the same.
func TestLoad_spellings(t *testing.T) {
	q8 := map[string]int{"m.b.0.q": 8, "m.b.1.q": 8}
	second := map[string]int{"m.b.1.q": 8}
	for name, c := range map[string]struct {
		config map[string]any
		ranks  map[string]int
	}{
		"nothing but the type":      {nil, q8},
		"nulls":                     {map[string]any{"target_modules": nil, "r": nil, "layers_to_transform": nil, "rank_pattern": nil}, q8},
		"one block as a number":     {map[string]any{"layers_to_transform": 1}, second},
		"blocks as a list":          {map[string]any{"layers_to_transform": []int{1, 5}}, second},
		"no blocks":                 {map[string]any{"layers_to_transform": []int{}}, q8},
		"path element as a string":  {map[string]any{"layers_to_transform": []int{1}, "layers_pattern": "b"}, second},
		"path element as a list":    {map[string]any{"layers_to_transform": []int{1}, "layers_pattern": []string{"h", "b"}}, second},
		"all-linear kept as a word": {map[string]any{"target_modules": "all-linear", "exclude_modules": ".*v"}, q8},
		"Conv1D's flag":             {map[string]any{"fan_in_fan_out": true}, q8},
		"features that are off":     {map[string]any{"use_dora": false, "lora_bias": false, "future": nil, "later": map[string]any{}, "modules_to_save": []string{}}, q8},
		"how training began":        {map[string]any{"init_lora_weights": "gaussian", "loftq_config": map[string]any{"loftq_bits": 4}, "eva_config": map[string]any{"rho": 2}}, q8},
		"first rank pattern wins":   {map[string]any{"r": 8, "rank_pattern": json.RawMessage(`{"z|q": 3, "b.0.q": 5}`)}, map[string]int{"m.b.0.q": 3, "m.b.1.q": 3}},
		"names of other bases":      {map[string]any{"target_modules": []string{"query_key_value", "q"}}, q8},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := load(t, twoBlocks(), adapterDir(t, c.config, c.ranks, nil))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := a.Targets(), slices.Sorted(maps.Keys(c.ranks)); !slices.Equal(got, want) {
				t.Errorf("targets %v, want %v", got, want)
			}
		})
	}
}

func TestLoad_refuses(t *testing.T) {
	one := func(shape ...int) safetensors.Floats {
		n := 1
		for _, s := range shape {
			n *= s
		}
		return safetensors.Floats{Shape: shape, Data: make([]float32, n)}
	}
	for name, c := range map[string]struct {
		config map[string]any
		more   map[string]safetensors.Floats
		want   []string
	}{
		"another method":      {map[string]any{"peft_type": "IA3"}, nil, []string{`peft_type is "IA3"`}},
		"several features":    {map[string]any{"use_dora": true, "bias": "all", "modules_to_save": []string{"lm_head"}}, nil, []string{"use_dora: true", `bias: "all"`, `modules_to_save: ["lm_head"]`}},
		"a feature to come":   {map[string]any{"use_wonder": map[string]any{"x": 1}}, nil, []string{`not supported: use_wonder: {"x":1}`}},
		"pissa":               {map[string]any{"init_lora_weights": "pissa_niter_16"}, nil, []string{`init_lora_weights: "pissa_niter_16"`}},
		"rank 0":              {map[string]any{"r": 0}, nil, []string{"r: must be a whole number from 1"}},
		"half a rank":         {map[string]any{"rank_pattern": map[string]any{"q": 2.5}}, nil, []string{"rank_pattern: q: must be a whole number", "got 2.5"}},
		"rank as a word":      {map[string]any{"r": "8"}, nil, []string{"r: ", `found "8"`}},
		"dropout 1":           {map[string]any{"lora_dropout": 1}, nil, []string{"lora_dropout: must be"}},
		"patterns as a list":  {map[string]any{"alpha_pattern": []int{1}}, nil, []string{"alpha_pattern: must be an object"}},
		"bad pattern":         {map[string]any{"alpha_pattern": map[string]any{"(": 1}}, nil, []string{`alpha_pattern: regular expression "("`}},
		"blocks as a word":    {map[string]any{"layers_to_transform": "1"}, nil, []string{"layers_to_transform: must be a number or a list"}},
		"another base":        {map[string]any{"target_modules": []string{"query"}}, nil, []string{"no linear layer is named as in [query]", "have: q, v"}},
		"an embedding":        {nil, map[string]safetensors.Floats{prefix + "m.e.lora_embedding_A": one(1)}, []string{"LoRA on an embedding"}},
		"a resized embedding": {nil, map[string]safetensors.Floats{prefix + "m.e.weight": one(3, 2)}, []string{"m.e.weight (a whole trained tensor)"}},
		"a magnitude":         {nil, map[string]safetensors.Floats{prefix + "m.b.0.q.lora_magnitude_vector": one(4)}, []string{"DoRA"}},
		"tensors that do not fit": {map[string]any{"target_modules": []string{"v", "q"}}, map[string]safetensors.Floats{
			prefix + "m.b.0.q.lora_A.weight": one(8, 3), prefix + "m.b.0.v.lora_B.weight": one(4, 8), prefix + "m.b.7.q.lora_A.weight": one(8, 2),
		}, []string{
			"m.b.0.q.lora_A.weight: expected [8 2], found [8 3]", "m.b.0.v.lora_A.weight: missing", "m.b.7.q.lora_A.weight: not expected", "5 tensors",
		}},
		"another base's stored weight": {nil, map[string]safetensors.Floats{prefix + "m.b.0.q.base_layer.weight": one(4, 2)},
			[]string{"m.b.0.q.base_layer.weight", "not this base's"}},
		"stored weight of no target": {nil, map[string]safetensors.Floats{prefix + "m.b.0.v.base_layer.weight": one(4, 2)},
			[]string{"m.b.0.v.base_layer.weight: not expected"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := twoBlocks()
			_, err := load(t, h, adapterDir(t, c.config, map[string]int{"m.b.0.q": 8, "m.b.1.q": 8}, c.more))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			for _, l := range h.linears {
				if len(l.Params()) > 0 {
					t.Errorf("something was left in %s", l.Name)
				}
			}
		})
	}
}

func TestLoad_noDefaultTargets(t *testing.T) {
	h := twoBlocks()
	h.defaults = nil
	_, err := load(t, h, adapterDir(t, nil, nil, nil))
	if err == nil || !strings.Contains(err.Error(), `target_modules is missing and model type "odd" has no default`) {
		t.Errorf("error %v", err)
	}
}

// PEFT stores the base's weight beside an adapted output head; it is of no use when it is the base's own.
func TestLoad_storedWeight(t *testing.T) {
	stored := map[string]safetensors.Floats{
		prefix + "m.b.0.q.base_layer.weight": {Shape: []int{4, 2}, Data: []float32{1, 1, 1, 1.1, 1, 1, 0.9, 1}},
	}
	a, err := load(t, twoBlocks(), adapterDir(t, nil, map[string]int{"m.b.0.q": 8, "m.b.1.q": 8}, stored))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(a.Params()); n != 4 {
		t.Errorf("%d parameters", n)
	}
}

// TestFixtures reads configs of PEFT 0.6.1. Their tensors are Python pickles, which ft refuses.
func TestFixtures(t *testing.T) {
	h := newBare("lin0", "lin1", "conv1d")
	testkit.Conformance(t, "fixtures/peft_adapters", func(t *testing.T, dir string) {
		folders, err := filepath.Glob(filepath.Join(dir, "*", peft.ConfigFile))
		if err != nil || len(folders) == 0 {
			t.Fatalf("no adapters: %v", err)
		}
		for _, file := range folders {
			name := filepath.Base(filepath.Dir(file))
			t.Run(name, func(t *testing.T) {
				if _, err := peft.Load(filepath.Dir(file)); err == nil || !strings.Contains(err.Error(), "Python pickle") {
					t.Errorf("error %v", err)
				}
				var config map[string]any
				testkit.ReadJSON(t, file, &config)
				want := fmt.Sprintf("missing, expected [%v 2]", config["r"]) // understood; the tensors are not here
				switch {
				case config["peft_type"] != "LORA":
					want = "peft_type is "
				case config["modules_to_save"] != nil:
					want = "modules_to_save: ["
				}
				if _, err := load(t, h, adapterDir(t, config, nil, nil)); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want one with %q", err, want)
				}
			})
		}
	})
}
