// Package family holds one file per model family: its model_type, how its configuration becomes a model.Spec, and
// what its tensors are called. cmd/wire.go lists the families.
package family

import "ft/model"

// Llama is the architecture of Llama 1 to 3 and its many relatives (SmolLM, TinyLlama, …).
var Llama = model.Family{
	ModelType: "llama",
	Names:     model.LlamaNames(),
	Arch:      llamaArch.name,
	DefaultTargets: model.Targets{
		LoRA: []string{"q_proj", "v_proj"}, AdaLoRA: []string{"q_proj", "v_proj"},
		IA3: []string{"k_proj", "v_proj", "down_proj"}, IA3FeedForward: []string{"down_proj"},
	},
	FromConfig:  llamaFromConfig,
	FromGGUF:    llamaArch.spec("llama", nil),
	ToConfig:    llamaToConfig,
	ToGGUF:      llamaArch.plain,
	Interleaved: queriesAndKeys,
}

var llamaArch = arch{name: "llama", biases: true, freqs: true}

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
