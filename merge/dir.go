package merge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"ft/internal/atomicfile"
	"ft/internal/plainjson"
	"ft/internal/quant"
	"ft/weights"
)

// torchTypes are PyTorch's names of the types a directory can hold.
var torchTypes = map[quant.Type]string{quant.F32: "float32", quant.F16: "float16", quant.BF16: "bfloat16"}

// writeDir writes a Hugging Face directory beside its place and renames it there.
func (m *merger) writeDir() error {
	files, err := m.smallFiles() // first: what cannot be written shall show before the weights are
	if err != nil {
		return err
	}
	temp, err := m.tempDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := m.fillDir(temp, files, m.write); err != nil {
		return fmt.Errorf("%s not written: %w", m.Out, err)
	}
	return m.install(temp)
}

// fillDir writes all files of a Hugging Face directory; put fills a tensor.
func (m *merger) fillDir(dir string, files map[string][]byte, put func(*weights.Writer, item) error) error {
	if err := m.writeSafetensors(filepath.Join(dir, "model.safetensors"), put); err != nil {
		return err
	}
	for name, data := range files {
		if err := atomicfile.WriteFile(filepath.Join(dir, name), data); err != nil {
			return err
		}
	}
	return nil
}

// smallFiles are everything beside the weights, by file name: configuration, tokenizer, template.
func (m *merger) smallFiles() (map[string][]byte, error) {
	files, err := m.tokenizerFiles()
	if err != nil {
		return nil, err
	}
	if files["config.json"], err = m.config(); err != nil {
		return nil, err
	}
	if source := m.Base.Chat.Source; source != "" {
		files["chat_template.jinja"] = []byte(source)
	}
	generation, err := m.generationConfig()
	if err == nil && generation != nil {
		files["generation_config.json"] = generation
	}
	maps.Copy(files, m.Files)
	return files, err
}

// generationConfig is the base's generation_config.json, with the tokens that end an answer. It is nil when there is nothing to say.
func (m *merger) generationConfig() ([]byte, error) {
	c, err := m.baseJSON("generation_config.json")
	if err != nil {
		return nil, err
	}
	if stops := m.Base.Chat.Stops; len(stops) > 0 {
		if c == nil {
			c = map[string]json.RawMessage{}
		}
		var ids any = stops
		if len(stops) == 1 {
			ids = stops[0]
		}
		if c["eos_token_id"], err = json.Marshal(ids); err != nil {
			return nil, err
		}
	}
	if c == nil {
		return nil, nil
	}
	return plainjson.Marshal(c, "  ")
}

// baseJSON reads an object from one of a base directory's files: nil if there is no such file.
func (m *merger) baseJSON(name string) (map[string]json.RawMessage, error) {
	data, err := m.baseFile(name)
	if data == nil || err != nil {
		return nil, err
	}
	var c map[string]json.RawMessage
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// baseFile reads one of a base directory's files: nil if there is no such file.
func (m *merger) baseFile(name string) ([]byte, error) {
	if m.Base.GGUF != nil {
		return nil, nil
	}
	data, err := os.ReadFile(filepath.Join(m.Base.Path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// config is the base's config.json with the output's number type, or one made from the spec, of a GGUF base or of one whose text model
// alone is written.
func (m *merger) config() ([]byte, error) {
	c, err := m.baseJSON("config.json")
	if own, ofText := string(c["model_type"]), m.Base.Family.ModelType; m.Base.GGUF != nil || own != fmt.Sprintf("%q", ofText) {
		c = nil
		var data []byte
		if data, err = m.Base.Family.ToConfig(&m.Base.Model.Spec); err == nil {
			err = json.Unmarshal(data, &c)
		}
	}
	if err != nil {
		return nil, err
	}
	const old, now = "torch_dtype", "dtype" // of transformers 4 and 5; 5 reads both
	name, err := json.Marshal(torchTypes[m.Type])
	if err != nil {
		return nil, err
	}
	_, hasNow := c[now]
	if _, hasOld := c[old]; hasOld || !hasNow {
		c[old] = name
	}
	if hasNow {
		c[now] = name
	}
	if m.untied {
		c["tie_word_embeddings"] = json.RawMessage("false")
	}
	delete(c, "quantization_config") // a base that has one holds null: others are refused
	return plainjson.Marshal(c, "  ")
}

// copied are a directory's files that tokenizers besides tokenizer.json are made of.
var copied = []string{"tokenizer.json", "special_tokens_map.json", "added_tokens.json"}

// tokenizerFiles are tokenizer.json and what belongs to it: the base's own, or made from a GGUF base. The base's chat template is
// taken out: the one that training used lies in a file of its own.
func (m *merger) tokenizerFiles() (map[string][]byte, error) {
	if m.Base.GGUF != nil {
		return m.tokenizerFromGGUF()
	}
	files := map[string][]byte{}
	for _, name := range copied {
		data, err := m.baseFile(name)
		if err != nil {
			return nil, err
		}
		if data != nil {
			files[name] = data
		}
	}
	const name = "tokenizer_config.json"
	c, err := m.baseJSON(name)
	if c == nil || err != nil {
		return files, err
	}
	delete(c, "chat_template")
	files[name], err = plainjson.Marshal(c, "  ")
	return files, err
}

func (m *merger) tokenizerFromGGUF() (map[string][]byte, error) {
	tok, err := m.Base.Tokenizer.ToJSON()
	if err != nil {
		return nil, err
	}
	c := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false, "model_max_length": m.Base.Model.Spec.Context}
	for key, text := range map[string]string{"bos_token": m.Base.Chat.BOS, "eos_token": m.Base.Chat.EOS} {
		if text != "" {
			c[key] = text
		}
	}
	config, err := plainjson.Marshal(c, "  ")
	return map[string][]byte{"tokenizer.json": tok, "tokenizer_config.json": config}, err
}
