package eval

import (
	"errors"
	"fmt"
	"math"
)

// Decoding is the section `eval.decoding`: how answers are written. The default is greedy: the most likely token after the other.
// Otherwise tokens are drawn; the steps and their order are those of Hugging Face transformers.
type Decoding struct {
	// Temperature divides the logits: below 1 answers are more alike, above 1 less. 0 is greedy.
	Temperature float64 `yaml:"temperature" json:"temperature"`
	// TopK draws from so many of the most likely tokens; 0: from all.
	TopK int `yaml:"top_k" json:"top_k"`
	// TopP draws from the fewest of the most likely tokens that have this share of the probability together; 1: from all.
	TopP float64 `yaml:"top_p" json:"top_p"`
	// MinP draws from tokens that are at least this share as likely as the most likely one; 0: from all.
	MinP float64 `yaml:"min_p" json:"min_p"`
	// RepetitionPenalty above 1 makes tokens that prompt and answer have already less likely; it works for greedy answers too. 1: it
	// does not.
	RepetitionPenalty float64 `yaml:"repetition_penalty" json:"repetition_penalty"`
	// Seed decides the draws, together with row, sample and position.
	Seed uint64 `yaml:"seed" json:"seed"`
	// Stop are texts that end an answer and are not part of it.
	Stop []string `yaml:"stop" json:"stop"`
	// Samples is the number of answers to each row. A score is the mean over them.
	Samples int `yaml:"samples" json:"samples"`
}

// Answering is all that decides how answers are written, as results record it.
type Answering struct {
	Decoding
	MaxNewTokens int `json:"max_new_tokens"`
}

// Answering is how the config has answers written.
func (c Config) Answering() Answering {
	a := Answering{c.Decoding, c.MaxNewTokens}
	a.Stop = append([]string{}, a.Stop...) // a list in JSON too
	return a
}

// DefaultDecoding is greedy.
func DefaultDecoding() Decoding {
	return Decoding{TopP: 1, RepetitionPenalty: 1, Seed: 42, Samples: 1}
}

// Greedy is d without what only draws have.
func (d Decoding) Greedy() Decoding {
	d.Temperature, d.TopK, d.TopP, d.MinP, d.Samples = 0, 0, 1, 0, 1
	return d
}

// Validate reports every value out of bounds, joined, each as `key: what is wrong`.
func (d Decoding) Validate() error { return errors.Join(d.problems()...) }

func (d Decoding) problems() (errs []error) {
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	if !(d.Temperature >= 0) || !finite(d.Temperature) {
		bad("temperature", "must be 0 (greedy) or more, got %v", d.Temperature)
	}
	if d.TopK < 0 {
		bad("top_k", "must be 0 (all tokens) or more, got %d", d.TopK)
	}
	if !(d.TopP > 0 && d.TopP <= 1) {
		bad("top_p", "must be above 0 and at most 1 (all tokens), got %v", d.TopP)
	}
	if !(d.MinP >= 0 && d.MinP <= 1) {
		bad("min_p", "must be from 0 (all tokens) to 1, got %v", d.MinP)
	}
	if !(d.RepetitionPenalty > 0) || !finite(d.RepetitionPenalty) {
		bad("repetition_penalty", "must be above 0 (1 is none), got %v", d.RepetitionPenalty)
	}
	for i, s := range d.Stop {
		if s == "" {
			bad(fmt.Sprintf("stop[%d]", i), "is empty, which would end every answer at once")
		}
	}
	if d.Samples < 1 {
		bad("samples", "must be at least 1, got %d", d.Samples)
	}
	if d.Temperature == 0 {
		const idle = "does nothing at temperature 0 (greedy): set temperature too, or leave it at %v"
		if d.TopK > 0 {
			bad("top_k", idle, 0)
		}
		if d.TopP > 0 && d.TopP < 1 {
			bad("top_p", idle, 1)
		}
		if d.MinP > 0 && d.MinP <= 1 {
			bad("min_p", idle, 0)
		}
		if d.Samples > 1 {
			bad("samples", "all %d would be the same at temperature 0 (greedy): set temperature too, or leave it at 1", d.Samples)
		}
	}
	return errs
}
