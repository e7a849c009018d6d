package family

import (
	"encoding/json"
	"fmt"

	"ft/model"
)

// GPT2 is the architecture of GPT-2 (Radford et al. 2019): layer norms, learned positions, one layer for queries, keys and values, a MLP
// without a gate. Its files have matrices transposed.
var GPT2 = model.Family{
	ModelType: "gpt2",
	Names: model.Names{
		Root: "transformer.", Stored: []string{""},
		Embed: "transformer.wte", Positions: "transformer.wpe", Norm: "transformer.ln_f", Head: "lm_head", Block: "transformer.h.{i}.",
		QKV: "attn.c_attn", O: "attn.c_proj", Up: "mlp.c_fc", Down: "mlp.c_proj", AttnNorm: "ln_1", MLPNorm: "ln_2",
	},
	Transposed: []string{"attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"},
	DefaultTargets: model.Targets{
		LoRA: []string{"c_attn"}, AdaLoRA: []string{"c_attn"}, IA3: []string{"c_attn", "mlp.c_proj"}, IA3FeedForward: []string{"mlp.c_proj"},
	},
	FromConfig: gpt2FromConfig,
	Arch:       gpt2Arch.name,
	FromGGUF: gpt2Arch.spec("gpt2", func(_ *model.GGUFReader, s *model.Spec) {
		s.Rope, s.LayerNorm, s.AttnBias, s.MLPBias = model.Rope{Kind: model.NoRope}, true, true, true
	}),
	ToGGUF: gpt2Arch.plain,
	ToConfig: func(s *model.Spec) ([]byte, error) {
		m := map[string]any{
			"model_type": "gpt2", "architectures": []string{"GPT2LMHeadModel"}, "vocab_size": s.Vocab, "n_positions": s.Context,
			"n_embd": s.Dim, "n_layer": s.Layers, "n_head": s.Heads, "n_inner": s.FF, "activation_function": "gelu_new",
			"layer_norm_epsilon": s.Eps, "tie_word_embeddings": s.Tied, "bos_token_id": nil, "eos_token_id": nil,
		}
		if s.BOS != model.NoToken {
			m["bos_token_id"] = s.BOS
		}
		if len(s.EOS) > 0 {
			m["eos_token_id"] = s.EOS
		}
		return json.MarshalIndent(m, "", "  ")
	},
}

var gpt2Arch = arch{name: "gpt2", act: model.GELUTanh, biases: true, square: true}

type gpt2Config struct {
	Vocab   int            `json:"vocab_size"`
	Dim     int            `json:"n_embd"`
	Layers  int            `json:"n_layer"`
	Heads   int            `json:"n_head"`
	FF      *int           `json:"n_inner"`
	Context int            `json:"n_positions"`
	Eps     float64        `json:"layer_norm_epsilon"`
	Act     string         `json:"activation_function"`
	Tied    bool           `json:"tie_word_embeddings"`
	BOS     *int32         `json:"bos_token_id"`
	EOS     model.TokenIDs `json:"eos_token_id"`
}

func gpt2FromConfig(b []byte) (model.Spec, error) {
	c := gpt2Config{
		Vocab: 50257, Dim: 768, Layers: 12, Heads: 12, Context: 1024, Eps: 1e-5, Act: "gelu_new", Tied: true,
		BOS: to(int32(50256)), EOS: model.TokenIDs{50256},
	}
	err := read(b, &c, map[string]any{"scale_attn_weights": true, "scale_attn_by_inverse_layer_idx": false, "add_cross_attention": false})
	if err != nil {
		return model.Spec{}, err
	}
	if c.Act != "gelu_new" && c.Act != "gelu_pytorch_tanh" {
		return model.Spec{}, fmt.Errorf("config.json: activation_function %q is not supported (have: gelu_new, gelu_pytorch_tanh)", c.Act)
	}
	s := model.Spec{
		ModelType: "gpt2", Vocab: c.Vocab, Dim: c.Dim, Layers: c.Layers, Heads: c.Heads, KVHeads: c.Heads, FF: 4 * c.Dim, Eps: c.Eps,
		Rope: model.Rope{Kind: model.NoRope}, Tied: c.Tied, AttnBias: true, MLPBias: true, Context: c.Context,
		BOS: model.NoToken, EOS: c.EOS, Act: model.GELUTanh, LayerNorm: true,
	}
	if c.Heads > 0 {
		s.HeadDim = c.Dim / c.Heads
	}
	if c.FF != nil {
		s.FF = *c.FF
	}
	if c.BOS != nil {
		s.BOS = *c.BOS
	}
	return s, nil
}
