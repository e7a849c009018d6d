package prompttuning

import (
	"fmt"
	"slices"
	"strings"

	"ft/peft"
)

// The names of the kinds in adapter_config.json.
const (
	typePrompt  = "PROMPT_TUNING"
	typePrefix  = "PREFIX_TUNING"
	typePTuning = "P_TUNING"
)

// file is adapter_config.json. What a soft prompt computes follows from its tensor and its type alone; the other keys
// tell how it was made, and are written as they were read.
type file struct {
	peftType string

	Tokens     int    `json:"num_virtual_tokens"`
	TokenDim   int    `json:"token_dim"` // of an embedding, or of a key of all heads
	Submodules int    `json:"num_transformer_submodules"`
	Heads      int    `json:"num_attention_heads"` // of queries, or of keys
	Blocks     int    `json:"num_layers"`
	Init       string `json:"prompt_tuning_init"`
	InitText   string `json:"prompt_tuning_init_text"`
	Tokenizer  string `json:"tokenizer_name_or_path"`
	Projection bool   `json:"prefix_projection"`
	Weights    string `json:"init_weights"`
	Hidden     int    `json:"encoder_hidden_size"`
	Encoder    string `json:"encoder_reparameterization_type"`
	Layers     int    `json:"encoder_num_layers"`

	Dropout float64 `json:"encoder_dropout"`
}

// fileOf is a fresh adapter's.
func fileOf(peftType string, tokens int, s sizes) file {
	f := file{peftType: peftType, Tokens: tokens, TokenDim: s.dim, Submodules: 1, Heads: s.heads, Blocks: s.layers, Hidden: s.dim}
	if peftType == typePrefix {
		f.TokenDim, f.Heads, f.Hidden = s.keyWidth(), s.kvHeads, s.keyWidth()
	}
	return f
}

// width is the number of values of a virtual position.
func (f *file) width(s sizes) int {
	if f.peftType == typePrefix {
		return 2 * s.layers * s.keyWidth()
	}
	return s.dim
}

// keys are the type's keys of adapter_config.json.
func (f *file) keys() map[string]any {
	c := map[string]any{
		"modules_to_save": nil, "num_attention_heads": f.Heads, "num_layers": f.Blocks, "num_transformer_submodules": f.Submodules,
		"num_virtual_tokens": f.Tokens, "token_dim": f.TokenDim,
	}
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	switch f.peftType {
	case typePrompt:
		c["prompt_tuning_init"], c["prompt_tuning_init_text"], c["tokenizer_name_or_path"] = f.Init, text(f.InitText), text(f.Tokenizer)
	case typePrefix:
		c["encoder_hidden_size"], c["prefix_projection"] = f.Hidden, f.Projection
		if f.Weights != "" {
			c["init_weights"] = f.Weights
		}
	case typePTuning:
		c["encoder_hidden_size"], c["encoder_num_layers"], c["encoder_dropout"] = f.Hidden, f.Layers, f.Dropout
		c["encoder_reparameterization_type"] = f.Encoder
	}
	return c
}

// parse reads the config of a saved adapter and refuses what ft would compute otherwise than PEFT.
func parse(saved *peft.Saved) (file, error) {
	f := file{
		peftType: saved.Type, Submodules: 1, Init: "RANDOM", Encoder: "MLP", Layers: defaultLayers,
	}
	if !slices.Contains([]string{typePrompt, typePrefix, typePTuning}, saved.Type) {
		return f, fmt.Errorf("peft_type is %q, not one of %s, %s, %s", saved.Type, typePrompt, typePrefix, typePTuning)
	}
	unsupported, err := saved.Decode(&f, "tokenizer_kwargs", "runtime_config")
	if err != nil {
		return f, err
	}
	if f.Submodules != 1 {
		unsupported = append(unsupported, fmt.Sprintf("num_transformer_submodules: %d", f.Submodules))
	}
	if len(unsupported) > 0 {
		return f, fmt.Errorf("not supported: %s", strings.Join(unsupported, "; "))
	}
	var p problems
	p.number("num_virtual_tokens", f.Tokens, 1, maxTokens)
	return f, p.joined()
}

// Load puts a saved soft prompt on the base it was made for. It returns an error, and leaves the base as it was, that names every feature of the
// adapter that ft lacks, or what does not fit the base.
func Load(h peft.Host, saved *peft.Saved) (peft.Adapter, error) {
	fail := func(err error) (peft.Adapter, error) { return nil, fmt.Errorf("prompttuning: %s: %w", saved.Dir, err) }
	f, err := parse(saved)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", peft.ConfigFile, err))
	}
	s := sizesOf(h.Stack())
	if err := saved.Fits(map[string][]int{tensorName: {f.Tokens, f.width(s)}}); err != nil {
		return fail(err)
	}
	if err := checkRoom(h, f.Tokens); err != nil {
		return fail(err)
	}
	a := newAdapter(f, s)
	copy(a.prompt.Data, saved.Tensors[tensorName].Data)
	a.fill(h.Stack())
	return a, nil
}
