package prompttuning_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/peft"
	"ft/prompttuning"
	"ft/weights/safetensors"
)

// saved writes an adapter of a tiny base with some keys of its config changed.
func saved(t *testing.T, c prompttuning.Config, change map[string]any) *peft.Saved {
	t.Helper()
	m := tiny(t)
	state, err := attach(t, m, c, 1).State()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := peft.Save(dir, state, peft.Meta{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, peft.ConfigFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{}
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	for k, v := range change {
		config[k] = v
	}
	if text, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o666); err != nil {
		t.Fatal(err)
	}
	s, err := peft.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLoad_refuses(t *testing.T) {
	for name, c := range map[string]struct {
		config prompttuning.Config
		change map[string]any
		want   string
	}{
		"another type":   {prompttuning.DefaultPrompt(), map[string]any{"peft_type": "MULTITASK_PROMPT_TUNING"}, `peft_type is "MULTITASK_PROMPT_TUNING"`},
		"whole modules":  {prompttuning.DefaultPrompt(), map[string]any{"modules_to_save": []string{"lm_head"}}, `modules_to_save: ["lm_head"]`},
		"two submodules": {prompttuning.DefaultPrompt(), map[string]any{"num_transformer_submodules": 2}, "num_transformer_submodules: 2"},
		"unknown key":    {prompttuning.DefaultPrefix(), map[string]any{"new_feature": true}, "new_feature: true"},
		"no tokens":      {prompttuning.DefaultPrefix(), map[string]any{"num_virtual_tokens": 0}, "num_virtual_tokens: must be from 1"},
		"other tokens":   {prompttuning.DefaultPrefix(), map[string]any{"num_virtual_tokens": 21}, "prompt_embeddings: expected [21"},
		"a word":         {prompttuning.DefaultPrefix(), map[string]any{"num_virtual_tokens": "many"}, "num_virtual_tokens: "},
	} {
		t.Run(name, func(t *testing.T) {
			m := tiny(t)
			_, err := prompttuning.Load(m, saved(t, c.config, c.change))
			if err == nil || !strings.HasPrefix(err.Error(), "prompttuning: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if m.Virtual() != 0 {
				t.Error("something was left on the base")
			}
		})
	}
}

// A prompt of a base with more positions is refused by its length.
func TestLoad_beyondContext(t *testing.T) {
	s := saved(t, prompttuning.DefaultPrompt(), map[string]any{"num_virtual_tokens": 64})
	x := s.Tensors["prompt_embeddings"]
	dim := x.Shape[1]
	s.Tensors["prompt_embeddings"] = safetensors.Floats{Shape: []int{64, dim}, Data: make([]float32, 64*dim)}
	if _, err := prompttuning.Load(tiny(t), s); err == nil || !strings.Contains(err.Error(), "longer than the context") {
		t.Error(err)
	}
}

// Keys that tell how a prompt was made come back as they were.
func TestLoad_keeps(t *testing.T) {
	change := map[string]any{
		"prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "Say it.", "tokenizer_name_or_path": "some/base", "tokenizer_kwargs": map[string]any{"use_fast": true},
	}
	a, err := prompttuning.Load(tiny(t), saved(t, prompttuning.DefaultPrompt(), change))
	if err != nil {
		t.Fatal(err)
	}
	state, err := a.State()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_name_or_path"} {
		if state.Config[key] != change[key] {
			t.Errorf("%s: %v", key, state.Config[key])
		}
	}
}
