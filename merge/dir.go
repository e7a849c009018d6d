package merge

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"ft/internal/quant"
)

// torchTypes are PyTorch's names of the types a directory can hold.
var torchTypes = map[quant.Type]string{quant.F32: "float32", quant.F16: "float16", quant.BF16: "bfloat16"}

// writeDir writes a Hugging Face directory beside its place and renames it there.
func (m *merger) writeDir() error {
	temp, err := os.MkdirTemp(filepath.Dir(m.Out), ".ft-merge-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := m.writeSafetensors(filepath.Join(temp, "model.safetensors"), m.write); err != nil {
		return fmt.Errorf("%s not written: %w", m.Out, err)
	}
	if err := m.writeSmallFiles(temp); err != nil {
		return fmt.Errorf("%s not written: %w", m.Out, err)
	}
	if m.Force {
		if err := os.RemoveAll(m.Out); err != nil {
			return err
		}
	}
	return os.Rename(temp, m.Out)
}

// writeSmallFiles writes everything beside the weights: configuration, tokenizer, template.
func (m *merger) writeSmallFiles(dir string) error {
	config, err := m.config()
	if err != nil {
		return err
	}
	tok, tokConfig, err := m.tokenizerFiles()
	if err != nil {
		return err
	}
	files := map[string][]byte{"config.json": config, "tokenizer.json": tok, "tokenizer_config.json": tokConfig}
	if m.Base.Chat.Source != "" {
		files["chat_template.jinja"] = []byte(m.Base.Chat.Source)
	}
	stops, err := json.MarshalIndent(map[string]any{"eos_token_id": m.Base.Chat.Stops}, "", "  ")
	if err != nil {
		return err
	}
	files["generation_config.json"] = stops
	for name, data := range files {
		if data == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// config is the base's config.json with the output's number type, or one made from the spec of a GGUF base.
func (m *merger) config() ([]byte, error) {
	var data []byte
	var err error
	if m.Base.GGUF != nil {
		data, err = m.Base.Family.ToConfig(&m.Base.Model.Spec)
	} else {
		data, err = os.ReadFile(filepath.Join(m.Base.Path, "config.json"))
	}
	if err != nil {
		return nil, err
	}
	var c map[string]json.RawMessage
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	key := "torch_dtype" // transformers 4; 5 writes dtype and reads both
	if _, ok := c["dtype"]; ok {
		key = "dtype"
	}
	c[key] = json.RawMessage(fmt.Sprintf("%q", torchTypes[m.Type]))
	return json.MarshalIndent(c, "", "  ")
}

// tokenizerFiles are tokenizer.json and tokenizer_config.json: the base's own, or made from a GGUF base.
func (m *merger) tokenizerFiles() (tok, config []byte, err error) {
	if m.Base.GGUF == nil {
		if tok, err = os.ReadFile(filepath.Join(m.Base.Path, "tokenizer.json")); err != nil {
			return nil, nil, err
		}
		config, err = os.ReadFile(filepath.Join(m.Base.Path, "tokenizer_config.json"))
		if os.IsNotExist(err) {
			return tok, nil, nil
		}
		if err != nil {
			return nil, nil, err
		}
		config, err = withoutTemplate(config)
		return tok, config, err
	}
	if tok, err = m.Base.Tokenizer.ToJSON(); err != nil {
		return nil, nil, err
	}
	c := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false}
	if m.Base.Chat.BOS != "" {
		c["bos_token"] = m.Base.Chat.BOS
	}
	if m.Base.Chat.EOS != "" {
		c["eos_token"] = m.Base.Chat.EOS
	}
	config, err = json.MarshalIndent(c, "", "  ")
	return tok, config, err
}

// withoutTemplate takes the base's chat template out: the one that training used lies in a file of its own.
func withoutTemplate(config []byte) ([]byte, error) {
	var c map[string]json.RawMessage
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("tokenizer_config.json: %w", err)
	}
	delete(c, "chat_template")
	return json.MarshalIndent(c, "", "  ")
}
