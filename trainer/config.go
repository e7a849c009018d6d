package trainer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Config is the `train` section of a config file: how long and how fast to train.
type Config struct {
	// Epochs is how often training goes over the training rows; a fraction stops part of the way. 0 leaves
	// the length to Steps.
	Epochs float64 `yaml:"epochs"`
	// Steps caps the run at so many optimizer steps; 0 means no cap.
	Steps int `yaml:"steps"`
	// Batch is the number of samples per optimizer step.
	Batch int `yaml:"batch"`
	// MicroTokens bounds the tokens of one forward pass and with it the memory. It never changes the
	// result beyond rounding; a longer sample gets a pass of its own.
	MicroTokens int `yaml:"micro_tokens"`
	// Recompute saves memory by computing activations twice instead of keeping them: off, on, or auto, which is on where they would
	// take more than half of the memory that is free. The result is the same.
	Recompute string `yaml:"recompute"`
	// LR is the learning rate at the top of the schedule.
	LR float64 `yaml:"lr"`
	// Schedule names the course of the learning rate over the run.
	Schedule string `yaml:"schedule"`
	// ScheduleOptions are what some schedules take besides.
	ScheduleOptions ScheduleOptions `yaml:"schedule_options,omitempty"`
	// Warmup is the part of all optimizer steps, 0 to 1, in which the learning rate rises from 0.
	Warmup float64 `yaml:"warmup"`
	// WeightDecay is AdamW's decoupled decay. Biases and the gains of norms are left out of it, as Hugging Face's trainer leaves
	// them out.
	WeightDecay float64 `yaml:"weight_decay"`
	// NEFTuneAlpha adds uniform noise of up to alpha/√(tokens·width) to the embeddings in training; 5 is usual, 0 is none.
	NEFTuneAlpha float64 `yaml:"neftune_alpha"`
	// Clip bounds the norm of a step's whole gradient; 0 never clips.
	Clip float64 `yaml:"clip"`
	// Patience is the number of evaluations in a row without a better score after which training stops; 0
	// never stops early.
	Patience int `yaml:"patience"`
	// Seed keys every random draw of the run: initial values, order of rows, dropout.
	Seed uint64 `yaml:"seed"`
}

// Default returns the settings of a run that names none.
func Default() Config {
	return Config{
		Epochs: 3, Batch: 16, MicroTokens: 2048, Recompute: "auto", LR: 2e-4, Schedule: "cosine", Warmup: 0.03,
		Clip: 1, Patience: 3, Seed: 42,
	}
}

// recomputes are the values of Recompute.
var recomputes = []string{"off", "auto", "on"}

// Validate reports every value out of bounds, joined, each as `key: what is wrong`.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	whole := func(key string, v, least int) {
		if v < least {
			bad(key, "must be at least %d, got %d", least, v)
		}
	}
	notNegative := func(key string, v float64) {
		if !(v >= 0) || math.IsInf(v, 0) {
			bad(key, "must be 0 or more, got %v", v)
		}
	}
	notNegative("epochs", c.Epochs)
	whole("steps", c.Steps, 0)
	if c.Epochs == 0 && c.Steps == 0 {
		bad("epochs", "must be above 0 unless train.steps is given")
	}
	whole("batch", c.Batch, 1)
	whole("micro_tokens", c.MicroTokens, 1)
	if !slices.Contains(recomputes, c.Recompute) {
		bad("recompute", "must be one of %s, got %q", strings.Join(recomputes, ", "), c.Recompute)
	}
	if !(c.LR > 0) || math.IsInf(c.LR, 0) {
		bad("lr", "must be above 0, got %v", c.LR)
	}
	probe := Config{LR: 1, Schedule: c.Schedule, ScheduleOptions: c.ScheduleOptions, Warmup: 0.1}
	if c.LR > 0 && !math.IsInf(c.LR, 0) {
		probe.LR = c.LR // options such as min_lr are bounded by it
	}
	if _, err := probe.newSchedule(100); err != nil {
		bad("schedule", "%s", strings.TrimPrefix(err.Error(), "optim: "))
	}
	if !(c.Warmup >= 0 && c.Warmup <= 1) {
		bad("warmup", "must be from 0 to 1 (a part of all steps), got %v", c.Warmup)
	}
	notNegative("weight_decay", c.WeightDecay)
	notNegative("neftune_alpha", c.NEFTuneAlpha)
	notNegative("clip", c.Clip)
	whole("patience", c.Patience, 0)
	return errors.Join(errs...)
}
