package family

import "ft/model"

// Qwen2 is the architecture of Qwen 1.5 to 2.5: llama with biases on queries, keys and values and, if asked for, a sliding window in
// the upper layers.
var Qwen2 = model.Family{
	ModelType:      "qwen2",
	Names:          model.LlamaNames(),
	DefaultTargets: model.Targets{LoRA: attention, AdaLoRA: attention, IA3: attentionFF, IA3FeedForward: down},
	FromConfig: func(b []byte) (model.Spec, error) {
		c := qwenDefaults()
		s, err := c.spec(b)
		s.QKVBias = true
		return s, err
	},
	ToConfig: func(s *model.Spec) ([]byte, error) { return write(s, "Qwen2ForCausalLM", qwenFields(s)) },
	Arch:     qwen2Arch.name,
	FromGGUF: qwen2Arch.spec("qwen2", func(_ *model.GGUFReader, s *model.Spec) { s.QKVBias = true }),
	ToGGUF:   qwen2Arch.plain,
}

// Qwen3 is the architecture of Qwen 3's dense models: norms of each head's queries and keys instead of the biases.
var Qwen3 = model.Family{
	ModelType:      "qwen3",
	Names:          model.LlamaNames().With(func(n *model.Names) { n.QNorm, n.KNorm = "self_attn.q_norm", "self_attn.k_norm" }),
	DefaultTargets: model.Targets{LoRA: attention, AdaLoRA: attention, IA3: attentionFF, IA3FeedForward: down},
	FromConfig: func(b []byte) (model.Spec, error) {
		c := qwenDefaults()
		c.HeadDim = to(128)
		s, err := c.spec(b)
		s.AttnBias = c.AttnBias
		return s, err
	},
	ToConfig: func(s *model.Spec) ([]byte, error) {
		fields := qwenFields(s)
		fields["attention_bias"] = s.AttnBias
		return write(s, "Qwen3ForCausalLM", fields)
	},
	Arch:     qwen3Arch.name,
	FromGGUF: qwen3Arch.spec("qwen3", nil),
	ToGGUF:   qwen3Arch.plain,
}

var (
	qwen2Arch = arch{name: "qwen2", square: true}
	qwen3Arch = arch{name: "qwen3"}
)

type qwenConfig struct {
	model.Config
	AttnBias  bool `json:"attention_bias"`
	UseWindow bool `json:"use_sliding_window"`
	Below     int  `json:"max_window_layers"` // these layers have no window
}

func qwenDefaults() qwenConfig {
	return qwenConfig{Config: model.Config{Window: to(4096), Context: 32768}, Below: 28}
}

func (c *qwenConfig) spec(b []byte) (model.Spec, error) {
	if err := read(b, c, nil); err != nil {
		return model.Spec{}, err
	}
	s, err := c.Spec()
	if err != nil || !c.UseWindow {
		return s, err
	}
	s.Each, err = model.Layers(c.Layers, c.LayerTypes, c.Window, func(i int) bool { return i >= c.Below })
	return s, err
}

func qwenFields(s *model.Spec) map[string]any {
	return windowed(s, map[string]any{"use_sliding_window": s.Each != nil})
}
