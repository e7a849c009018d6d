package lora

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ft/peft"
)

// peftType is LoRA's name in adapter_config.json.
const peftType = "LORA"

// file is the part of adapter_config.json that decides what a LoRA adapter computes, with PEFT's defaults for
// the keys that older versions did not write.
type file struct {
	peft.Selection
	R            int      `json:"r"`
	Alpha        float64  `json:"lora_alpha"`
	Dropout      float64  `json:"lora_dropout"`
	RSLoRA       bool     `json:"use_rslora"`
	DoRA         bool     `json:"use_dora"`
	RankPattern  rules    `json:"rank_pattern"`
	AlphaPattern rules    `json:"alpha_pattern"`
	Bias         string   `json:"bias"`
	LoRABias     bool     `json:"lora_bias"`
	Init         any      `json:"init_lora_weights"`
	Saved        []string `json:"modules_to_save"`
	Tokens       tokens   `json:"trainable_token_indices"`
	Tie          bool     `json:"ensure_weight_tying"`
}

// inert are the keys that change nothing here, whatever their value: how training began, how the base stores its
// weights (ft's layers know), and settings of features that have a switch of their own.
var inert = []string{
	"fan_in_fan_out", "megatron_core", "loftq_config", "eva_config", "corda_config", "lora_ga_config",
	"qalora_group_size", "runtime_config",
}

// plainInits are the values of init_lora_weights that leave the base's weights alone.
var plainInits = []any{nil, true, false, "gaussian", "orthogonal", "eva"}

// fileInits are init_lora_weights of adapters whose start is known.
var fileInits = map[string]any{initDefault: true, initGaussian: "gaussian", initOrthogonal: "orthogonal", initRandom: false}

// startOf is the start that a value of init_lora_weights stands for, empty if it is none of ft's.
func startOf(value any) string {
	name, _ := value.(string)
	if takesOver(name) {
		return name
	}
	if !slices.Contains(plainInits, value) {
		return ""
	}
	for start, v := range fileInits {
		if v == value {
			return start
		}
	}
	return initDefault
}

// parse reads the settings of a saved adapter and refuses what ft would compute otherwise than PEFT.
func parse(saved *peft.Saved, h peft.Host) (settings, error) {
	if saved.Type != peftType {
		return settings{}, fmt.Errorf("peft_type is %q, not %q", saved.Type, peftType)
	}
	f := file{R: 8, Alpha: 8, Bias: biasNone}
	unsupported, err := saved.Decode(&f, inert...)
	if err != nil {
		return settings{}, err
	}
	if !slices.Contains(biases, f.Bias) {
		unsupported = append(unsupported, fmt.Sprintf("bias: %q", f.Bias))
	}
	init := startOf(f.Init)
	if init == "" {
		unsupported = append(unsupported, fmt.Sprintf("init_lora_weights: %q (it changes the base's weights)", f.Init))
	}
	if len(unsupported) > 0 {
		return settings{}, fmt.Errorf("not supported: %s", strings.Join(unsupported, "; "))
	}
	if f.DoRA && f.LoRABias {
		return settings{}, errors.New("lora_bias: does not go with use_dora, in PEFT neither")
	}
	targets, err := f.Of(h, "lora")
	if err != nil {
		return settings{}, err
	}
	targets.Saved = f.Saved
	s := settings{
		rank: f.R, alpha: f.Alpha, dropout: f.Dropout, stabilized: f.RSLoRA, ranks: f.RankPattern, alphas: f.AlphaPattern,
		targets: targets, dora: f.DoRA, loraBias: f.LoRABias, init: init, bias: f.Bias, saved: f.Saved, tokens: f.Tokens, tie: f.Tie,
	}
	if len(s.tokens) == 1 && s.tokens[0].module == "" {
		s.tokens[0].module, s.tokensListed = h.Stack().Embed.Name, true
	}
	return s, cmp.Or(s.check(), s.compile())
}

// check bounds what a downloaded file says.
func (s *settings) check() error {
	var errs []error
	rank := func(key string, v float64) {
		if v != math.Trunc(v) || v < 1 || v > maxRank {
			errs = append(errs, fmt.Errorf("%s: must be a whole number from 1 to %d, got %v", key, maxRank, v))
		}
	}
	rank("r", float64(s.rank))
	for _, r := range s.ranks {
		rank("rank_pattern: "+r.match, r.value)
	}
	if !(s.dropout >= 0 && s.dropout < 1) {
		errs = append(errs, fmt.Errorf("lora_dropout: must be from 0 to below 1, got %v", s.dropout))
	}
	return errors.Join(errs...)
}

// UnmarshalJSON reads an object of numbers and keeps the order of its keys, which decides.
func (rs *rules) UnmarshalJSON(data []byte) error {
	*rs = nil
	return inOrder(data, "must be an object of numbers", func(key string, dec *json.Decoder) error {
		r := rule{match: key}
		err := dec.Decode(&r.value)
		*rs = append(*rs, r)
		return err
	})
}

// tokens are trainable_token_indices: a list for the embedding, which gets no module's name here, or an object of lists.
type tokens []tokenSet

// UnmarshalJSON reads a list of ids or an object of such lists.
func (t *tokens) UnmarshalJSON(data []byte) error {
	*t = nil
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '[' {
		var ids []int32
		if err := json.Unmarshal(data, &ids); err != nil {
			return errors.New("must be a list of token ids")
		}
		if len(ids) > 0 {
			*t = tokens{{ids: ids}}
		}
		return nil
	}
	return inOrder(data, "must be a list of token ids, or an object of such lists", func(key string, dec *json.Decoder) error {
		set := tokenSet{module: key}
		err := dec.Decode(&set.ids)
		if len(set.ids) > 0 {
			*t = append(*t, set)
		}
		return err
	})
}

// inOrder calls value for each key of an object, null counting as an empty one; what is wrong is the error that otherwise says.
func inOrder(data []byte, otherwise string, value func(key string, dec *json.Decoder) error) error {
	if string(bytes.TrimSpace(data)) == "null" {
		return nil
	}
	bad := errors.New(otherwise)
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return bad
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return bad
		}
		if err := value(key.(string), dec); err != nil {
			return bad
		}
	}
	return nil
}
