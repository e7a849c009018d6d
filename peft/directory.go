package peft

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ft/internal/atomicfile"
	"ft/internal/plainjson"
	"ft/weights"
	"ft/weights/safetensors"
)

// The files of an adapter directory.
const (
	ConfigFile = "adapter_config.json"
	TensorFile = "adapter_model.safetensors"
	MetaFile   = "ft.json"
	readme     = "README.md"
)

// prefix stands before every module path in TensorFile: PEFT's wrapper and the model inside it. What belongs to the wrapper
// and no module has a name that begins with wrapper alone.
const (
	prefix  = wrapper + "model."
	wrapper = "base_model."
)

// fileName is the name in TensorFile of the tensor that the program calls name. A name without a dot is that of a soft prompt, which
// belongs to nothing.
func fileName(name string) string {
	if strings.HasPrefix(name, wrapper) || !strings.Contains(name, ".") {
		return name
	}
	return prefix + name
}

// Meta is what ft knows of an adapter, or of a model that it trained, and PEFT has no place for. It lies in MetaFile.
type Meta struct {
	Template string `json:"template,omitempty"`  // source of the chat template of the training data
	System   string `json:"system,omitempty"`    // system text of the training data
	Base     string `json:"base,omitempty"`      // the base model as the run's config names it
	BaseHash string `json:"base_hash,omitempty"` // hash of the base's files, as the run's record has it

	// Foreign tells that the adapter was not trained by ft, so that nothing is known of template and system text: it has no MetaFile. In one of
	// ft's an empty template means the plain layout.
	Foreign bool `json:"-"`
}

// Save writes an adapter to the directory dir, which is made if need be. All files are complete and beside their
// targets before the first takes its name, and the config takes its name last, so a failure while writing leaves an
// adapter that was there before untouched. Other files in dir stay; so does a README.md, which people edit.
func Save(dir string, s State, m Meta) error {
	if err := save(dir, s, m); err != nil {
		return fmt.Errorf("peft: saving the adapter to %s: %w", dir, err)
	}
	return nil
}

