package merge

import (
	"fmt"
	"path/filepath"
	"strings"

	"ft/internal/quant"
	"ft/model"
	"ft/tokenizer"
	"ft/weights/gguf"
)

// fileTypes are llama.cpp's numbers for general.file_type.
var fileTypes = map[quant.Type]uint32{quant.F32: 0, quant.F16: 1, quant.Q8_0: 7, quant.BF16: 32}

// metadata is the key/value part of a GGUF output: architecture, tokenizer, template.
func (m *merger) metadata() ([]gguf.KV, error) {
	name := m.name()
	kv := []gguf.KV{
		{Key: "general.architecture", Value: m.Base.Family.Arch},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: name},
		{Key: "general.file_type", Value: fileTypes[m.Type]},
		{Key: "general.quantization_version", Value: uint32(2)},
	}
	if m.Base.Family.ToGGUF == nil {
		return nil, fmt.Errorf("models of type %s cannot be written as GGUF: merge into a safetensors directory instead", m.Base.Family.ModelType)
	}
	arch, err := m.Base.Family.ToGGUF(&m.Base.Model.Spec)
	if err != nil {
		return nil, err
	}
	for _, a := range arch {
		kv = append(kv, gguf.KV(a))
	}
	tok, err := m.tokenizerKeys()
	if err != nil {
		return nil, err
	}
	kv = append(kv, tok...)
	if source := m.Base.Chat.Source; source != "" {
		kv = append(kv, gguf.KV{Key: "tokenizer.chat_template", Value: source})
	}
	return kv, nil
}

// name is the output's general.name.
func (m *merger) name() string {
	name := strings.TrimSuffix(filepath.Base(m.Out), filepath.Ext(m.Out))
	if m.Base.Tokenizer == nil {
		return name
	}
	return m.Base.Tokenizer.GGUFName(name)
}

// tokenizerKeys are a GGUF base's own without its templates, or made from tokenizer.json.
func (m *merger) tokenizerKeys() ([]gguf.KV, error) {
	if m.Base.GGUF == nil {
		return m.tokenizerToGGUF()
	}
	var kv []gguf.KV
	for _, key := range m.Base.GGUF.Keys() {
		if !strings.HasPrefix(key, "tokenizer.") || strings.HasPrefix(key, "tokenizer.chat_template") {
			continue
		}
		v, err := m.Base.GGUF.Value(key)
		if err != nil {
			return nil, err
		}
		kv = append(kv, gguf.KV{Key: key, Value: v})
	}
	return kv, nil
}

// tokenizerToGGUF makes the keys from tokenizer.json. The token that ends a text is the one of tokenizer_config.json, which templates
// know as eos_token, and not that of config.json, which may be another. Llama 3's chat models have three that end an answer; GGUF
// has places for them.
func (m *merger) tokenizerToGGUF() ([]gguf.KV, error) {
	tok, spec := m.Base.Tokenizer, &m.Base.Model.Spec
	if tok == nil {
		return nil, fmt.Errorf("the base has no tokenizer.json, which a .gguf file needs; merge into a directory")
	}
	o := tokenizer.GGUFOptions{Rows: spec.Vocab, BOS: spec.BOS, EOS: model.NoToken, Unknown: model.NoToken, Pad: model.NoToken, Name: m.name()}
	if id, ok := tok.ID(m.Base.Chat.BOS); ok && m.Base.Chat.BOS != "" {
		o.BOS = id
	}
	if id, ok := tok.ID(m.Base.Chat.EOS); ok && m.Base.Chat.EOS != "" {
		o.EOS = id
	}
	keys, err := tok.ToGGUF(o)
	if err != nil {
		return nil, err
	}
	var kv []gguf.KV
	for _, k := range keys {
		kv = append(kv, gguf.KV(k))
	}
	more := []string{"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}
	for _, id := range m.Base.Chat.Stops {
		if id != o.EOS && len(more) > 0 {
			kv, more = append(kv, gguf.KV{Key: more[0], Value: uint32(id)}), more[1:]
		}
	}
	return kv, nil
}
