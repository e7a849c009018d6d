package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Config is the `data` section of a config file: which rows there are and how they become samples.
type Config struct {
	// Files are the files to read, one after the other: json, jsonl, csv, tsv, parquet and txt, plain, gzip or zstd; folders mean the
	// files in them, and * ? [ ] ** make a pattern.
	Files []string `yaml:"files" mapstructure:"files"`
	// BadRows is what happens when a row cannot be read, fits no shape or is refused by the template: stop ends with an error that tells where and why, drop
	// leaves it out, counts it and lists it in the report.
	BadRows string `yaml:"bad_rows" mapstructure:"bad_rows"`
	// Columns names the fields of rows that are not called by one of the usual names.
	Columns ColumnsConfig `yaml:"columns" mapstructure:"columns"`
	// Clean says what is looked for in the rows, and what happens to those that have it.
	Clean CleanConfig `yaml:"clean" mapstructure:"clean"`
	// Split says how rows are divided into train, val and test.
	Split SplitConfig `yaml:"split" mapstructure:"split"`
	// Template is what lays out a conversation as text: auto is the model's own chat template, plain is
	// question, newline, answer.
	Template string `yaml:"template" mapstructure:"template"`
	// System is the system message of the rows that bring none of their own; empty adds none.
	System string `yaml:"system" mapstructure:"system"`
	// MaxTokens bounds the length of a sample, prompt and answer together.
	MaxTokens int `yaml:"max_tokens" mapstructure:"max_tokens"`
	// TooLong is what happens to a longer sample: drop leaves it out, cut cuts its tail off, cut_head its beginning, cut_middle the
	// middle of its prompt, error stops.
	TooLong string `yaml:"too_long" mapstructure:"too_long"`
	// TrainOn is what counts in the loss: answer (the assistant's last turn, with its end), turns (every turn of the assistant,
	// with its end) or all tokens. All of a plain text counts.
	TrainOn string `yaml:"train_on" mapstructure:"train_on"`
	// Pack puts several samples into one forward pass. It changes speed and never the result.
	Pack bool `yaml:"pack" mapstructure:"pack"`
}

// ColumnsConfig is the `data.columns` section: names of fields, each empty for the usual ones. Messages and text exclude all other
// shapes.
type ColumnsConfig struct {
	// Question is what is asked.
	Question string `yaml:"question" mapstructure:"question"`
	// Answer is what is to be answered.
	Answer string `yaml:"answer" mapstructure:"answer"`
	// System is a row's own system message.
	System string `yaml:"system" mapstructure:"system"`
	// Messages is a conversation, a list of turns.
	Messages string `yaml:"messages" mapstructure:"messages"`
	// Text is a plain text, all of which is learnt.
	Text string `yaml:"text" mapstructure:"text"`
	// ID is what a row is known by.
	ID string `yaml:"id" mapstructure:"id"`
	// Group is what keeps rows in one part of the split.
	Group string `yaml:"group" mapstructure:"group"`
}

// validate refuses columns of more than one shape.
func (c ColumnsConfig) validate() error {
	pair := c.Question != "" || c.Answer != ""
	switch {
	case c.Messages != "" && pair:
		return errors.New("columns.messages: a conversation has its question and answer in it: leave out columns.question and columns.answer")
	case c.Text != "" && (pair || c.Messages != ""):
		return errors.New("columns.text: a plain text has no question, answer or messages: leave out the others")
	}
	return nil
}

// SplitConfig is the `data.split` section. The three ratios need not sum to anything; a part of ratio 0 is
// left empty on purpose.
type SplitConfig struct {
	// Train is the share of the rows to train on.
	Train float64 `yaml:"train" mapstructure:"train"`
	// Val is the share that chooses the best weights while training.
	Val float64 `yaml:"val" mapstructure:"val"`
	// Test is the share that only the final evaluation sees.
	Test float64 `yaml:"test" mapstructure:"test"`
	// Seed gives another split of the same rows.
	Seed uint64 `yaml:"seed" mapstructure:"seed"`
	// Group says which rows must stay in one part: auto is the rows' `group` field if all of them have it
	// and otherwise their normalised question, near is auto and besides rows whose questions are nearly the same, none
	// lets every row go its own way, and any other word is the name of a column.
	Group string `yaml:"group" mapstructure:"group"`
	// Manifest is a JSON file that lists the ids of each part; it takes the place of the ratios.
	Manifest string `yaml:"manifest" mapstructure:"manifest"`
	// Stratify names a column whose values every part shall have in the same shares; empty for none.
	Stratify string `yaml:"stratify" mapstructure:"stratify"`
	// Folds divides the groups into so many equal parts, each of which is the test part of one fold; 0 for none. Train and val
	// share the rest by their ratio.
	Folds int `yaml:"folds" mapstructure:"folds"`
	// Fold is the fold whose rows are the test part, from 1.
	Fold int `yaml:"fold" mapstructure:"fold"`
	// Leaks is what happens when a part asks what another one asks too: stop, or accept and say so.
	Leaks string `yaml:"leaks" mapstructure:"leaks"`
}

const acceptLeaks = "accept"

