package family

import "ft/model"

// Olmo2 is the architecture of OLMo 2 (arXiv:2501.00656): norms after both halves of a block and none before, norms of all queries and
// of all keys.
var Olmo2 = model.Family{
	ModelType: "olmo2",
	Names: model.LlamaNames().With(func(n *model.Names) {
		n.AttnNorm, n.MLPNorm = "", ""
		n.AttnPost, n.MLPPost = "post_attention_layernorm", "post_feedforward_layernorm"
		n.QNorm, n.KNorm = "self_attn.q_norm", "self_attn.k_norm"
	}),
	FromConfig: func(b []byte) (model.Spec, error) {
		c := llamaConfig{Config: model.Config{Eps: to(1e-5), EOS: model.TokenIDs{50279}}}
		if err := read(b, &c, nil); err != nil {
			return model.Spec{}, err
		}
		s, err := c.Spec()
		s.AttnBias, s.WideQK = c.AttnBias, true
		return s, err
	},
	Arch: olmo2Arch.name,
	FromGGUF: olmo2Arch.spec("olmo2", func(g *model.GGUFReader, s *model.Spec) {
		s.WideQK = true
		if w := g.Uint("attention.sliding_window", 0); w > 0 {
			g.Fail("attention.sliding_window", "%d: OLMo 3's windows are not supported", w)
		}
	}),
	ToGGUF: olmo2Arch.plain,
	ToConfig: func(s *model.Spec) ([]byte, error) {
		return write(s, "Olmo2ForCausalLM", map[string]any{"attention_bias": s.AttnBias})
	},
}

var olmo2Arch = arch{name: "olmo2", square: true, untied: true}
