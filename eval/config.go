package eval

import (
	"errors"
	"fmt"
	"math"
)

// Config is the `eval` section of a config file: how a run is judged.
type Config struct {
	// Every is the time between two evaluations while training, in epochs; 0 evaluates only at the end.
	Every float64 `yaml:"every"`
	// Metrics are the scores of generated answers, by the names that `ft eval --metric` takes.
	Metrics []string `yaml:"metrics"`
	// Best decides which weights the run keeps: loss (on the validation part) or a metric.
	Best string `yaml:"best"`
	// MaxNewTokens bounds a generated answer.
	MaxNewTokens int `yaml:"max_new_tokens"`
	// Limit is the number of rows of the test part that are answered, in its order; 0 answers all.
	Limit int `yaml:"limit"`
	// Sample is the number of validation rows answered at each evaluation during training; 0 computes
	// losses only.
	Sample int `yaml:"sample"`
}

// Default returns the settings of a run that names none.
func Default() Config {
	return Config{Every: 0.25, Metrics: []string{"bleu", "rouge"}, Best: "loss", MaxNewTokens: 128, Sample: 50}
}

// Validate reports every value out of bounds, joined, each as `key: what is wrong`.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	if !(c.Every >= 0) || math.IsInf(c.Every, 0) {
		bad("every", "must be 0 or more epochs, got %v", c.Every)
	}
	if c.MaxNewTokens < 1 {
		bad("max_new_tokens", "must be at least 1, got %d", c.MaxNewTokens)
	}
	if c.Limit < 0 {
		bad("limit", "must be 0 (all rows) or more, got %d", c.Limit)
	}
	if c.Sample < 0 {
		bad("sample", "must be 0 (losses only) or more, got %d", c.Sample)
	}
	return errors.Join(errs...)
}
