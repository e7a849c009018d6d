package family

import (
	"encoding/json"
	"fmt"
	"math"

	"ft/model"
)

// gemmaNames have norms before and after both halves of a block.
func gemmaNames() model.Names {
	return model.LlamaNames().With(func(n *model.Names) {
		n.AttnPost, n.MLPNorm, n.MLPPost = "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"
	})
}

// gemmaConfig is what Gemma 2 and 3 share beside llama's fields.
type gemmaConfig struct {
	model.Config
	Activation string   `json:"hidden_activation"`
	AttnBias   bool     `json:"attention_bias"`
	AttnCap    *float64 `json:"attn_logit_softcapping"`
	LogitCap   *float64 `json:"final_logit_softcapping"`
	Scalar     float64  `json:"query_pre_attn_scalar"`
}

// gemmaNeutral are options of both that ft does not compute.
var gemmaNeutral = map[string]any{"use_bidirectional_attention": false}

func (c *gemmaConfig) spec() (model.Spec, error) {
	c.Act = c.Activation // hidden_act stands in some files besides, and is not read
	s, err := c.Spec()
	s.AttnBias, s.NormPlus1 = c.AttnBias, true
	s.EmbedScale = math.Sqrt(float64(s.Dim))
	s.AttnScale = 1 / math.Sqrt(c.Scalar)
	if c.AttnCap != nil {
		s.AttnCap = *c.AttnCap
	}
	if c.LogitCap != nil {
		s.LogitCap = *c.LogitCap
	}
	return s, err
}

// gemmaFields are the fields of config.json that Spec.Map lacks.
func gemmaFields(s *model.Spec) map[string]any {
	positive := func(v float64) any {
		if v > 0 {
			return v
		}
		return nil
	}
	return windowed(s, map[string]any{
		"hidden_activation": s.Act.String(), "attention_bias": s.AttnBias, "attn_logit_softcapping": positive(s.AttnCap),
		"final_logit_softcapping": positive(s.LogitCap), "query_pre_attn_scalar": math.Round(1 / (s.AttnScale * s.AttnScale)),
	})
}

// Gemma2 is the architecture of Gemma 2 (arXiv:2408.00118): every other layer has a sliding window, scores and logits have soft caps.
var Gemma2 = model.Family{
	ModelType:      "gemma2",
	Names:          gemmaNames(),
	DefaultTargets: model.Targets{LoRA: attention, AdaLoRA: attention, IA3: attentionFF, IA3FeedForward: down},
	FromConfig: func(b []byte) (model.Spec, error) {
		c := gemmaConfig{
			Config: model.Config{
				Vocab: 256000, Dim: 2304, FF: 9216, Layers: 26, Heads: 8, KVHeads: to(4), HeadDim: to(256), Context: 8192,
				Window: to(4096), Tied: to(true), BOS: to(int32(2)), EOS: model.TokenIDs{1},
			},
			Activation: "gelu_pytorch_tanh", AttnCap: to(50.0), LogitCap: to(30.0), Scalar: 256,
		}
		if err := read(b, &c, gemmaNeutral); err != nil {
			return model.Spec{}, err
		}
		s, err := c.spec()
		if err != nil {
			return s, err
		}
		s.Each, err = model.Layers(c.Layers, c.LayerTypes, c.Window, func(i int) bool { return i%2 == 0 })
		return s, err
	},
	ToConfig:  func(s *model.Spec) ([]byte, error) { return write(s, "Gemma2ForCausalLM", gemmaFields(s)) },
	GGUFPlus1: true,
	Arch:      gemma2Arch.name,
	FromGGUF: gemma2Arch.spec("gemma2", func(g *model.GGUFReader, s *model.Spec) {
		gemmaFromGGUF(s, 46)
		s.Each = gemmaLayers(s.Layers, g.Uint("attention.sliding_window", 4096), g.Uint("attention.sliding_window_pattern", 2))
		s.AttnCap, s.LogitCap = g.Float("attn_logit_softcapping", 50), g.Float("final_logit_softcapping", 30)
	}),
	ToGGUF: func(s *model.Spec) ([]model.KV, error) {
		if s.AttnCap == 0 || s.LogitCap == 0 {
			return nil, fmt.Errorf("model: llama.cpp's architecture gemma2 always has attn_logit_softcapping and final_logit_softcapping: merge into a safetensors directory instead")
		}
		kv, err := gemmaKeys(gemma2Arch, s, 46, 2)
		return append(kv, model.KV{Key: "gemma2.attn_logit_softcapping", Value: float32(s.AttnCap)}), err
	},
}

