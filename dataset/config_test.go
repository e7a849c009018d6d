package dataset

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestConfig_default(t *testing.T) {
	c := Default()
	c.Files = []string{"x.jsonl"}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfig_validate(t *testing.T) {
	for _, c := range []struct {
		title string
		set   func(*Config)
		want  string
	}{
		{"no files", func(c *Config) { c.Files = nil }, "files: must name at least one file"},
		{"empty name", func(c *Config) { c.Files = []string{"a", ""} }, "files: file 2 has an empty name"},
		{"twice", func(c *Config) { c.Files = []string{"a", "b", "a"} }, "files: a is listed twice"},
		{"negative", func(c *Config) { c.Split.Val = -1 }, "split.val: must be 0 or more, got -1"},
		{"not a number", func(c *Config) { c.Split.Test = math.NaN() }, "split.test: must be 0 or more, got NaN"},
		{"infinite", func(c *Config) { c.Split.Train = math.Inf(1) }, "split.train: must be 0 or more, got +Inf"},
		{"nothing", func(c *Config) { c.Split.Train, c.Split.Val, c.Split.Test = 0, 0, 0 }, "split: train, val and test must have a sum above 0"},
		{"too much", func(c *Config) { c.Split.Train, c.Split.Val = 1.5e308, 1.5e308 }, "split: train, val and test must have a sum above 0 that is finite"},
		{"group", func(c *Config) { c.Split.Group = "" }, "split.group: must be auto, near"},
		{"folds", func(c *Config) { c.Split.Folds = 1 }, "split.folds: must be 0 for none, or at least 2, got 1"},
		{"fold", func(c *Config) { c.Split.Folds, c.Split.Fold = 5, 6 }, "split.fold: must be from 1 to split.folds (5), got 6"},
		{"folds and manifest", func(c *Config) { c.Split.Folds, c.Split.Manifest = 5, "m.json" }, "split.folds: a manifest is a split already"},
		{"strata and manifest", func(c *Config) { c.Split.Stratify, c.Split.Manifest = "x", "m.json" }, "split.stratify: a manifest is a split already"},
		{"folds without rest", func(c *Config) { c.Split.Folds, c.Split.Train, c.Split.Val = 5, 0, 0 }, "split: train and val must have a sum above 0"},
		{"leaks", func(c *Config) { c.Split.Leaks = "ignore" }, `split.leaks: must be one of stop, accept, got "ignore"`},
		{"text", func(c *Config) { c.Clean.Text = "drop" }, `clean.text: must be one of fix, note, off, got "drop"`},
		{"step", func(c *Config) { c.Clean.PII = "fix" }, `clean.pii: must be one of drop, note, off, got "fix"`},
		{"similarity", func(c *Config) { c.Clean.Similarity = 0.4 }, "clean.similarity: must be from 0.5 to 1, got 0.4"},
		{"template", func(c *Config) { c.Template = "x" }, `template: must be one of auto, plain, got "x"`},
		{"max_tokens", func(c *Config) { c.MaxTokens = 1 }, "max_tokens: must be at least 2"},
		{"too_long", func(c *Config) { c.TooLong = "" }, `too_long: must be one of drop, cut, cut_head, cut_middle, error, got ""`},
		{"bad_rows", func(c *Config) { c.BadRows = "skip" }, `bad_rows: must be one of stop, drop, got "skip"`},
		{"train_on", func(c *Config) { c.TrainOn = "prompt" }, `train_on: must be one of answer, turns, all, got "prompt"`},
	} {
		config := Default()
		config.Files = []string{"x.jsonl"}
		c.set(&config)
		err := config.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %s", c.title, err, c.want)
		}
	}
	if err := (Config{Split: SplitConfig{Train: -1}}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 17 {
		t.Errorf("not all at once: %v", err)
	}
}

// Every field must be reachable under one spelling by either decoder.
func TestConfig_tags(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[Config](), reflect.TypeFor[SplitConfig](), reflect.TypeFor[CleanConfig]()} {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if y := f.Tag.Get("yaml"); y == "" || y != f.Tag.Get("mapstructure") {
				t.Errorf("%s.%s: yaml %q, mapstructure %q", typ.Name(), f.Name, y, f.Tag.Get("mapstructure"))
			}
		}
	}
}