func save(dir string, s State, m Meta) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	tensors, err := writeTensors(filepath.Join(dir, TensorFile), s)
	if err != nil {
		return err
	}
	defer tensors.Abort()
	texts := []struct {
		name  string
		value any
	}{{MetaFile, m}, {ConfigFile, s.config(m)}}
	if m.Foreign {
		texts = texts[1:]
		if err := os.Remove(filepath.Join(dir, MetaFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	var staged []*atomicfile.File
	for _, t := range texts {
		text, err := plainjson.Marshal(t.value, "  ")
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		f, err := atomicfile.Create(filepath.Join(dir, t.name))
		if err != nil {
			return err
		}
		defer f.Abort()
		if _, err := f.Write(text); err != nil {
			return err
		}
		staged = append(staged, f)
	}
	if _, err := os.Stat(filepath.Join(dir, readme)); errors.Is(err, fs.ErrNotExist) {
		if err := atomicfile.WriteFile(filepath.Join(dir, readme), s.readme(m)); err != nil {
			return err
		}
	}
	if err := tensors.Close(); err != nil {
		return err
	}
	for _, f := range staged {
		if err := f.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// writeTensors writes all of the tensor file but leaves it to the caller to close it.
func writeTensors(path string, s State) (*weights.Writer, error) {
	infos := make([]safetensors.Info, len(s.Params))
	for i, p := range s.Params {
		infos[i] = safetensors.Info{Name: fileName(p.Name), DType: "F32", Shape: p.Shape}
	}
	w, err := safetensors.NewWriter(path, infos, map[string]string{"format": "pt"})
	if err != nil {
		return nil, err
	}
	for i, p := range s.Params {
		if err := w.Next(infos[i].Name); err != nil {
			return nil, err
		}
		if err := w.WriteFloats(p.Data); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// config is adapter_config.json: the method's keys and those of every type.
func (s State) config(m Meta) map[string]any {
	c := map[string]any{
		"auto_mapping": nil, "base_model_name_or_path": nil, "inference_mode": true, "peft_type": s.Type, "revision": nil,
		"task_type": "CAUSAL_LM",
	}
	if m.Base != "" {
		c["base_model_name_or_path"] = m.Base
	}
	maps.Copy(c, s.Config)
	return c
}

// readme is a model card as hubs want one, with its facts as YAML on top.
func (s State) readme(m Meta) []byte {
	var b bytes.Buffer
	values := 0
	for _, p := range s.Params {
		values += p.Size()
	}
	fmt.Fprintf(&b, "---\nlibrary_name: peft\npipeline_tag: text-generation\n---\n\n# %s adapter\n\n", s.Type)
	if m.Base != "" {
		fmt.Fprintf(&b, "Base model: `%s`\n\n", m.Base)
	}
	fmt.Fprintf(&b, "%d trained values in %d tensors, in Hugging Face PEFT's format. `%s` holds the chat template\n"+
		"and the system text that it was trained with; PEFT does not read that file.\n", values, len(s.Params), MetaFile)
	return b.Bytes()
}

// Saved is an adapter directory as it was read. Which tensors and keys it must have is for its method to say.
type Saved struct {
	Dir  string
	Type string // peft_type
	Meta Meta   // Base is base_model_name_or_path where ft.json names none
	// Tensors are the values of TensorFile in float32, by name without "base_model.model.".
	Tensors map[string]safetensors.Floats

	config map[string]json.RawMessage
}

// Load reads the adapter directory dir. Float16 and bfloat16 tensors are widened to float32.
func Load(dir string) (*Saved, error) {
	s := &Saved{Dir: dir}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("peft: %s: %w", dir, err)
	}
	return s, nil
}

func (s *Saved) load() error {
	text, err := os.ReadFile(filepath.Join(s.Dir, ConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("not an adapter: it has no %s", ConfigFile)
	} else if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &s.config); err != nil {
		return fmt.Errorf("%s: %w", ConfigFile, err)
	}
	var head struct {
		Type string `json:"peft_type"`
		Base string `json:"base_model_name_or_path"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("%s: %w", ConfigFile, err)
	}
	if head.Type == "" {
		return fmt.Errorf("%s: peft_type is missing", ConfigFile)
	}
	s.Type = head.Type
	if s.Meta, _, err = ReadMeta(s.Dir); err != nil {
		return err
	}
	if s.Meta.Base == "" {
		s.Meta.Base = head.Base
	}
	return s.loadTensors()
}

// ReadMeta reads the ft.json of a directory that ft wrote, and reports whether there is one.
func ReadMeta(dir string) (m Meta, ok bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, MetaFile))
	if errors.Is(err, fs.ErrNotExist) {
		m.Foreign = true
		return m, false, nil
	} else if err != nil {
		return m, false, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, false, fmt.Errorf("%s: %w", MetaFile, err)
	}
	return m, true, nil
}

func (s *Saved) loadTensors() error {
	path := filepath.Join(s.Dir, TensorFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(s.Dir, "adapter_model.bin")); err == nil {
			return fmt.Errorf("it has adapter_model.bin only, a Python pickle, which ft does not read: save it again as %s", TensorFile)
		}
		return fmt.Errorf("it has no %s", TensorFile)
	}
	src, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	s.Tensors = map[string]safetensors.Floats{}
	for _, full := range src.Names() {
		t, err := src.Tensor(full)
		if err != nil {
			return err
		}
		name := stripPrefix(full)
		if _, dup := s.Tensors[name]; dup {
			return fmt.Errorf("%s: tensor %q is there with and without %q", TensorFile, name, prefix)
		}
		s.Tensors[name] = safetensors.Floats{Shape: slices.Clone(t.Shape), Data: t.Floats()}
	}
	return nil
}
