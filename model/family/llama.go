// Package family holds one file per model family: its model_type, how its configuration becomes a model.Spec, and
// what its tensors are called. cmd/wire.go lists the families.
package family

import (
	"fmt"

	"ft/model"
)

// Llama is the architecture of Llama 1 to 3 and its many relatives (SmolLM, TinyLlama, …).
var Llama = model.Family{
	ModelType: "llama",
	Names:     model.LlamaNames(),
	Arch:      "llama",
	DefaultTargets: model.Targets{
		LoRA: []string{"q_proj", "v_proj"}, AdaLoRA: []string{"q_proj", "v_proj"},
		IA3: []string{"k_proj", "v_proj", "down_proj"}, IA3FeedForward: []string{"down_proj"},
	},
	FromConfig:  llamaFromConfig,
	FromGGUF:    func(md model.Metadata) (model.Spec, error) { return model.GGUFSpec(md, "llama", "llama") },
	ToConfig:    llamaToConfig,
	ToGGUF:      llamaToGGUF,
	Interleaved: []string{"self_attn.q_proj", "self_attn.k_proj"},
	Tensors: [][2]string{
		{"model.embed_tokens.weight", "token_embd.weight"},
		{"model.layers.{i}.input_layernorm.weight", "blk.{i}.attn_norm.weight"},
		{"model.layers.{i}.self_attn.q_proj.weight", "blk.{i}.attn_q.weight"},
		{"model.layers.{i}.self_attn.q_proj.bias", "blk.{i}.attn_q.bias"},
		{"model.layers.{i}.self_attn.k_proj.weight", "blk.{i}.attn_k.weight"},
		{"model.layers.{i}.self_attn.k_proj.bias", "blk.{i}.attn_k.bias"},
		{"model.layers.{i}.self_attn.v_proj.weight", "blk.{i}.attn_v.weight"},
		{"model.layers.{i}.self_attn.v_proj.bias", "blk.{i}.attn_v.bias"},
		{"model.layers.{i}.self_attn.o_proj.weight", "blk.{i}.attn_output.weight"},
		{"model.layers.{i}.self_attn.o_proj.bias", "blk.{i}.attn_output.bias"},
		{"model.layers.{i}.post_attention_layernorm.weight", "blk.{i}.ffn_norm.weight"},
		{"model.layers.{i}.mlp.gate_proj.weight", "blk.{i}.ffn_gate.weight"},
		{"model.layers.{i}.mlp.gate_proj.bias", "blk.{i}.ffn_gate.bias"},
		{"model.layers.{i}.mlp.up_proj.weight", "blk.{i}.ffn_up.weight"},
		{"model.layers.{i}.mlp.up_proj.bias", "blk.{i}.ffn_up.bias"},
		{"model.layers.{i}.mlp.down_proj.weight", "blk.{i}.ffn_down.weight"},
		{"model.layers.{i}.mlp.down_proj.bias", "blk.{i}.ffn_down.bias"},
		{"model.norm.weight", "output_norm.weight"},
		{"lm_head.weight", "output.weight"},
	},
}

type llamaConfig struct {
	model.Config
	AttnBias bool `json:"attention_bias"`
	MLPBias  bool `json:"mlp_bias"`
}

func llamaFromConfig(b []byte) (model.Spec, error) {
	var c llamaConfig
	if err := read(b, &c, map[string]any{"sliding_window": 0.0}); err != nil {
		return model.Spec{}, err
	}
	s, err := c.Spec()
	s.AttnBias, s.MLPBias = c.AttnBias, c.MLPBias
	return s, err
}

func llamaToConfig(s *model.Spec) ([]byte, error) {
	return write(s, "LlamaForCausalLM", map[string]any{"attention_bias": s.AttnBias, "mlp_bias": s.MLPBias})
}

func llamaToGGUF(s *model.Spec) ([]model.KV, error) {
	switch {
	case s.Act != model.SiLU:
		return nil, fmt.Errorf("model: GGUF has no field for hidden_act %v of a llama: merge into a safetensors directory instead", s.Act)
	case s.Rope.Kind == "dynamic" || s.Rope.Kind == "longrope":
		return nil, fmt.Errorf("model: GGUF has no field for %s rope scaling of a llama: merge into a safetensors directory instead", s.Rope.Kind)
	case s.Rope.Kind == "yarn" && (s.Rope.BetaFast != 32 || s.Rope.BetaSlow != 1 || s.Rope.AttentionFactor != 0 || s.Rope.MScale != 0 || s.Rope.NoTruncate):
		return nil, fmt.Errorf("model: GGUF has no field for these yarn options of config.json: merge into a safetensors directory instead")
	}
	return s.GGUFKeys("llama"), nil
}
