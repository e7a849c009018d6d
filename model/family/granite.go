package family

import (
	"math"

	"ft/model"
)

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
	Arch:        graniteArch.name,
	Interleaved: queriesAndKeys,
	FromGGUF: graniteArch.spec("granite", func(g *model.GGUFReader, s *model.Spec) {
		s.InputScale, s.LogitDivisor = g.Float("embedding_scale", 1), g.Float("logit_scale", 1)
		s.ResidualScale, s.AttnScale = g.Float("residual_scale", 1), g.Float("attention.scale", 1/math.Sqrt(float64(s.HeadDim)))
	}),
	ToGGUF: func(s *model.Spec) ([]model.KV, error) {
		return graniteArch.keys(s, model.KV{Key: "granite.embedding_scale", Value: float32(s.InputScale)}, model.KV{Key: "granite.logit_scale", Value: float32(s.LogitDivisor)},
			model.KV{Key: "granite.residual_scale", Value: float32(s.ResidualScale)}, model.KV{Key: "granite.attention.scale", Value: float32(s.AttnScale)})
	},
	ToConfig: func(s *model.Spec) ([]byte, error) {
		return write(s, "GraniteForCausalLM", map[string]any{
			"attention_bias": s.AttnBias, "mlp_bias": s.MLPBias, "embedding_multiplier": s.InputScale, "logits_scaling": s.LogitDivisor,
			"residual_multiplier": s.ResidualScale, "attention_multiplier": s.AttnScale,
		})
	},
}

var graniteArch = arch{name: "granite", biases: true, freqs: true}

type graniteConfig struct {
	llamaConfig
	Embedding float64 `json:"embedding_multiplier"`
	Logits    float64 `json:"logits_scaling"`
	Residual  float64 `json:"residual_multiplier"`
	Attention float64 `json:"attention_multiplier"`
}
