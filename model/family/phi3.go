package family

import "ft/model"

// Phi3 is the architecture of Phi 3 and 3.5: llama whose queries, keys and values are one layer, and gate and up another.
var Phi3 = model.Family{
	ModelType: "phi3",
	Names: model.LlamaNames().With(func(n *model.Names) {
		n.Q, n.K, n.V, n.QKV = "", "", "", "self_attn.qkv_proj"
		n.Gate, n.Up, n.GateUp = "", "", "mlp.gate_up_proj"
	}),
	FromConfig: func(b []byte) (model.Spec, error) {
		c := phi3Config{Config: model.Config{Context: 4096, Eps: to(1e-5), BOS: to(int32(1)), EOS: model.TokenIDs{32000}}, Original: 4096}
		if err := read(b, &c, nil); err != nil {
			return model.Spec{}, err
		}
		for _, p := range []*model.RopeConfig{c.RopeParams, c.RopeScaling} {
			if p == nil {
				continue
			}
			if k := p.Kind(); k == "su" || k == "yarn" { // what older files say
				p.Type = "longrope"
			}
			if p.Original == 0 {
				p.Original = c.Original
			}
		}
		s, err := c.Spec()
		s.Each = uniform(s.Layers, c.Window)
		return s, err
	},
	Arch:     phi3Arch.name,
	FromGGUF: phi3Arch.spec("phi3", nil),
	ToGGUF:   phi3Arch.plain,
	ToConfig: func(s *model.Spec) ([]byte, error) {
		window := any(nil)
		if s.Each != nil {
			window = s.Each[0].Window
		}
		return write(s, "Phi3ForCausalLM", map[string]any{"sliding_window": window, "original_max_position_embeddings": s.Rope.Original})
	},
}

var phi3Arch = arch{name: "phi3", square: true, long: true}

type phi3Config struct {
	model.Config
	Original int `json:"original_max_position_embeddings"`
}
