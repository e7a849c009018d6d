package model

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"
)

// Config is the part of a Hugging Face config.json that decoders share. Families embed it beside fields of their own.
type Config struct {
	ModelType  string   `json:"model_type"`
	Vocab      int      `json:"vocab_size"`
	Dim        int      `json:"hidden_size"`
	Layers     int      `json:"num_hidden_layers"`
	Heads      int      `json:"num_attention_heads"`
	KVHeads    *int     `json:"num_key_value_heads"`
	HeadDim    *int     `json:"head_dim"`
	FF         int      `json:"intermediate_size"`
	Eps        *float64 `json:"rms_norm_eps"`
	Act        string   `json:"hidden_act"`
	Context    int      `json:"max_position_embeddings"`
	Tied       *bool    `json:"tie_word_embeddings"`
	BOS        *int32   `json:"bos_token_id"`
	EOS        TokenIDs `json:"eos_token_id"`
	Window     *int     `json:"sliding_window"`
	LayerTypes []string `json:"layer_types"`

	RopeTheta   *float64    `json:"rope_theta"`
	RopeScaling *RopeConfig `json:"rope_scaling"`
	RopeParams  *RopeConfig `json:"rope_parameters"`
}

// TokenIDs are token ids as eos_token_id has them in JSON: one, a list, or null.
type TokenIDs []int32

// UnmarshalJSON reads one id, a list of ids, or null.
func (t *TokenIDs) UnmarshalJSON(b []byte) error {
	var one int32
	if json.Unmarshal(b, &one) == nil {
		if string(b) != "null" {
			*t = TokenIDs{one}
		}
		return nil
	}
	var many []int32
	if err := json.Unmarshal(b, &many); err != nil {
		return fmt.Errorf("eos_token_id: expected a number or a list of numbers, found %s", b)
	}
	*t = many
	return nil
}

// RopeConfig is rope_parameters (transformers 5) or rope_scaling (before).
type RopeConfig struct {
	Type      string   `json:"rope_type"`
	OldType   string   `json:"type"`
	Theta     *float64 `json:"rope_theta"`
	Factor    *float64 `json:"factor"`
	Original  int      `json:"original_max_position_embeddings"`
	Low       float64  `json:"low_freq_factor"`
	High      float64  `json:"high_freq_factor"`
	BetaFast  float64  `json:"beta_fast"`
	BetaSlow  float64  `json:"beta_slow"`
	Attention float64  `json:"attention_factor"`
	MScale    float64  `json:"mscale"`
	MScaleAll float64  `json:"mscale_all_dim"`
	Truncate  *bool    `json:"truncate"`
	Partial   *float64 `json:"partial_rotary_factor"`

	Short []float64 `json:"short_factor"`
	Long  []float64 `json:"long_factor"`
}

// Spec turns the shared fields into a Spec. Defaults are transformers' for the llama family.
func (c *Config) Spec() (Spec, error) {
	s := Spec{
		ModelType: c.ModelType, Vocab: c.Vocab, Dim: c.Dim, Layers: c.Layers, Heads: c.Heads, KVHeads: c.Heads,
		FF: c.FF, Eps: 1e-6, Context: c.Context, BOS: NoToken, EOS: c.EOS,
	}
	if c.KVHeads != nil {
		s.KVHeads = *c.KVHeads
	}
	if c.HeadDim != nil {
		s.HeadDim = *c.HeadDim
	} else if c.Heads > 0 {
		s.HeadDim = c.Dim / c.Heads
	}
	if c.Eps != nil {
		s.Eps = *c.Eps
	}
	if c.Tied != nil {
		s.Tied = *c.Tied
	}
	if c.BOS != nil {
		s.BOS = *c.BOS
	}
	if s.Context == 0 {
		s.Context = 2048
	}
	if c.Act != "" {
		act, ok := activations[c.Act]
		if !ok {
			return s, fmt.Errorf("config.json: hidden_act %q is not supported (have: silu, gelu_pytorch_tanh, gelu_new)", c.Act)
		}
		s.Act = act
	}
	p := c.RopeParams
	if p == nil {
		p = c.RopeScaling
	}
	theta := 10000.0
	if c.RopeTheta != nil {
		theta = *c.RopeTheta
	}
	rope, err := p.Rope(theta, s.Context)
	s.Rope = rope
	if rope.Kind == "longrope" {
		s.Context = rope.Original
	}
	return s, err
}