// CleanConfig is the `data.clean` section. Each of its steps is drop, which leaves out the rows that it finds, note, which
// counts and lists them, or off, which does not look.
type CleanConfig struct {
	// Text is about control characters, stray marks and mojibake: fix repairs, note counts, off does not look.
	Text string `yaml:"text" mapstructure:"text"`
	// Duplicates are rows that say what an earlier one says, in Unicode form C and with white space as one blank.
	Duplicates string `yaml:"duplicates" mapstructure:"duplicates"`
	// Near are rows that nearly say what an earlier one says.
	Near string `yaml:"near" mapstructure:"near"`
	// Similarity is the Jaccard index of words and pairs of words from which two rows are near duplicates.
	Similarity float64 `yaml:"similarity" mapstructure:"similarity"`
	// Conflicts are rows that answer an earlier row's question in another way.
	Conflicts string `yaml:"conflicts" mapstructure:"conflicts"`
	// Outliers are rows far longer or shorter than most.
	Outliers string `yaml:"outliers" mapstructure:"outliers"`
	// Language is about rows in another script or language than most.
	Language string `yaml:"language" mapstructure:"language"`
	// PII is about e-mail addresses, phone and identity numbers.
	PII string `yaml:"pii" mapstructure:"pii"`
}

// The ways of a cleaning step.
const (
	fixIt  = "fix"
	dropIt = "drop"
	noteIt = "note"
	off    = "off"
)

// Default returns the settings of a config that names none: no files, and a 7:2:1 split.
func Default() Config {
	return Config{
		Clean: CleanConfig{
			Text: fixIt, Duplicates: dropIt, Near: noteIt, Similarity: 0.8, Conflicts: noteIt, Outliers: noteIt, Language: noteIt, PII: noteIt,
		},
		Split:     SplitConfig{Train: 7, Val: 2, Test: 1, Seed: 42, Group: "auto", Fold: 1, Leaks: "stop"},
		BadRows:   "stop",
		Template:  "auto",
		MaxTokens: 512,
		TooLong:   "drop",
		TrainOn:   "answer",
		Pack:      true,
	}
}

// Validate reports every value out of bounds, joined, each as `key: what is wrong`. It touches no file.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	oneOf := func(key, v string, have ...string) {
		if !slices.Contains(have, v) {
			bad(key, "must be one of %s, got %q", strings.Join(have, ", "), v)
		}
	}
	if len(c.Files) == 0 {
		bad("files", "must name at least one file")
	}
	for i, f := range c.Files {
		if f == "" {
			bad("files", "file %d has an empty name", i+1)
		} else if slices.Contains(c.Files[:i], f) {
			bad("files", "%s is listed twice", f)
		}
	}
	oneOf("bad_rows", c.BadRows, "stop", "drop")
	if err := c.Columns.validate(); err != nil {
		errs = append(errs, err)
	}
	ratio := func(key string, v float64) bool {
		ok := v >= 0 && !math.IsInf(v, 0)
		if !ok {
			bad("split."+key, "must be 0 or more, got %v", v)
		}
		return ok
	}
	s := c.Split
	train, val, test := ratio("train", s.Train), ratio("val", s.Val), ratio("test", s.Test)
	if sum := s.Train + s.Val + s.Test; train && val && test && (sum == 0 || math.IsInf(sum, 0)) {
		bad("split", "train, val and test must have a sum above 0 that is finite, got %v", sum)
	}
	if s.Group == "" {
		bad("split.group", "must be auto, near, none or the name of a column")
	}
	if s.Folds < 0 || s.Folds == 1 {
		bad("split.folds", "must be 0 for none, or at least 2, got %d", s.Folds)
	}
	if s.Fold < 1 || s.Folds > 1 && s.Fold > s.Folds {
		bad("split.fold", "must be from 1 to split.folds (%d), got %d", s.Folds, s.Fold)
	}
	if s.Folds > 1 && s.Manifest != "" {
		bad("split.folds", "a manifest is a split already: leave out either of them")
	}
	if s.Stratify != "" && s.Manifest != "" {
		bad("split.stratify", "a manifest is a split already: leave out either of them")
	}
	if s.Folds > 1 && train && val && s.Train+s.Val == 0 {
		bad("split", "train and val must have a sum above 0: they share what the fold leaves")
	}
	oneOf("split.leaks", s.Leaks, "stop", acceptLeaks)
	oneOf("clean.text", c.Clean.Text, fixIt, noteIt, off)
	for _, step := range []struct{ key, v string }{
		{"duplicates", c.Clean.Duplicates}, {"near", c.Clean.Near}, {"conflicts", c.Clean.Conflicts}, {"outliers", c.Clean.Outliers},
		{"language", c.Clean.Language}, {"pii", c.Clean.PII},
	} {
		oneOf("clean."+step.key, step.v, dropIt, noteIt, off)
	}
	if v := c.Clean.Similarity; !(v >= 0.5 && v <= 1) {
		bad("clean.similarity", "must be from 0.5 to 1, got %v", v)
	}
	oneOf("template", c.Template, "auto", "plain")
	if c.MaxTokens < 2 {
		bad("max_tokens", "must be at least 2 (a token and the one it predicts), got %d", c.MaxTokens)
	}
	oneOf("too_long", c.TooLong, "drop", "cut", "cut_head", "cut_middle", "error")
	oneOf("train_on", c.TrainOn, "answer", "turns", "all")
	return errors.Join(errs...)
}
