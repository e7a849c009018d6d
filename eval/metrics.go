package eval

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ft/internal/suggest"
)

// Pair is a prediction and the texts it should equal, at least one.
type Pair struct {
	Prediction string
	References []string
}

// Score is one number that a metric gives.
type Score struct {
	// Name is the key of the result, such as "bleu:zh" or "rougeL".
	Name string
	// Value is in percent, but for nist, cider and ppl, which have scales of their own.
	Value float64
	// Signature says how the value was computed, in sacrebleu's form: key:value joined by "|".
	// "version" names the release of the program whose rules were followed; "+ft" that this code did.
	Signature string
}

// kind is a metric before its options are chosen.
type kind struct {
	name string
	// about says what it is, in a line of the help text.
	about string
	// options are the words that may follow the name, each after a colon. One such as "order=N" takes a value.
	options []string
	// make returns the metric's function for the given options, which are all known and distinct.
	// suffix is what followed the name, colons included. The function gets at least one pair, each with a reference.
	make func(suffix string, options []string) (func([]Pair) *Stats, error)
	// better is the metric's direction.
	better Better
	// model is set instead of make where the metric asks the model itself.
	model func([]Likelihood) *Stats
}

// kinds is the table of all metrics.
var kinds = []kind{
	{name: "bleu", about: "corpus BLEU as sacrebleu", options: bleuOptions(), make: newBLEU},
	{name: "rouge", about: "ROUGE-1, -2, -L and -Lsum as rouge_score, mean F", options: []string{"stem"}, make: newROUGE},
	{name: "chrf", about: "character n-gram F score as sacrebleu", options: chrfOptions("word_order=N"), make: newCHRF("chrf", 0)},
	{name: "chrf++", about: "chrf with words and word pairs", options: chrfOptions(), make: newCHRF("chrf++", 2)},
	{name: "ter", about: "translation edit rate as sacrebleu, lower is better", options: []string{"normalized", "no_punct", "asian_support", "case_sensitive"}, make: newTER, better: Lower},
	{name: "lf", about: "LLaMA-Factory's BLEU-4 by character and ROUGE by jieba's words", make: newLF},
	{name: "nist", about: "NIST as the E2E challenge's scripts, on its own scale", options: []string{"mteval"}, make: newNIST},
	{name: "cider", about: "CIDEr as the E2E challenge's scripts, on its own scale", make: newCIDEr},
	{name: "meteor", about: "METEOR as nltk, exact and stem stages only", make: newMETEOR},
	{name: "em", about: "exact match after SQuAD's normalisation", make: newEM},
	{name: "f1", about: "token F1 after SQuAD's normalisation", make: newF1},
	{name: "distinct", about: "distinct-1 and -2: how little the answers repeat themselves", make: newDistinct, better: Neither},
	{name: "length", about: "length of the answers in percent of the references'", make: newLength, better: Neither},
	{name: "ppl", about: "perplexity of the references under the model, on its own scale", better: Lower, model: perplexity},
}

// Metric is one entry of a metric list. Only Parse makes one.
type Metric struct {
	// Name is the entry as it was given, such as "bleu:zh".
	Name   string
	stats  func([]Pair) *Stats
	better Better
	model  func([]Likelihood) *Stats
}

// NeedsModel reports whether the metric is of what the model finds of the references, not of what it answers.
func (m Metric) NeedsModel() bool { return m.model != nil }

// ofModel takes from each row what the scores of a metric that needs the model are computed from.
func (m Metric) ofModel(found []Likelihood) (*Stats, error) {
	if len(found) == 0 {
		return nil, m.noModel()
	}
	s := m.model(found)
	s.Better = m.better
	return s, nil
}

func (m Metric) noModel() error {
	return fmt.Errorf("eval: %s needs the model itself, not only its predictions", m.Name)
}

