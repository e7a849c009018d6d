package family_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/model/family"
)

// config is a small llama's config.json with some of its fields changed; nil takes one out.
func config(t *testing.T, change map[string]any) []byte {
	t.Helper()
	dir := t.TempDir()
	testkit.TinyLlama{Bias: true}.Write(t, dir)
	var m map[string]any
	testkit.ReadJSON(t, filepath.Join(dir, "config.json"), &m)
	for k, v := range change {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestLlama_config(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"plain":          {},
		"no biases":      {"attention_bias": false, "mlp_bias": nil},
		"several ends":   {"eos_token_id": []int{2, 7}},
		"no ends":        {"eos_token_id": nil, "bos_token_id": nil},
		"neutral values": {"partial_rotary_factor": 1.0, "hidden_act": "silu", "sliding_window": nil},
		"llama3": {"rope_theta": 500000.0, "rope_scaling": map[string]any{
			"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
		}},
		"dynamic": {"rope_scaling": map[string]any{"type": "dynamic", "factor": 2.0}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := family.Llama.FromConfig(config(t, change))
			if err != nil {
				t.Fatal(err)
			}
			text, err := family.Llama.ToConfig(&s)
			if err != nil {
				t.Fatal(err)
			}
			again, err := family.Llama.FromConfig(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := fmt.Sprintf("%+v", again), fmt.Sprintf("%+v", s); got != want {
				t.Errorf("written and read again:\n%s\nbefore:\n%s", got, want)
			}
			var m map[string]any
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatal(err)
			}
			if m["model_type"] != "llama" || fmt.Sprint(m["architectures"]) != "[LlamaForCausalLM]" {
				t.Errorf("model_type %v, architectures %v", m["model_type"], m["architectures"])
			}
		})
	}
}

func TestLlama_refused(t *testing.T) {
	for want, change := range map[string]map[string]any{
		"quantization_config":           {"quantization_config": map[string]any{"bits": 4}},
		"partial_rotary_factor: 0.5":    {"partial_rotary_factor": 0.5},
		"sliding_window: 4096":          {"sliding_window": 4096},
		`hidden_act "gelu"`:             {"hidden_act": "gelu"},
		`rope scaling "longrope"`:       {"rope_scaling": map[string]any{"rope_type": "longrope", "factor": 2}},
		"config.json: json: cannot":     {"hidden_size": "big"},
		"eos_token_id: expected a numb": {"eos_token_id": "end"},
	} {
		if _, err := family.Llama.FromConfig(config(t, change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
	if _, err := family.Llama.FromConfig([]byte("{")); err == nil {
		t.Error("half a file was read")
	}
}

// TestLlama_names: every tensor of a Hugging Face llama has a GGUF name of its own, and back.
func TestLlama_names(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{Bias: true, Untied: true}.Write(t, dir)
	seen := map[string]bool{}
	for hf := range testkit.Tensors(t, filepath.Join(dir, "model.safetensors")) {
		gguf, ok := family.Llama.GGUFName(hf)
		if !ok || seen[gguf] {
			t.Errorf("%s: GGUF name %q, missing or taken", hf, gguf)
		}
		seen[gguf] = true
		if back, ok := family.Llama.HFName(gguf); !ok || back != hf {
			t.Errorf("%s is %s, and that is %q", hf, gguf, back)
		}
		rotary := strings.Contains(hf, "q_proj") || strings.Contains(hf, "k_proj")
		if family.Llama.IsInterleaved(hf) != rotary {
			t.Errorf("%s: interleaved %v", hf, !rotary)
		}
	}
	if len(seen) != 2*(2+2*7)+3 {
		t.Errorf("%d tensors", len(seen))
	}
}
