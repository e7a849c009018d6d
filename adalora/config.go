package adalora

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ft/peft"
)

// Config is the `method` section of a config file when its kind is adalora.
type Config struct {
	// InitRank is the rank of every layer in the beginning.
	InitRank int `yaml:"init_rank"`
	// TargetRank is the rank that a layer has on average at the end.
	TargetRank int `yaml:"target_rank"`
	// Alpha scales the adapter's contribution, by alpha/init_rank.
	Alpha float64 `yaml:"alpha"`
	// Dropout is the probability that an input feature of the adapter is zero in training.
	Dropout float64 `yaml:"dropout"`
	// Targets are the layers to adapt: all-linear, a list of module names, or a regular expression.
	Targets peft.Names `yaml:"targets"`
	// Exclude takes layers out of Targets: a list of module names or a regular expression.
	Exclude peft.Names `yaml:"exclude"`
	// Layers keeps only targets in these blocks, counted from 0; empty keeps all.
	Layers []int `yaml:"layers"`
	// TInit is how long training goes on before ranks are cut: below 1 a part of all optimizer steps, else a number of steps.
	TInit float64 `yaml:"tinit"`
	// TFinal is how long training goes on at the end with the final ranks: below 1 a part of all optimizer steps, else a number of steps;
	// at least one step.
	TFinal float64 `yaml:"tfinal"`
	// DeltaT is the number of steps from one allocation of ranks to the next.
	DeltaT int `yaml:"delta_t"`
	// Beta1 and Beta2 are the decay rates of the running means of a weight's sensitivity and of its uncertainty.
	Beta1 float64 `yaml:"beta1"`
	Beta2 float64 `yaml:"beta2"`
	// OrthRegWeight is the weight of the penalty.
	OrthRegWeight float64 `yaml:"orth_reg_weight"`
	// Bias trains biases of the base too: none, lora_only (those of the targets) or all. PEFT's AdaLoRA has its LoRA's names for them.
	Bias string `yaml:"bias"`
}

// maxRank is far above every layer's width; a larger rank is a slip that would only exhaust the memory.
const maxRank = 1 << 16

// biases are the values of Bias.
var biases = []string{peft.BiasNone, "lora_only", peft.BiasAll}

// Default returns the settings of a run that names none: PEFT's ranks and constants, on all linear layers; the first tenth of the run with all
// triplets and the last three tenths with the final ones.
func Default() Config {
	return Config{
		InitRank: 12, TargetRank: 8, Alpha: 32, Dropout: 0.05, Targets: peft.AllLinear(),
		TInit: 0.1, TFinal: 0.3, DeltaT: 1, Beta1: 0.85, Beta2: 0.85, OrthRegWeight: 0.5, Bias: peft.BiasNone,
	}
}

// Validate reports every value out of bounds, joined, each as `key: what is wrong`.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	switch {
	case c.InitRank < 1 || c.InitRank > maxRank:
		bad("init_rank", "must be from 1 to %d, got %d", maxRank, c.InitRank)
	case c.TargetRank < 1 || c.TargetRank > c.InitRank:
		bad("target_rank", "must be from 1 to init_rank, %d, got %d", c.InitRank, c.TargetRank)
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
	stretch := func(key string, v float64) bool {
		ok := v >= 0 && (v < 1 || v == math.Trunc(v)) && v <= 1<<40
		if !ok {
			bad(key, "must be a part of all steps, from 0 to below 1, or a whole number of steps, got %v", v)
		}
		return ok
	}
	if first, last := stretch("tinit", c.TInit), stretch("tfinal", c.TFinal); first && last && c.TInit < 1 && c.TFinal < 1 && c.TInit+c.TFinal >= 1 {
		bad("tfinal", "leaves no step to cut ranks in: tinit and tfinal are %v and %v of all steps", c.TInit, c.TFinal)
	}
	if c.DeltaT < 1 {
		bad("delta_t", "must be at least 1, got %d", c.DeltaT)
	}
	for _, b := range []struct {
		key string
		v   float64
	}{{"beta1", c.Beta1}, {"beta2", c.Beta2}} {
		if !(b.v > 0 && b.v < 1) {
			bad(b.key, "must be above 0 and below 1, got %v", b.v)
		}
	}
	if !(c.OrthRegWeight >= 0) || math.IsInf(c.OrthRegWeight, 0) {
		bad("orth_reg_weight", "must be 0 or more, got %v", c.OrthRegWeight)
	}
	if !slices.Contains(biases, c.Bias) {
		bad("bias", "must be one of %s, got %q", strings.Join(biases, ", "), c.Bias)
	}
	return errors.Join(errs...)
}

func (c Config) targets() peft.Targets {
	return peft.Targets{Modules: c.Targets, Exclude: c.Exclude, Layers: c.Layers}
}

// plan is the schedule of a run in optimizer steps.
type plan struct{ tinit, tfinal, total int }

// planFor fits the schedule to a run of so many steps.
func (c Config) planFor(steps int) (plan, error) {
	in := func(v float64) int {
		if v < 1 {
			return int(math.Round(v * float64(steps)))
		}
		return int(v)
	}
	p := plan{in(c.TInit), max(1, in(c.TFinal)), steps}
	if p.tinit >= p.total-p.tfinal {
		return p, fmt.Errorf("adalora: no step is left to cut ranks in: of the run's %d steps method.tinit takes %d and method.tfinal %d; "+
			"lower them or train longer", p.total, p.tinit, p.tfinal)
	}
	return p, nil
}
