package lora

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ft/internal/suggest"
	"ft/peft"
)

// Config is the `method` section of a config file when its kind is lora or dora.
type Config struct {
	// Rank is r, the number of rows of A: capacity, and in proportion to it the size of the adapter.
	Rank int `yaml:"rank"`
	// Alpha scales the adapter's contribution: by alpha/rank, or alpha/√rank with RankStabilized.
	Alpha float64 `yaml:"alpha"`
	// Dropout is the probability that an input feature of the adapter is zero in training.
	Dropout float64 `yaml:"dropout"`
	// Targets are the layers to adapt: all-linear, a list of module names, or a regular expression. The token embedding and the
	// output head are targets when they are named.
	Targets peft.Names `yaml:"targets"`
	// Exclude takes layers out of Targets: a list of module names or a regular expression.
	Exclude peft.Names `yaml:"exclude"`
	// Layers keeps only targets in these blocks, counted from 0; empty keeps all.
	Layers []int `yaml:"layers"`
	// RankStabilized scales by alpha/√rank, so that large ranks learn as fast as small ones.
	RankStabilized bool `yaml:"rank_stabilized"`
	// DoRA trains the length of each row of the adapted weights apart from its direction. Kind dora is lora with it on.
	DoRA bool `yaml:"dora"`
	// Init is how A and B begin: default (A uniform, B zero), gaussian (A normal with deviation 1/rank, B zero), orthogonal (both
	// random, their product zero), random (both uniform, which changes the model at once and is for debugging), or with a part of the
	// base's weight, which the base then counts without: pissa (its principal part) or olora (an orthonormal one).
	Init string `yaml:"init"`
	// Bias trains biases of the base too: none, lora_only (those of the targets), or all.
	Bias string `yaml:"bias"`
	// LoRABias gives B a bias of its own, scaled like its product.
	LoRABias bool `yaml:"lora_bias"`
	// SaveModules are modules of which a whole copy is trained and saved, by the ends of their paths, as [embed_tokens, lm_head].
	SaveModules []string `yaml:"save_modules"`
	// Tokens are tokens whose embeddings are trained, as ids or as texts that are one token each. An output head that shares the
	// embedding's weight follows.
	Tokens Tokens `yaml:"tokens"`
	// HeadTokens are tokens whose rows of the output head are trained, apart from those of the embedding.
	HeadTokens Tokens `yaml:"head_tokens"`
	// LRRatio is LoRA+'s: B, vectors and biases learn so many times as fast as A (Hayou et al. 2024, arXiv:2402.12354). 1 is LoRA.
	LRRatio float64 `yaml:"lr_ratio"`
	// Patterns give some modules a rank or an alpha of their own.
	Patterns []Pattern `yaml:"patterns"`
}

// Pattern gives the modules whose path, or its end after a dot, matches a regular expression their own rank and
// alpha; 0 keeps the common one. Rank and alpha are looked up apart: the first pattern that has one and matches wins.
type Pattern struct {
	Match string  `yaml:"match"`
	Rank  int     `yaml:"rank"`
	Alpha float64 `yaml:"alpha"`
}

// maxRank is far above every layer's width; a larger rank is a slip that would only exhaust the memory.
const maxRank = 1 << 16

// Values of Bias, which are PEFT's.
const (
	biasNone = "none"
	biasAll  = "all"
	biasOnly = "lora_only"
)

var biases = []string{biasNone, biasAll, biasOnly}

// Default returns the settings of a run that names none.
func Default() Config {
	return Config{Rank: 16, Alpha: 32, Dropout: 0.05, Targets: peft.AllLinear(), Init: initDefault, Bias: biasNone, LRRatio: 1}
}

// DefaultDoRA is Default with DoRA on: method.kind dora.
func DefaultDoRA() Config {
	c := Default()
	c.DoRA = true
	return c
}

// DefaultPiSSA returns the settings of a run that begins with the principal part of the weights (Meng, Wang and Zhang 2024, arXiv:2404.02948) and
// names none else. Its authors use no dropout.
func DefaultPiSSA() Config {
	c := Default()
	c.Init, c.Dropout = initPiSSA, 0
	return c
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
	if !(c.Alpha > 0) || math.IsInf(c.Alpha, 0) {
		bad("alpha", "must be above 0, got %v", c.Alpha)
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		bad("dropout", "must be from 0 to below 1, got %v", c.Dropout)
	}
	if err := c.targets().Validate(); err != nil {
		errs = append(errs, err)
	}
	for _, v := range []struct {
		key, value string
		have       []string
	}{{"init", c.Init, inits}, {"bias", c.Bias, biases}} {
		if !slices.Contains(v.have, v.value) {
			hint := ""
			if near := suggest.Nearest(v.value, v.have); near != "" {
				hint = fmt.Sprintf("; did you mean %q?", near)
			}
			bad(v.key, "unknown %q%s (have: %s)", v.value, hint, strings.Join(v.have, ", "))
		}
	}
	if c.LoRABias && c.Init != initDefault && c.Init != initRandom {
		bad("lora_bias", "goes with init %s or %s only, as in PEFT, got %s", initDefault, initRandom, c.Init)
	}
	if c.LoRABias && c.DoRA {
		bad("lora_bias", "does not go with dora, as in PEFT")
	}
	if !(c.LRRatio > 0) || math.IsInf(c.LRRatio, 0) {
		bad("lr_ratio", "must be above 0, got %v", c.LRRatio)
	}
	if slices.Contains(c.SaveModules, "") {
		bad("save_modules", "has an empty name, which would be every module")
	}
	for i, p := range c.Patterns {
		errs = append(errs, p.validate(fmt.Sprintf("patterns[%d]", i))...)
	}
	return errors.Join(errs...)
}

func (p Pattern) validate(key string) (errs []error) {
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	switch _, err := peft.EndPattern(p.Match); {
	case p.Match == "":
		bad(key+".match", "is missing")
	case err != nil:
		bad(key+".match", "%w", err)
	}
	if p.Rank < 0 || p.Rank > maxRank {
		bad(key+".rank", "must be from 1 to %d, or 0 for the common rank, got %d", maxRank, p.Rank)
	}
	if !(p.Alpha >= 0) || math.IsInf(p.Alpha, 0) {
		bad(key+".alpha", "must be above 0, or 0 for the common alpha, got %v", p.Alpha)
	}
	if p.Rank == 0 && p.Alpha == 0 {
		bad(key, "gives neither rank nor alpha")
	}
	return errs
}

func (c Config) targets() peft.Targets {
	return peft.Targets{Modules: c.Targets, Exclude: c.Exclude, Layers: c.Layers, Saved: c.SaveModules}
}

// settings is c in the form that adapters keep, but for the tokens.
func (c Config) settings() (settings, error) {
	s := settings{
		rank: c.Rank, alpha: c.Alpha, dropout: c.Dropout, stabilized: c.RankStabilized, targets: c.targets(),
		dora: c.DoRA, init: c.Init, bias: c.Bias, loraBias: c.LoRABias, saved: c.SaveModules,
	}
	for _, p := range c.Patterns {
		if p.Rank > 0 {
			s.ranks = append(s.ranks, rule{match: p.Match, value: float64(p.Rank)})
		}
		if p.Alpha > 0 {
			s.alphas = append(s.alphas, rule{match: p.Match, value: p.Alpha})
		}
	}
	return s, s.compile()
}
