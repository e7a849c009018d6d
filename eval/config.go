package eval

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Config is the `eval` section of a config file: how a run is judged.
type Config struct {
	// Every is the time between two evaluations while training, in epochs; 0 evaluates only at the end.
	Every float64 `yaml:"every"`
	// Metrics are the scores of generated answers, by the names that `ft eval --metric` takes.
	Metrics []string `yaml:"metrics"`
	// Best decides which weights the run keeps: loss (on the validation part), or one of Metrics or of the
	// scores they give. A metric of several scores stands for the one that ends in L: rouge for rougeL.
	Best string `yaml:"best"`
	// MaxNewTokens bounds a generated answer.
	MaxNewTokens int `yaml:"max_new_tokens"`
	// Decoding is how answers are written.
	Decoding Decoding `yaml:"decoding"`
	// Limit is the number of rows of the test part that are answered, in its order; 0 answers all.
	Limit int `yaml:"limit"`
	// Sample is the number of validation rows answered at each evaluation during training; 0 computes
	// losses only.
	Sample int `yaml:"sample"`
	// Bootstrap is how many times the answered rows are drawn again for the intervals and the comparison with the base; 0: neither.
	Bootstrap int `yaml:"bootstrap"`
	// BootstrapSeed is what those draws depend on.
	BootstrapSeed uint64 `yaml:"bootstrap_seed"`
	// Tasks are YAML files of multiple-choice and log-likelihood tasks, in the manner of LM Evaluation Harness, that base and
	// tuned model do at the end (see eval/task).
	Tasks []string `yaml:"tasks"`
	// General is a file of general text, or of rows: its perplexity before and after tuning tells what was forgotten. Empty
	// measures nothing.
	General string `yaml:"general"`
}

// Default returns the settings of a run that names none.
func Default() Config {
	return Config{
		Every: 0.25, Metrics: []string{"bleu", "rouge"}, Best: "loss", MaxNewTokens: 128, Sample: 50, Bootstrap: 1000, BootstrapSeed: 42,
		Decoding: DefaultDecoding(),
	}
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
	for _, err := range c.Decoding.problems() {
		errs = append(errs, fmt.Errorf("decoding.%w", err))
	}
	if c.Limit < 0 {
		bad("limit", "must be 0 (all rows) or more, got %d", c.Limit)
	}
	if c.Sample < 0 {
		bad("sample", "must be 0 (losses only) or more, got %d", c.Sample)
	}
	for i, file := range c.Tasks {
		switch {
		case strings.TrimSpace(file) == "":
			bad(fmt.Sprintf("tasks[%d]", i), "expected the name of a file")
		case slices.Contains(c.Tasks[:i], file):
			bad(fmt.Sprintf("tasks[%d]", i), "%s is listed twice", file)
		}
	}
	if err := (Bootstrap{Resamples: c.Bootstrap}).Validate(); err != nil {
		bad("bootstrap", "%s", err)
	}
	known := true
	for i, name := range c.Metrics {
		metrics, err := Parse(name)
		switch {
		case err != nil:
			bad(fmt.Sprintf("metrics[%d]", i), "%s", strings.TrimPrefix(err.Error(), "eval: "))
			known = false
		case len(metrics) != 1 || metrics[0].Name != name:
			bad(fmt.Sprintf("metrics[%d]", i), "expected the name of one metric, got %q", name)
			known = false
		case slices.Contains(c.Metrics[:i], name):
			bad(fmt.Sprintf("metrics[%d]", i), "%s is listed twice", name)
		}
	}
	switch {
	case !known || c.Best == "loss":
	case c.BestScore() == "":
		bad("best", "must be loss or one of %s, got %q", strings.Join(c.scores(), ", "), c.Best)
	case BetterOf(c.BestScore()) == Neither:
		bad("best", "%s says neither better nor worse: choose another score, or loss", c.Best)
	case c.Sample == 0 && c.Every > 0:
		bad("best", "%s needs answers during training: sample must be above 0", c.Best)
	}
	return errors.Join(errs...)
}

// Resampling is how intervals are found.
func (c Config) Resampling() Bootstrap {
	return Bootstrap{Resamples: c.Bootstrap, Seed: c.BootstrapSeed}
}

// BestScore is the key that Best names in the scores of an evaluation, "loss" for the loss, and empty if
// the metrics give no such score.
func (c Config) BestScore() string {
	if c.Best == "loss" {
		return "loss"
	}
	scores := c.scores()
	if slices.Contains(scores, c.Best) {
		return c.Best
	}
	kind, options, found := strings.Cut(c.Best, ":")
	if found {
		options = ":" + options
	}
	if long := kind + "L" + options; slices.Contains(scores, long) && slices.Contains(c.Metrics, c.Best) {
		return long
	}
	return ""
}

// scores names what the metrics give, which they say when asked about any pair.
func (c Config) scores() []string {
	var names []string
	for _, name := range c.Metrics {
		metrics, err := Parse(name)
		if err != nil {
			continue
		}
		for _, m := range metrics {
			if m.NeedsModel() {
				names = append(names, m.Name)
				continue
			}
			scores, err := m.Compute([]Pair{{Prediction: "a", References: []string{"a"}}})
			if err != nil {
				continue
			}
			for _, s := range scores {
				names = append(names, s.Name)
			}
		}
	}
	return names
}
