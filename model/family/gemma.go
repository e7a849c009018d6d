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
	ToConfig: func(s *model.Spec) ([]byte, error) { return write(s, "Gemma2ForCausalLM", gemmaFields(s)) },
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
	ToConfig: func(s *model.Spec) ([]byte, error) {
		fields := gemmaFields(s)
		fields["rope_local_base_freq"] = s.LocalRope.Theta
		return write(s, "Gemma3ForCausalLM", fields)
	},
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
