package prompttuning

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Config is the `method` section of a config file, for one of the kinds: Prompt, Prefix or PTuning.
type Config interface {
	// Validate reports every value out of bounds, joined, each as `key: what is wrong`.
	Validate() error
	// VirtualTokens is the number of positions in front of every sequence.
	VirtualTokens() int
	// start makes a fresh adapter for a base of the given sizes.
	start(m Method, s sizes) (*adapter, error)
}

// Bounds far above what is of use; a larger number is a slip that would only exhaust the memory.
const (
	maxTokens = 1 << 16
	maxHidden = 1 << 16
	maxLayers = 16
)

// Prompt is the section when its kind is prompt.
type Prompt struct {
	// Tokens is the number of virtual tokens.
	Tokens int `yaml:"tokens"`
	// Init says what they begin as: vocab, the embeddings of tokens drawn from the vocabulary; text, those of Text; or random, draws from N(0,1), which is
	// PEFT's default but far larger than most models' embeddings.
	Init string `yaml:"init"`
	// Text begins the prompt when Init is text: its tokens, repeated or cut to Tokens.
	Text string `yaml:"text"`
}

// The values of Prompt.Init.
const (
	initVocab  = "vocab"
	initText   = "text"
	initRandom = "random"
)

// DefaultPrompt returns the settings of a run that names none.
func DefaultPrompt() Prompt { return Prompt{Tokens: 20, Init: initVocab} }

// VirtualTokens is the number of positions in front of every sequence.
func (c Prompt) VirtualTokens() int { return c.Tokens }

// Validate reports every value out of bounds, joined.
func (c Prompt) Validate() error {
	var p problems
	p.number("tokens", c.Tokens, 1, maxTokens)
	p.choice("init", c.Init, initVocab, initText, initRandom)
	if c.Init == initText && c.Text == "" {
		p.add("text: is missing, init is text")
	}
	if c.Init != initText && c.Text != "" {
		p.add("text: has no effect with init: %s; set init: text", c.Init)
	}
	return p.joined()
}

// Prefix is the section when its kind is prefix.
type Prefix struct {
	// Tokens is the number of keys and values in front of every sequence.
	Tokens int `yaml:"tokens"`
	// Projection trains a network with one hidden layer that makes them, instead of themselves: steadier, with many more parameters while
	// it trains.
	Projection bool `yaml:"projection"`
	// Hidden is the width of the hidden layer; 0 is that of the keys.
	Hidden int `yaml:"hidden"`
}

// DefaultPrefix returns the settings of a run that names none.
func DefaultPrefix() Prefix { return Prefix{Tokens: 20} }

// VirtualTokens is the number of positions in front of every sequence.
func (c Prefix) VirtualTokens() int { return c.Tokens }

// Validate reports every value out of bounds, joined.
func (c Prefix) Validate() error {
	var p problems
	p.number("tokens", c.Tokens, 1, maxTokens)
	p.number("hidden", c.Hidden, 0, maxHidden)
	if c.Hidden != 0 && !c.Projection {
		p.add("hidden: has no effect without projection: true")
	}
	return p.joined()
}

// PTuning is the section when its kind is p_tuning.
type PTuning struct {
	// Tokens is the number of virtual tokens.
	Tokens int `yaml:"tokens"`
	// Encoder is the network that makes them: mlp or lstm.
	Encoder string `yaml:"encoder"`
	// Hidden is the width of its hidden layers; 0 is the model's.
	Hidden int `yaml:"hidden"`
	// Layers is the number of layers of the LSTM. The MLP always has three.
	Layers int `yaml:"layers"`
}

// The values of PTuning.Encoder.
const (
	encoderMLP  = "mlp"
	encoderLSTM = "lstm"
)

// defaultLayers is PEFT's number of LSTM layers, which it writes down for an MLP too.
const defaultLayers = 2

// DefaultPTuning returns the settings of a run that names none.
func DefaultPTuning() PTuning {
	return PTuning{Tokens: 20, Encoder: encoderMLP, Layers: defaultLayers}
}

// VirtualTokens is the number of positions in front of every sequence.
func (c PTuning) VirtualTokens() int { return c.Tokens }

// Validate reports every value out of bounds, joined.
func (c PTuning) Validate() error {
	var p problems
	p.number("tokens", c.Tokens, 1, maxTokens)
	p.choice("encoder", c.Encoder, encoderMLP, encoderLSTM)
	p.number("hidden", c.Hidden, 0, maxHidden)
	p.number("layers", c.Layers, 1, maxLayers)
	if c.Encoder == encoderMLP && c.Layers != defaultLayers {
		p.add("layers: has no effect with encoder: mlp; it is for encoder: lstm")
	}
	return p.joined()
}

// problems are what is wrong with a config.
type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

func (p *problems) number(key string, v, lo, hi int) {
	if v < lo || v > hi {
		p.add("%s: must be from %d to %d, got %d", key, lo, hi, v)
	}
}

func (p *problems) choice(key, v string, have ...string) {
	if !slices.Contains(have, v) {
		p.add("%s: unknown value %q (have: %s)", key, v, strings.Join(have, ", "))
	}
}

func (p problems) joined() error { return errors.Join(p...) }
