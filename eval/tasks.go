package eval

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// TaskScores are the scores of one model in a task: accuracies in percent, perplexities as they are.
type TaskScores struct {
	Metrics map[string]float64 `json:"metrics"`
	// Stderr are the standard errors of those scores that have one, in the same unit.
	Stderr map[string]float64 `json:"stderr,omitempty"`
}

// TaskResult is what came of a multiple-choice or log-likelihood task.
type TaskResult struct {
	N          int    `json:"n"`
	OutputType string `json:"output_type"`
	Shots      int    `json:"num_fewshot"`
	Alias      string `json:"-"` // what tables call it; empty: its name
	TaskScores
	// Base holds the scores of the untuned model, if it was asked too.
	Base *TaskScores `json:"base,omitempty"`
	// Compared says of the scores that can be tested whether tuning changed them.
	Compared map[string]Comparison `json:"compared,omitempty"`
}

// General is how likely a model finds a general text, a check on forgetting.
type General struct {
	File   string `json:"file"`
	Tokens int    `json:"tokens"`
	Bytes  int    `json:"bytes"`
	Words  int    `json:"words"`
	Window int    `json:"window"` // tokens that the model sees at once
	// Metrics are token_perplexity, byte_perplexity, word_perplexity and bits_per_byte.
	Metrics map[string]float64 `json:"metrics"`
	// Base holds those of the untuned model, if it was asked too.
	Base *GeneralScores `json:"base,omitempty"`
}

// GeneralScores are the numbers of one model.
type GeneralScores struct {
	Metrics map[string]float64 `json:"metrics"`
}

// taskTable renders the tasks' scores with their standard errors; empty without tasks.
func (r *Result) taskTable() string {
	if len(r.Tasks) == 0 {
		return ""
	}
	side := false
	for _, t := range r.Tasks {
		side = side || t.Base != nil
	}
	rows := [][]string{{"task", "score"}}
	if side {
		rows[0] = []string{"task", "base", "tuned", "difference", "verdict"}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Tasks)) {
		t := r.Tasks[name]
		for _, m := range slices.Sorted(maps.Keys(t.Metrics)) {
			row := []string{fmt.Sprintf("%s %s (n %d)", cmp.Or(t.Alias, name), m, t.N), t.cell(m)}
			if side && t.Base != nil {
				row = []string{row[0], t.Base.cell(m), row[1], fmt.Sprintf("%+.2f", t.Metrics[m]-t.Base.Metrics[m]), verdict(t.Compared, m)}
			} else if side {
				row = []string{row[0], "-", row[1], "-", "-"}
			}
			rows = append(rows, row)
		}
	}
	return align(rows)
}

// verdict is a comparison in words.
func verdict(compared map[string]Comparison, name string) string {
	if c, ok := compared[name]; ok {
		return c.Words()
	}
	return "-"
}

func (s TaskScores) cell(metric string) string {
	out := fmt.Sprintf("%.2f", s.Metrics[metric])
	if e, ok := s.Stderr[metric]; ok {
		out += fmt.Sprintf(" ± %.2f", e)
	}
	return out
}

// line says in words how the general text's perplexity changed; empty without one.
func (g *General) line() string {
	if g == nil {
		return ""
	}
	const key = "token_perplexity"
	tuned := g.Metrics[key]
	if g.Base == nil {
		return fmt.Sprintf("general text: perplexity %s a token\n", short(tuned))
	}
	base := g.Base.Metrics[key]
	change := 100 * (tuned/base - 1)
	return fmt.Sprintf("general text: perplexity %s → %s (%s %%)\n", short(base), short(tuned), signed(change))
}

// short is a number in three digits or more.
func short(v float64) string {
	if v >= 1000 && v < 1e6 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// signed is a number with its sign, a true minus for a negative one.
func signed(v float64) string { return strings.Replace(fmt.Sprintf("%+.1f", v), "-", "−", 1) }
