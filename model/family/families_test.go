package family_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/model"
	"ft/model/family"
)

// TestFamilies_conformance reads every config.json of the reference set in both spellings, and as ft writes it: they describe the same
// model.
func TestFamilies_conformance(t *testing.T) {
	testkit.Conformance(t, "golden/models", func(t *testing.T, dir string) {
		files, err := filepath.Glob(filepath.Join(dir, "*", "config*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%d files (%v)", len(files), err)
		}
		first := map[string]model.Spec{}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(filepath.Dir(file))
			f := familyOf(t, text)
			s := mustRead(t, f, text)
			if was, ok := first[name]; ok && !reflect.DeepEqual(s, was) {
				t.Errorf("%s:\n%+v\n%+v", file, s, was)
			}
			first[name] = s
			written, err := f.ToConfig(&s)
			if err != nil {
				t.Fatal(err)
			}
			if again := mustRead(t, familyOf(t, written), written); !reflect.DeepEqual(again, s) {
				t.Errorf("%s, written and read again:\n%+v\n%+v", file, again, s)
			}
		}
	})
}

func familyOf(t *testing.T, config []byte) *model.Family {
	t.Helper()
	var c struct {
		Type string `json:"model_type"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	f := family.Of(c.Type)
	if f == nil {
		t.Fatalf("no family %q", c.Type)
	}
	return f
}

func mustRead(t *testing.T, f *model.Family, config []byte) model.Spec {
	t.Helper()
	s, err := f.FromConfig(config)
	if err != nil {
		t.Fatalf("%s: %v", config, err)
	}
	return s
}

// small is a config.json of a family with small sizes, with some fields changed.
func small(t *testing.T, change map[string]any) []byte {
	t.Helper()
	m := map[string]any{
		"vocab_size": 100, "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 24, "head_dim": 8,
		"max_position_embeddings": 64, "n_embd": 16, "n_layer": 4, "n_head": 2, "n_positions": 64,
	}
	maps.Copy(m, change)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestFamilies_refused: what ft does not compute is refused by its name.
func TestFamilies_refused(t *testing.T) {
	type changes = map[string]any
	cases := map[*model.Family]map[string]changes{
		&family.Mistral: {`hidden_act "relu"`: {"hidden_act": "relu"}},
		&family.Qwen2: {
			`layer_types: "chunked_attention"`:   {"use_sliding_window": true, "layer_types": []string{"full_attention", "chunked_attention", "", ""}},
			"layer_types has 1 entries for 4":    {"use_sliding_window": true, "layer_types": []string{"full_attention"}},
			"partial_rotary_factor 0.5 is not":   {"rope_parameters": changes{"partial_rotary_factor": 0.5}},
			"quantization_config: map[bits:4]":   {"quantization_config": changes{"bits": 4}},
			`rope scaling "proportional" is not`: {"rope_scaling": changes{"rope_type": "proportional", "factor": 2}},
		},
		&family.Gemma2: {"use_bidirectional_attention: true": {"use_bidirectional_attention": true}},
		&family.Gemma3: {
			"use_bidirectional_attention: true":   {"use_bidirectional_attention": true},
			"sliding_window_pattern is 0":         {"sliding_window_pattern": 0},
			"gemma3 without text_config":          {"model_type": "gemma3"},
			`text_config: model_type "other"`:     {"model_type": "gemma3", "text_config": changes{"model_type": "other"}},
			"use_bidirectional_attention: 1 is n": {"model_type": "gemma3", "text_config": changes{"use_bidirectional_attention": 1}},
			"quantization_config: map[bits:4]":    {"model_type": "gemma3", "text_config": changes{}, "quantization_config": changes{"bits": 4}},
		},
		&family.Phi3: {
			"partial_rotary_factor: 0.75":  {"partial_rotary_factor": 0.75},
			"needs positive short_factor":  {"rope_scaling": changes{"type": "su", "long_factor": []float64{1, 1, 1, 1}}},
			"partial_rotary_factor 0.75 i": {"rope_parameters": changes{"partial_rotary_factor": 0.75}},
		},
		&family.GPT2: {
			`activation_function "relu"`:            {"activation_function": "relu"},
			"scale_attn_weights: false":             {"scale_attn_weights": false},
			"scale_attn_by_inverse_layer_idx: true": {"scale_attn_by_inverse_layer_idx": true},
			"add_cross_attention: true":             {"add_cross_attention": true},
		},
		&family.SmolLM3: {
			"no_rope_layers has 1 entries":      {"no_rope_layers": []int{1}},
			"no_rope_layer_interval is 0":       {"no_rope_layer_interval": 0},
			`layer_types: "linear" is not supp`: {"layer_types": []string{"linear", "", "", ""}},
		},
	}
	for f, refused := range cases {
		if _, err := f.FromConfig(small(t, changes{"model_type": f.ModelType})); err != nil {
			t.Errorf("%s: %v", f.ModelType, err)
		}
		for want, change := range refused {
			all := changes{"model_type": f.ModelType}
			maps.Copy(all, change)
			if _, err := f.FromConfig(small(t, all)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, expected one with %q", f.ModelType, err, want)
			}
		}
	}
}

// TestFamilies_layers: windows and rotation by layer, from what config.json leaves to transformers' rules.
func TestFamilies_layers(t *testing.T) {
	type layers = []model.Layer
	sliding, full := model.Layer{Window: 8, Local: true}, model.Layer{}
	for name, c := range map[string]struct {
		change map[string]any
		want   layers
	}{
		"mistral":  {map[string]any{"model_type": "mistral", "sliding_window": 8}, layers{{Window: 8}, {Window: 8}, {Window: 8}, {Window: 8}}},
		"no":       {map[string]any{"model_type": "mistral", "sliding_window": nil}, nil},
		"off":      {map[string]any{"model_type": "qwen3", "sliding_window": 8, "max_window_layers": 2}, nil},
		"on":       {map[string]any{"model_type": "qwen3", "sliding_window": 8, "max_window_layers": 2, "use_sliding_window": true}, layers{full, full, sliding, sliding}},
		"gemma2":   {map[string]any{"model_type": "gemma2", "sliding_window": 8}, layers{sliding, full, sliding, full}},
		"gemma3":   {map[string]any{"model_type": "gemma3_text", "sliding_window": 8, "sliding_window_pattern": 3}, layers{sliding, sliding, full, sliding}},
		"smollm3":  {map[string]any{"model_type": "smollm3"}, layers{full, full, full, {NoRope: true}}},
		"listed":   {map[string]any{"model_type": "smollm3", "no_rope_layers": []int{0, 1, 1, 1}}, layers{{NoRope: true}, full, full, full}},
		"windowed": {map[string]any{"model_type": "smollm3", "use_sliding_window": true, "sliding_window": 8}, layers{full, full, full, {Window: 8, Local: true, NoRope: true}}},
	} {
		text := small(t, c.change)
		if s := mustRead(t, familyOf(t, text), text); !reflect.DeepEqual(s.Each, c.want) {
			t.Errorf("%s: %+v, expected %+v", name, s.Each, c.want)
		}
	}
}

// TestGemma3_nested: the text model of a model with images, with what ends a text from outside.
func TestGemma3_nested(t *testing.T) {
	text := small(t, map[string]any{"model_type": "gemma3_text"})
	inner := map[string]any{}
	if err := json.Unmarshal(text, &inner); err != nil {
		t.Fatal(err)
	}
	outer := small(t, map[string]any{"model_type": "gemma3", "text_config": inner, "eos_token_id": []int{1, 106}, "vision_config": map[string]any{"hidden_size": 4}})
	want := mustRead(t, &family.Gemma3, text)
	want.EOS = []int32{1, 106}
	if got := mustRead(t, familyOf(t, outer), outer); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nexpected %+v", got, want)
	}
	for stored, canonical := range map[string]string{
		"language_model.model.norm.weight": "model.norm.weight", "model.language_model.norm.weight": "model.norm.weight", "model.norm.weight": "model.norm.weight",
	} {
		if got := family.Gemma3.Names.Canonical(stored); got != canonical {
			t.Errorf("%s is %s", stored, got)
		}
	}
	for stored, canonical := range map[string]string{"wte.weight": "transformer.wte.weight", "transformer.wte.weight": "transformer.wte.weight", "lm_head.weight": "lm_head.weight"} {
		if got := family.GPT2.Names.Canonical(stored); got != canonical {
			t.Errorf("%s is %s", stored, got)
		}
	}
}

// TestTargets: PEFT's default targets, of which it has none for some families.
func TestTargets(t *testing.T) {
	for _, f := range family.All {
		none := f == &family.Phi3 || f == &family.Granite || f == &family.Olmo2 || f == &family.SmolLM3
		for _, kind := range []string{"lora", "vera", "adalora", "ia3", "ia3_feedforward"} {
			targets := f.DefaultTargets.Of(kind)
			if want := none || kind == "adalora" && f == &family.Mistral; (len(targets) == 0) != want {
				t.Errorf("%s: %s targets %v", f.ModelType, kind, targets)
			}
			for _, name := range targets {
				n := f.Names
				found := false
				for _, module := range []string{n.Q, n.K, n.V, n.QKV, n.O, n.Gate, n.Up, n.GateUp, n.Down} {
					found = found || strings.HasSuffix("."+module, "."+name)
				}
				if !found {
					t.Errorf("%s: no module %q", f.ModelType, name)
				}
			}
		}
		if f.DefaultTargets.Of("full") != nil {
			t.Errorf("%s: targets for a method that has none", f.ModelType)
		}
	}
}
