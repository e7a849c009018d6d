package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"ft/eval"
	"ft/generate"
)

// decodingFlags are the flags that say how answers are written.
type decodingFlags struct {
	values eval.Decoding
	flags  *pflag.FlagSet
}

// add defines the flags; otherwise ends the help of those whose default is another's to choose.
func (o *decodingFlags) add(f *pflag.FlagSet, otherwise string) {
	d, v := eval.DefaultDecoding(), &o.values
	o.flags = f
	f.Float64Var(&v.Temperature, "temperature", d.Temperature, "draw tokens: below 1 keeps to the likely ones; 0: always the most likely"+otherwise)
	f.IntVar(&v.TopK, "top-k", d.TopK, "draw from so many of the most likely tokens; 0: all")
	f.Float64Var(&v.TopP, "top-p", d.TopP, "draw from the most likely tokens with this share of the probability; 1: all")
	f.Float64Var(&v.MinP, "min-p", d.MinP, "draw from tokens at least this share as likely as the most likely one; 0: all")
	f.Float64Var(&v.RepetitionPenalty, "repetition-penalty", d.RepetitionPenalty, "above 1 makes what was said less likely to be said again")
	f.Uint64Var(&v.Seed, "seed", d.Seed, "seed of the draws")
	f.StringArrayVar(&v.Stop, "stop", nil, "a text that ends an answer and is not part of it; repeat for more")
	f.IntVar(&v.Samples, "samples", d.Samples, "answers to each question")
}

// over puts the flags that were given over d. --temperature 0 means greedy, whatever d has for draws.
func (o *decodingFlags) over(d eval.Decoding) (eval.Decoding, error) {
	v := o.values
	if o.flags.Changed("temperature") && v.Temperature == 0 {
		d = d.Greedy()
	}
	for name, set := range map[string]func(){
		"temperature":        func() { d.Temperature = v.Temperature },
		"top-k":              func() { d.TopK = v.TopK },
		"top-p":              func() { d.TopP = v.TopP },
		"min-p":              func() { d.MinP = v.MinP },
		"repetition-penalty": func() { d.RepetitionPenalty = v.RepetitionPenalty },
		"seed":               func() { d.Seed = v.Seed },
		"stop":               func() { d.Stop = v.Stop },
		"samples":            func() { d.Samples = v.Samples },
	} {
		if o.flags.Changed(name) {
			set()
		}
	}
	return d, flagged(d.Validate())
}

// flagged says what is wrong with keys as it is of the flags of their names.
func flagged(err error) error {
	if err == nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		key, rest, _ := strings.Cut(strings.TrimSpace(line), ": ")
		lines = append(lines, fmt.Sprintf("--%s: %s", strings.ReplaceAll(key, "_", "-"), rest))
	}
	return usageError{errors.New(strings.Join(lines, "\n"))}
}

// given reports whether one of the flags was.
func (o *decodingFlags) given() bool {
	for _, name := range []string{"temperature", "top-k", "top-p", "min-p", "repetition-penalty", "seed", "stop", "samples"} {
		if o.flags.Changed(name) {
			return true
		}
	}
	return false
}

// decoding is how the session's model writes answers.
func (s *session) decoding(how eval.Answering) generate.Options {
	o := generate.Options{
		MaxNew: how.MaxNewTokens, Stops: s.base.Stops(s.format), Context: s.base.Model.Room(), Batch: answerBatch, Samples: how.Samples,
		Sampling: generate.Sampling{
			Temperature: how.Temperature, TopK: how.TopK, TopP: how.TopP, MinP: how.MinP, RepetitionPenalty: how.RepetitionPenalty, Seed: how.Seed,
		},
	}
	if len(how.Stop) > 0 {
		o.StopTexts, o.Decode = how.Stop, func(ids []int32) string { return s.decode(ids, true) }
	}
	return o
}

// special is how answers were written if that is not the default, for the rows of files; else nil.
func special(how eval.Answering) *eval.Answering {
	d, plain := how.Decoding, eval.DefaultDecoding()
	if len(d.Stop) > 0 || d.Temperature != 0 || d.RepetitionPenalty != plain.RepetitionPenalty {
		return &how
	}
	return nil
}