// Gemma3 is the text model of Gemma 3 (arXiv:2503.19786): norms of each head's queries and keys, and rotary embeddings of their own in
// layers with a window. Of the models that also see images the text model is read.
var Gemma3 = model.Family{
	ModelType: "gemma3_text",
	Aliases:   []string{"gemma3"},
	Names: gemmaNames().With(func(n *model.Names) {
		n.QNorm, n.KNorm = "self_attn.q_norm", "self_attn.k_norm"
		n.Stored = []string{"language_model.model.", "model.language_model."}
	}),
	DefaultTargets: model.Targets{LoRA: attention, AdaLoRA: attention, IA3: attentionFF, IA3FeedForward: down},
	FromConfig:     gemma3FromConfig,
	GGUFPlus1:      true,
	Arch:           gemma3Arch.name,
	FromGGUF: gemma3Arch.spec("gemma3", func(g *model.GGUFReader, s *model.Spec) {
		gemmaFromGGUF(s, 62)
		s.ModelType, s.LogitCap = "gemma3_text", g.Float("final_logit_softcapping", 0)
		s.LocalRope = &model.Rope{Kind: "default", Theta: g.Float("rope.freq_base_swa", 10000)}
		if window := g.Uint("attention.sliding_window", 0); window > 0 {
			s.Each = gemmaLayers(s.Layers, window, g.Uint("attention.sliding_window_pattern", 6))
		}
	}),
	ToGGUF: func(s *model.Spec) ([]model.KV, error) {
		switch {
		case s.AttnCap != 0:
			return nil, fmt.Errorf("model: llama.cpp's architecture gemma3 has no attn_logit_softcapping: merge into a safetensors directory instead")
		case s.LocalRope.Kind != "default":
			return nil, fmt.Errorf("model: llama.cpp's architecture gemma3 has no rope scaling in layers with a window: merge into a safetensors directory instead")
		}
		kv, err := gemmaKeys(gemma3Arch, s, 62, 6)
		return append(kv, model.KV{Key: "gemma3.rope.freq_base_swa", Value: float32(s.LocalRope.Theta)}), err
	},
	ToConfig: func(s *model.Spec) ([]byte, error) {
		fields := gemmaFields(s)
		fields["rope_local_base_freq"] = s.LocalRope.Theta
		return write(s, "Gemma3ForCausalLM", fields)
	},
}

var (
	gemma2Arch = arch{name: "gemma2", act: model.GELUTanh, tied: true, windows: true}
	gemma3Arch = arch{name: "gemma3", act: model.GELUTanh, windows: true}
)

// gemmaFromGGUF sets what both have in common and no key says.
func gemmaFromGGUF(s *model.Spec, layersOf27B int) {
	s.NormPlus1, s.EmbedScale = true, math.Sqrt(float64(s.Dim))
	if s.Heads > 0 {
		s.AttnScale = gemmaScale(s, layersOf27B)
	}
}

type gemma3Config struct {
	gemmaConfig
	LocalTheta float64         `json:"rope_local_base_freq"`
	Pattern    int             `json:"sliding_window_pattern"` // every so many layers one has no window
	Ropes      json.RawMessage `json:"rope_parameters"`        // of transformers 5, by layer type
}

func gemma3FromConfig(b []byte) (model.Spec, error) {
	b, err := gemma3Text(b)
	if err != nil {
		return model.Spec{}, err
	}
	c := gemma3Config{
		gemmaConfig: gemmaConfig{
			Config: model.Config{
				Vocab: 262208, Dim: 2304, FF: 9216, Layers: 26, Heads: 8, KVHeads: to(4), HeadDim: to(256), Context: 131072,
				Window: to(4096), Tied: to(true), BOS: to(int32(2)), EOS: model.TokenIDs{1}, RopeTheta: to(1e6),
			},
			Activation: "gelu_pytorch_tanh", Scalar: 256,
		},
		LocalTheta: 10000, Pattern: 6,
	}
	if err := read(b, &c, gemmaNeutral); err != nil {
		return model.Spec{}, err
	}
	if c.Pattern < 1 {
		return model.Spec{}, fmt.Errorf("config.json: sliding_window_pattern is %d, expected a positive number", c.Pattern)
	}
	s, err := c.spec()
	if err != nil {
		return s, err
	}
	s.Each, err = model.Layers(c.Layers, c.LayerTypes, c.Window, func(i int) bool { return (i+1)%c.Pattern != 0 })
	if err != nil {
		return s, err
	}
	return s, c.ropes(&s)
}

// ropes sets both rotary embeddings.
func (c *gemma3Config) ropes(s *model.Spec) error {
	var by struct {
		Full  *model.RopeConfig `json:"full_attention"`
		Local *model.RopeConfig `json:"sliding_attention"`
	}
	if c.Ropes != nil {
		if err := json.Unmarshal(c.Ropes, &by); err != nil {
			return fmt.Errorf("config.json: rope_parameters: %w", err)
		}
	} else {
		by.Full = c.RopeScaling
	}
	full, err := by.Full.Rope(*c.RopeTheta, s.Context)
	if err != nil {
		return err
	}
	local, err := by.Local.Rope(c.LocalTheta, s.Context)
	s.Rope, s.LocalRope = full, &local
	return err
}

// gemma3Text is the text model's part of a config.json, which of models with images is nested. What ends a text may stand outside of it.
func gemma3Text(b []byte) ([]byte, error) {
	var whole struct {
		Type string                     `json:"model_type"`
		Text map[string]json.RawMessage `json:"text_config"`
		EOS  json.RawMessage            `json:"eos_token_id"`
		BOS  json.RawMessage            `json:"bos_token_id"`
		Quan json.RawMessage            `json:"quantization_config"`
	}
	if err := json.Unmarshal(b, &whole); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if whole.Type != "gemma3" {
		return b, nil
	}
	if whole.Text == nil {
		return nil, fmt.Errorf("config.json: model_type gemma3 without text_config: only the text model is supported")
	}
	if t := string(whole.Text["model_type"]); t != "" && t != `"gemma3_text"` {
		return nil, fmt.Errorf("config.json: text_config: model_type %s is not supported (only gemma3_text)", t)
	}
	whole.Text["model_type"] = json.RawMessage(`"gemma3_text"`)
	for key, v := range map[string]json.RawMessage{"eos_token_id": whole.EOS, "bos_token_id": whole.BOS, "quantization_config": whole.Quan} {
		if whole.Text[key] == nil && v != nil {
			whole.Text[key] = v
		}
	}
	return json.Marshal(whole.Text)
}
