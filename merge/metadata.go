package merge

import (
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
	name := strings.TrimSuffix(filepath.Base(m.Out), filepath.Ext(m.Out))
	kv := []gguf.KV{
		{Key: "general.architecture", Value: m.Base.Family.Arch},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: name},
		{Key: "general.file_type", Value: fileTypes[m.Type]},
		{Key: "general.quantization_version", Value: uint32(2)},
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

// tokenizerKeys are a GGUF base's own, or made from tokenizer.json.
func (m *merger) tokenizerKeys() ([]gguf.KV, error) {
	var kv []gguf.KV
	if m.Base.GGUF != nil {
		for _, key := range m.Base.GGUF.Keys() {
			if !strings.HasPrefix(key, "tokenizer.") || key == "tokenizer.chat_template" {
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
	o := tokenizer.GGUFOptions{Rows: m.Base.Model.Spec.Vocab, BOS: m.Base.Model.Spec.BOS, EOS: model.NoToken, Unknown: model.NoToken, Pad: model.NoToken}
	if stops := m.Base.Chat.Stops; len(stops) > 0 {
		o.EOS = stops[0]
	}
	keys, err := m.Base.Tokenizer.ToGGUF(o)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		kv = append(kv, gguf.KV(k))
	}
	return kv, nil
}
