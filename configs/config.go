// Package configs is the config file of a run: its sections, how it is read, and how the resolved config
// is written. The sections' keys, defaults and bounds live in the packages that use them; `method` belongs
// to the method that method.kind names.
//
// A key is set by, from strong to weak: a flag --set key.path=value, the environment variable FT_KEY_PATH,
// the file, its default. Reading is strict: unknown keys, values of the wrong type and values out of
// bounds are errors, all of them are reported at once, and those of a file with its line. In flags and
// variables text needs no quotes and a list may be written a,b. An empty variable counts as not set.
// Relative paths are relative to the current directory.
package configs

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"ft/dataset"
	"ft/eval"
	"ft/trainer"
)

// Config is a whole config.
type Config struct {
	// Name is what the run is called. It is no key: Load takes it from the file's name.
	Name string `yaml:"-"`

	// Base is the model to start from: a directory with config.json, safetensors and tokenizer.json, or a
	// .gguf file.
	Base   string         `yaml:"base"`
	Method Method         `yaml:"method"`
	Data   dataset.Config `yaml:"data"`
	Train  trainer.Config `yaml:"train"`
	Eval   eval.Config    `yaml:"eval"`
	// Out is the folder in which the run directory is made.
	Out string `yaml:"out"`
}

// Method is the `method` section.
type Method struct {
	// Kind names the method.
	Kind string `yaml:"kind"`
	// Config is the method's own config: what Options.Method gave, with the section's keys filled in.
	Config any `yaml:"-"`
}

// Default returns the settings of a config that names none. It names no base, no data and no method
// config.
func Default() Config {
	return Config{
		Method: Method{Kind: "lora"},
		Data:   dataset.Default(),
		Train:  trainer.Default(),
		Eval:   eval.Default(),
		Out:    "runs",
	}
}

// Marshal returns c as YAML with every key, in the order of the sections. Load reads the same config back
// from it.
func (c *Config) Marshal() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	err := errors.Join(e.Encode(c), e.Close())
	if err != nil {
		return nil, fmt.Errorf("configs: %w", err)
	}
	return b.Bytes(), nil
}

// MarshalYAML puts the kind before the method's own keys.
func (m Method) MarshalYAML() (any, error) {
	out := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{word("kind"), word(m.Kind)}}
	if m.Config == nil {
		return out, nil
	}
	var own yaml.Node
	if err := own.Encode(m.Config); err != nil {
		return nil, err
	}
	if own.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("config of method %s is a %T, not a struct", m.Kind, m.Config)
	}
	for i := 0; i+1 < len(own.Content); i += 2 {
		if own.Content[i].Value != "kind" {
			out.Content = append(out.Content, own.Content[i], own.Content[i+1])
		}
	}
	return out, nil
}

func word(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}
