package vera

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ft/peft"
)

// Config is the `method` section of a config file when its kind is vera.
type Config struct {
	// Rank is r, the number of rows of the shared A. It costs time and, while training, memory, but hardly any parameters: ranks are far
	// above those of LoRA.
	Rank int `yaml:"rank"`
	// DInitial is the start of every d.
	DInitial float64 `yaml:"d_initial"`
	// Dropout is the probability that an input feature of the adapter is zero in training.
	Dropout float64 `yaml:"dropout"`
	// Targets are the layers to adapt: all-linear, a list of module names, or a regular expression.
	Targets peft.Names `yaml:"targets"`
	// Exclude takes layers out of Targets: a list of module names or a regular expression.
	Exclude peft.Names `yaml:"exclude"`
	// Layers keeps only targets in these blocks, counted from 0; empty keeps all.
	Layers []int `yaml:"layers"`
	// ProjectionKey is what the shared random pair follows from. It is no seed of the run: adapters of one key share their pair.
	ProjectionKey int64 `yaml:"projection_prng_key"`
	// SaveProjection stores the pair with the adapter. Without it the adapter is the smallest of all, and whoever loads it draws the
	// pair again.
	SaveProjection bool `yaml:"save_projection"`
	// Bias trains biases of the base too: none, vera_only (those of the targets) or all.
	Bias string `yaml:"bias"`
}

// maxRank is far above every layer's width; a larger rank is a slip that would only exhaust the memory.
const maxRank = 1 << 16

// biases are the values of Bias.
var biases = []string{peft.BiasNone, "vera_only", peft.BiasAll}

// Default returns the settings of a run that names none: PEFT's, on all linear layers.
func Default() Config {
	return Config{Rank: 256, DInitial: 0.1, Targets: peft.AllLinear(), SaveProjection: true, Bias: peft.BiasNone}
}

// Validate reports every value out of bounds, joined, each as `key: what is wrong`.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	if c.Rank < 1 || c.Rank > maxRank {
		bad("rank", "must be from 1 to %d, got %d", maxRank, c.Rank)
	}
	if c.DInitial == 0 || math.IsNaN(c.DInitial) || math.IsInf(c.DInitial, 0) {
		bad("d_initial", "must be a number other than 0, got %v", c.DInitial)
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		bad("dropout", "must be from 0 to below 1, got %v", c.Dropout)
	}
	if err := c.targets().Validate(); err != nil {
		errs = append(errs, err)
	}
	if !slices.Contains(biases, c.Bias) {
		bad("bias", "must be one of %s, got %q", strings.Join(biases, ", "), c.Bias)
	}
	return errors.Join(errs...)
}

func (c Config) targets() peft.Targets {
	return peft.Targets{Modules: c.Targets, Exclude: c.Exclude, Layers: c.Layers}
}
