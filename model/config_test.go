package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestConfig_defaults: what config.json leaves out is what transformers takes for it.
func TestConfig_defaults(t *testing.T) {
	s := specOf(t, []byte(`{"model_type": "llama", "vocab_size": 10, "hidden_size": 48, "num_hidden_layers": 1,
		"num_attention_heads": 4, "intermediate_size": 8, "num_key_value_heads": null, "head_dim": null, "eos_token_id": null}`))
	want := Spec{
		ModelType: "llama", Vocab: 10, Dim: 48, Layers: 1, Heads: 4, KVHeads: 4, HeadDim: 12, FF: 8, Eps: 1e-6, Context: 2048,
		BOS: NoToken, Rope: Rope{Kind: "default", Theta: 10000, Original: 2048, BetaFast: 32, BetaSlow: 1},
	}
	if fmt.Sprintf("%+v", s) != fmt.Sprintf("%+v", want) {
		t.Errorf("%+v\nexpected %+v", s, want)
	}
	if err := s.check(); err != nil {
		t.Error(err)
	}
}

func TestConfig_tokens(t *testing.T) {
	for text, want := range map[string][]int32{
		`{}`: nil, `{"eos_token_id": null}`: nil, `{"eos_token_id": 0}`: {0}, `{"eos_token_id": [7, 9]}`: {7, 9}, `{"eos_token_id": []}`: nil,
	} {
		if s := specOf(t, []byte(text)); !slices.Equal(s.EOS, want) {
			t.Errorf("%s: %v, expected %v", text, s.EOS, want)
		}
	}
	var c Config
	if err := json.Unmarshal([]byte(`{"eos_token_id": "end"}`), &c); err == nil || !strings.Contains(err.Error(), "eos_token_id") {
		t.Errorf("error %v", err)
	}
}

func TestRefuseUnknown(t *testing.T) {
	neutral := map[string]any{"window": 0.0, "flag": false, "quantization": nil}
	for config, want := range map[string]string{
		`{}`: "", `{"window": 0, "flag": false, "other": 3}`: "", `{"window": null, "quantization": null}`: "",
		`{"window": 8}`:                    "window: 8 is not supported",
		`{"flag": true}`:                   "flag: true is not supported",
		`{"quantization": {"bits": 4}}`:    "quantization: map[bits:4] is not supported",
		`{"window": [1], "flag": "x"}`:     "flag: x is not supported",
		`[1]`:                              "config.json: ",
		`{"window": {"a": [1, {"b": 2}]}}`: "window: map",
	} {
		err := RefuseUnknown([]byte(config), neutral)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, expected %q", config, err, want)
		}
	}
}

// TestSpec_check: every size that arithmetic cannot work with is refused by its name in config.json.
func TestSpec_check(t *testing.T) {
	rope := Rope{Kind: "default", Theta: 1e4}
	for want, spoil := range map[string]func(*Spec){
		"vocab_size is 0":                 func(s *Spec) { s.Vocab = 0 },
		"hidden_size is -1":               func(s *Spec) { s.Dim = -1 },
		"num_hidden_layers is 1073741824": func(s *Spec) { s.Layers = 1 << 30 },
		"num_attention_heads is 0":        func(s *Spec) { s.Heads = 0 },
		"num_key_value_heads is 0":        func(s *Spec) { s.KVHeads = 0 },
		"head_dim is 0":                   func(s *Spec) { s.HeadDim = 0 },
		"intermediate_size is 0":          func(s *Spec) { s.FF = 0 },
		"4 attention heads do not divide": func(s *Spec) { s.KVHeads = 3 },
		"head_dim is 15":                  func(s *Spec) { s.HeadDim = 15 },
		"rms_norm_eps is 0":               func(s *Spec) { s.Eps = 0 },
	} {
		s := tiny(rope)
		spoil(&s)
		if err := s.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
	s := tiny(rope)
	if err := s.check(); err != nil {
		t.Error(err)
	}
}

func TestGGUFSpec_refused(t *testing.T) {
	s := tiny(Rope{Kind: "default", Theta: 1e4})
	for want, change := range map[string]func(metadata){
		"no number llama.embedding_length":      func(m metadata) { delete(m, "llama.embedding_length") },
		"llama.block_count is many":             func(m metadata) { m["llama.block_count"] = "many" },
		"value_length 8 differs":                func(m metadata) { m["llama.attention.value_length"] = uint32(8) },
		"dimension_count 4 of 16":               func(m metadata) { m["llama.rope.dimension_count"] = uint32(4) },
		"expert_count 8":                        func(m metadata) { m["llama.expert_count"] = uint32(8) },
		`rope scaling "longrope"`:               func(m metadata) { m["llama.rope.scaling.type"] = "longrope" },
		"eos_token_id is 4294967295":            func(m metadata) { m["tokenizer.ggml.eos_token_id"] = uint32(1<<32 - 1) },
		"attention.layer_norm_rms_epsilon is 3": func(m metadata) { m["llama.attention.layer_norm_rms_epsilon"] = 3 },
	} {
		md := metadata{}
		for _, kv := range s.GGUFKeys("llama") {
			md[kv.Key] = kv.Value
		}
		change(md)
		if _, err := GGUFSpec(md, "llama", "llama", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
}

func TestFamily_names(t *testing.T) {
	f := Family{
		Names:       LlamaNames().With(func(n *Names) { n.K = "" }),
		Interleaved: []string{"self_attn.q_proj"},
	}
	for hf, gguf := range map[string]string{
		"model.norm.weight": "output_norm.weight", "model.layers.12.self_attn.q_proj.weight": "blk.12.attn_q.weight",
	} {
		if got, ok := f.GGUFName(hf); !ok || got != gguf {
			t.Errorf("%s: %q", hf, got)
		}
		if got, ok := f.HFName(gguf); !ok || got != hf {
			t.Errorf("%s: %q", gguf, got)
		}
	}
	for _, name := range []string{"", "model.layers.x.self_attn.q_proj.weight", "model.layers.1.self_attn.k_proj.weight", "blk.{i}.attn_q.weight"} {
		if got, ok := f.GGUFName(name); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
	if !f.IsInterleaved("model.layers.3.self_attn.q_proj.weight") || !f.IsInterleaved("model.layers.3.self_attn.q_proj.bias") ||
		f.IsInterleaved("model.norm.weight") {
		t.Error("interleaved")
	}
	// Two heads of four: llama.cpp's rows are 0 2 1 3 of each head in Hugging Face's order.
	if got := RotaryRows(8, 4); !slices.Equal(got, []int32{0, 2, 1, 3, 4, 6, 5, 7}) {
		t.Errorf("rows %v", got)
	}
	// Three pairs: halves 0 1 2 | 3 4 5 are stored 0 3 1 4 2 5, so row 1 is found at 2.
	if got := RotaryRows(6, 6); !slices.Equal(got, []int32{0, 2, 4, 1, 3, 5}) {
		t.Errorf("rows %v", got)
	}
}
