package family

import "ft/model"

// Mistral is the architecture of Mistral 7B and its relatives: llama with a sliding window in all layers.
var Mistral = model.Family{
	ModelType: "mistral",
	Names:     model.LlamaNames(),
	DefaultTargets: model.Targets{
		LoRA: attention, IA3: []string{"k_proj", "v_proj", "down_proj"}, IA3FeedForward: down,
	},
	// Files of Mistral models say that they are llama's, and are read as such; llama.cpp knows no window there.
	Arch:        llamaArch.name,
	ToGGUF:      llamaArch.plain,
	Interleaved: queriesAndKeys,
	FromConfig: func(b []byte) (model.Spec, error) {
		c := model.Config{Window: to(4096), KVHeads: to(8)}
		if err := read(b, &c, nil); err != nil {
			return model.Spec{}, err
		}
		s, err := c.Spec()
		s.Each = uniform(s.Layers, c.Window)
		return s, err
	},
	ToConfig: func(s *model.Spec) ([]byte, error) {
		window := any(nil)
		if s.Each != nil {
			window = s.Each[0].Window
		}
		return write(s, "MistralForCausalLM", map[string]any{"sliding_window": window})
	},
}