// Layers says which layers have the window: those that types, config.json's layer_types, call sliding_attention or, where it is absent,
// those that slides picks. window is nil or 0 for none.
func Layers(n int, types []string, window *int, slides func(i int) bool) ([]Layer, error) {
	layers := make([]Layer, n)
	if types != nil && len(types) != n {
		return nil, fmt.Errorf("config.json: layer_types has %d entries for %d layers", len(types), n)
	}
	for i := range layers {
		in := slides(i)
		if types != nil {
			if in = types[i] == "sliding_attention"; !in && types[i] != "full_attention" {
				return nil, fmt.Errorf("config.json: layer_types: %q is not supported (have: full_attention, sliding_attention)", types[i])
			}
		}
		if !in {
			continue
		}
		layers[i].Local = true
		if window != nil {
			layers[i].Window = *window
		}
	}
	return layers, nil
}

// Kind is the kind of scaling that p names.
func (p *RopeConfig) Kind() string {
	switch {
	case p.Type != "":
		return p.Type
	case p.OldType != "":
		return p.OldType
	}
	return "default"
}

// Rope is what p, which may be nil, says of a model with a context, whose base of frequencies is theta unless p has another.
func (p *RopeConfig) Rope(theta float64, context int) (Rope, error) {
	r := Rope{Kind: "default", Theta: theta, Original: context, BetaFast: 32, BetaSlow: 1}
	if p == nil {
		return r, r.check()
	}
	if p.Partial != nil && *p.Partial != 1 {
		return r, fmt.Errorf("config.json: partial_rotary_factor %g is not supported", *p.Partial)
	}
	if p.Theta != nil {
		r.Theta = *p.Theta
	}
	r.Kind = p.Kind()
	if p.Original != 0 {
		r.Original = p.Original
	}
	if p.Factor != nil {
		r.Factor = *p.Factor
	} else if r.Kind == "yarn" || r.Kind == "longrope" {
		r.Factor = float64(context) / float64(r.Original)
	}
	r.LowFreqFactor, r.HighFreqFactor = p.Low, p.High
	if p.BetaFast != 0 {
		r.BetaFast = p.BetaFast
	}
	if p.BetaSlow != 0 {
		r.BetaSlow = p.BetaSlow
	}
	r.AttentionFactor, r.MScale, r.MScaleAllDim = p.Attention, p.MScale, p.MScaleAll
	r.Short, r.Long = p.Short, p.Long
	r.NoTruncate = p.Truncate != nil && !*p.Truncate
	return r, r.check()
}

// Map is the config.json content for a Spec, without a family's own fields.
func (s *Spec) Map() map[string]any {
	m := map[string]any{
		"model_type": s.ModelType, "vocab_size": s.Vocab, "hidden_size": s.Dim, "num_hidden_layers": s.Layers,
		"num_attention_heads": s.Heads, "num_key_value_heads": s.KVHeads, "head_dim": s.HeadDim,
		"intermediate_size": s.FF, "rms_norm_eps": s.Eps, "hidden_act": s.Act.String(), "max_position_embeddings": s.Context,
		"tie_word_embeddings": s.Tied, "rope_theta": s.Rope.Theta,
	}
	if s.BOS != NoToken {
		m["bos_token_id"] = s.BOS
	}
	switch len(s.EOS) {
	case 0:
	case 1:
		m["eos_token_id"] = s.EOS[0]
	default:
		m["eos_token_id"] = s.EOS
	}
	if sc := s.Rope.scaling(); sc != nil {
		m["rope_scaling"] = sc
	}
	if s.Rope.Kind == "longrope" {
		m["max_position_embeddings"] = int(math.Round(s.Rope.Factor * float64(s.Rope.Original)))
	}
	return m
}

func (r *Rope) scaling() map[string]any {
	m := map[string]any{"rope_type": r.Kind, "factor": r.Factor}
	switch r.Kind {
	case "linear", "dynamic":
	case "llama3":
		m["low_freq_factor"], m["high_freq_factor"] = r.LowFreqFactor, r.HighFreqFactor
		m["original_max_position_embeddings"] = r.Original
	case "yarn":
		m["original_max_position_embeddings"] = r.Original
		m["beta_fast"], m["beta_slow"] = r.BetaFast, r.BetaSlow
		m["attention_factor"] = r.yarnAttention()
		if r.NoTruncate {
			m["truncate"] = false
		}
	case "longrope":
		m["short_factor"], m["long_factor"], m["original_max_position_embeddings"] = r.Short, r.Long, r.Original
		m["attention_factor"] = r.longAttention()
	default:
		return nil
	}
	return m
}

// RefuseUnknown returns an error for options of config.json that change a family's arithmetic and that ft does not compute:
// neutral maps each such key to the value that changes nothing; absent and null pass as well.
func RefuseUnknown(config []byte, neutral map[string]any) error {
	var m map[string]any
	if err := json.Unmarshal(config, &m); err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	keys := make([]string, 0, len(neutral))
	for k := range neutral {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if v, ok := m[k]; ok && v != nil && v != neutral[k] {
			return fmt.Errorf("config.json: %s: %v is not supported (only %v)", k, v, neutral[k])
		}
	}
	return nil
}
