package family

import "ft/model"

// Granite is the architecture of IBM's dense Granite models: llama with four multipliers.
var Granite = model.Family{
	ModelType: "granite",
	Names:     model.LlamaNames(),
	FromConfig: func(b []byte) (model.Spec, error) {
		c := graniteConfig{Embedding: 1, Logits: 1, Residual: 1, Attention: 1}
		if err := read(b, &c, nil); err != nil {
			return model.Spec{}, err
		}
		s, err := c.Spec()
		s.AttnBias, s.MLPBias = c.AttnBias, c.MLPBias
		s.InputScale, s.LogitDivisor, s.ResidualScale, s.AttnScale = c.Embedding, c.Logits, c.Residual, c.Attention
		return s, err
	},
	ToConfig: func(s *model.Spec) ([]byte, error) {
		return write(s, "GraniteForCausalLM", map[string]any{
			"attention_bias": s.AttnBias, "mlp_bias": s.MLPBias, "embedding_multiplier": s.InputScale, "logits_scaling": s.LogitDivisor,
			"residual_multiplier": s.ResidualScale, "attention_multiplier": s.AttnScale,
		})
	},
}

type graniteConfig struct {
	llamaConfig
	Embedding float64 `json:"embedding_multiplier"`
	Logits    float64 `json:"logits_scaling"`
	Residual  float64 `json:"residual_multiplier"`
	Attention float64 `json:"attention_multiplier"`
}
