package family

import (
	"fmt"

	"ft/model"
)

// SmolLM3 is the architecture of SmolLM3: llama of which some layers rotate no queries and keys.
var SmolLM3 = model.Family{
	ModelType: "smollm3",
	Names:     model.LlamaNames(),
	FromConfig: func(b []byte) (model.Spec, error) {
		c := smolConfig{
			llamaConfig: llamaConfig{Config: model.Config{
				Context: 32768, KVHeads: to(4), Tied: to(true), RopeTheta: to(2e6), BOS: to(int32(128000)), EOS: model.TokenIDs{128001},
			}},
			Interval: 4,
		}
		if err := read(b, &c, nil); err != nil {
			return model.Spec{}, err
		}
		s, err := c.Spec()
		if err != nil {
			return s, err
		}
		s.AttnBias, s.MLPBias = c.AttnBias, c.MLPBias
		s.Each, err = c.layers()
		return s, err
	},
	Arch:        smollm3Arch.name,
	Interleaved: queriesAndKeys,
	FromGGUF: smollm3Arch.spec("smollm3", func(_ *model.GGUFReader, s *model.Spec) {
		s.Each = make([]model.Layer, s.Layers)
		for i := range s.Each {
			s.Each[i].NoRope = smollm3Skips(i)
		}
	}),
	ToGGUF: func(s *model.Spec) ([]model.KV, error) {
		for i := range s.Layers {
			if (s.Each != nil && s.Each[i].NoRope) != smollm3Skips(i) {
				return nil, fmt.Errorf("model: llama.cpp's architecture smollm3 has no no_rope_layers other than every fourth layer: merge into a safetensors directory instead")
			}
		}
		return smollm3Arch.keys(s)
	},
	ToConfig: func(s *model.Spec) ([]byte, error) {
		fields, windows := windowed(s, map[string]any{"attention_bias": s.AttnBias, "mlp_bias": s.MLPBias}), false
		rotates := make([]int, s.Layers)
		for i, l := range s.Each {
			if windows = windows || l.Window > 0; !l.NoRope {
				rotates[i] = 1
			}
		}
		fields["no_rope_layers"], fields["use_sliding_window"] = rotates, windows
		return write(s, "SmolLM3ForCausalLM", fields)
	},
}

var smollm3Arch = arch{name: "smollm3"}

// smollm3Skips reports whether llama.cpp rotates nothing in layer i.
func smollm3Skips(i int) bool { return i%4 == 3 }

type smolConfig struct {
	llamaConfig
	Rotates   []int `json:"no_rope_layers"`         // 1 for a layer that rotates, 0 for one that does not
	Interval  int   `json:"no_rope_layer_interval"` // without the list, the last of so many does not
	UseWindow bool  `json:"use_sliding_window"`
}

func (c *smolConfig) layers() ([]model.Layer, error) {
	if c.Rotates != nil && len(c.Rotates) < c.Layers {
		return nil, fmt.Errorf("config.json: no_rope_layers has %d entries for %d layers", len(c.Rotates), c.Layers)
	}
	if c.Rotates == nil && c.Interval < 1 {
		return nil, fmt.Errorf("config.json: no_rope_layer_interval is %d, expected a positive number", c.Interval)
	}
	rotates := func(i int) bool {
		if c.Rotates != nil {
			return c.Rotates[i] != 0
		}
		return (i+1)%c.Interval != 0
	}
	window := c.Window
	if !c.UseWindow {
		window = nil
	}
	layers, err := model.Layers(c.Layers, c.LayerTypes, window, func(i int) bool { return window != nil && !rotates(i) })
	for i := range layers {
		layers[i].NoRope = !rotates(i)
	}
	return layers, err
}