// Stats takes from pairs what the metric's scores are computed from. Without pairs, or with one that has no reference, it
// returns an error.
func (m Metric) Stats(pairs []Pair) (*Stats, error) {
	if len(pairs) == 0 {
		return nil, fmt.Errorf("eval: %s: no rows to score", m.Name)
	}
	for i, p := range pairs {
		if len(p.References) == 0 {
			return nil, fmt.Errorf("eval: %s: row %d has no reference", m.Name, i+1)
		}
	}
	if m.NeedsModel() {
		return nil, m.noModel()
	}
	s := m.stats(pairs)
	s.Better = m.better
	return s, nil
}

// Compute scores pairs. It fails as Stats does.
func (m Metric) Compute(pairs []Pair) ([]Score, error) {
	s, err := m.Stats(pairs)
	if err != nil {
		return nil, err
	}
	return s.Scores(), nil
}

// Parse reads a comma-separated list such as "bleu,rouge:stem". An entry named twice counts once. All
// errors come at once; each names what there is and, if something is close, what was probably meant.
func Parse(list string) ([]Metric, error) {
	var out []Metric
	var errs []error
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" || slices.ContainsFunc(out, func(m Metric) bool { return m.Name == entry }) {
			continue
		}
		m, err := parseEntry(entry)
		if err != nil {
			errs = append(errs, fmt.Errorf("eval: %w", err))
			continue
		}
		out = append(out, m)
	}
	if len(out) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("eval: no metric given (have: %s)", strings.Join(kindNames(), ", ")))
	}
	return out, errors.Join(errs...)
}

func parseEntry(entry string) (Metric, error) {
	name, rest, _ := strings.Cut(entry, ":")
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return Metric{}, fmt.Errorf("unknown metric %q (have: %s)%s", entry, strings.Join(kindNames(), ", "), meant(name, kindNames()))
	}
	k := kinds[i]
	var options []string
	if len(entry) > len(name) {
		options = strings.Split(rest, ":")
	}
	for i, o := range options {
		if !k.takes(o) {
			return Metric{}, fmt.Errorf("metric %q: unknown option %q (have: %s)%s", entry, o, strings.Join(k.options, ", "), meant(o, k.options))
		}
		key, _, _ := strings.Cut(o, "=")
		if slices.ContainsFunc(options[:i], func(other string) bool { return other == o || strings.HasPrefix(other, key+"=") }) {
			return Metric{}, fmt.Errorf("metric %q: option %q twice", entry, o)
		}
	}
	if k.model != nil {
		return Metric{Name: entry, better: k.better, model: k.model}, nil
	}
	stats, err := k.make(strings.TrimPrefix(entry, name), options)
	if err != nil {
		return Metric{}, fmt.Errorf("metric %q: %w", entry, err)
	}
	return Metric{Name: entry, stats: stats, better: k.better}, nil
}

// BetterOf is the direction of the score with that key in a result, such as rougeL.
func BetterOf(score string) Better {
	longest, better := 0, Higher
	for _, k := range kinds {
		if strings.HasPrefix(score, k.name) && len(k.name) > longest {
			longest, better = len(k.name), k.better
		}
	}
	return better
}

// takes reports whether o is one of the options, or one of them with a value.
func (k kind) takes(o string) bool {
	key, value, hasValue := strings.Cut(o, "=")
	return slices.ContainsFunc(k.options, func(have string) bool {
		return o == have && !hasValue || hasValue && value != "" && strings.HasPrefix(have, key+"=")
	})
}

func kindNames() []string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.name)
	}
	return out
}

// Help describes the metrics for a help text, a line each: name, what it is, and its options.
func Help() string {
	var out strings.Builder
	for _, k := range kinds {
		fmt.Fprintf(&out, "  %-8s %s", k.name, k.about)
		if len(k.options) > 0 {
			fmt.Fprintf(&out, " (:%s)", strings.Join(k.options, " :"))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// meant returns the end of an error message that proposes the word of have nearest to word, or
// nothing if none is near.
func meant(word string, have []string) string {
	at := suggest.Nearest(word, have)
	if at == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", at)
}

// references describes how many references the rows have, for a signature: a number, or "var".
func references(pairs []Pair) string {
	n := len(pairs[0].References)
	for _, p := range pairs {
		if len(p.References) != n {
			return "var"
		}
	}
	return fmt.Sprint(n)
}
