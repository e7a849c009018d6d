package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"ft/eval"
	"ft/internal/run"
	"ft/internal/ui"
)

// headline says what was trained on what, and what came of it.
func (v *view) headline(s *source) {
	v.Name = ui.EscapeLine(s.name)
	c := s.settings
	var b strings.Builder
	if c.Method.Kind != "" {
		fmt.Fprintf(&b, "%s on %s", c.Method.Kind, short(c.Base))
	}
	if s.info != nil {
		if s.info.Status != run.Done {
			v.Status = statusText(s.info.Status)
		}
		n := s.info.Sizes
		if n["steps"] > 0 {
			fmt.Fprintf(&b, ": %s", plural(n["steps"], "step"))
		}
		if n["train"] > 0 {
			fmt.Fprintf(&b, ", %s", plural(n["train"], "training row"))
		}
	}
	if names := baseNames(c.Data.Files); names != "" && b.Len() > 0 {
		fmt.Fprintf(&b, " of %s", names)
	}
	v.Subject = ui.EscapeLine(b.String())
	if text := result(s); text != "" {
		v.Results = append(v.Results, text)
	}
	if best := s.log.best(c); best > 0 {
		if loss, ok := s.log.lossOf(best); ok {
			text := fmt.Sprintf("Validation loss %.4f at step %g, whose weights were kept", loss, best)
			if base, ok := s.log.lossOf(0); ok {
				text += fmt.Sprintf("; the base's is %.4f", base)
			}
			v.Results = append(v.Results, text)
		}
	}
}

// short is a path without the folders that lead to it; of a model in a folder, whose name may say little, with the folder around it.
func short(path string) string {
	path = filepath.ToSlash(path)
	name := filepath.Base(path)
	if parent := filepath.Base(filepath.Dir(path)); filepath.Ext(name) != ".gguf" && parent != "." && parent != "/" {
		return parent + "/" + name
	}
	return name
}

func statusText(s run.Status) string {
	switch s {
	case run.Running:
		return "This run has not ended, or was killed: what follows is what it wrote until then."
	case run.Interrupted:
		return "This run was interrupted: what follows is what it wrote until then."
	case run.Failed:
		return "This run failed: what follows is what it wrote until then."
	}
	return ""
}

func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return ui.Count(n) + " " + one + "s"
}

// baseNames are the names of files without their folders, the first few of many.
func baseNames(files []string) string {
	var names []string
	for _, f := range files {
		if len(names) == 3 {
			names = append(names, fmt.Sprintf("%d more files", len(files)-3))
			break
		}
		names = append(names, filepath.Base(f))
	}
	return strings.Join(names, ", ")
}

// result is the outcome in one sentence: the score that chose the weights, or else the first that the config names.
func result(s *source) string {
	r := s.scores
	if r == nil || len(r.Metrics) == 0 {
		return ""
	}
	name := headScore(s.settings, r)
	tuned := r.Metrics[name]
	text := fmt.Sprintf("%s %s", label(name), brief(name, tuned))
	base, ok := 0.0, false
	if r.Base != nil {
		base, ok = r.Base.Metrics[name]
	}
	if !ok {
		return ui.EscapeLine(text) + of(r.N)
	}
	if brief(name, base) == brief(name, tuned) {
		text = fmt.Sprintf("%s %s", label(name), score(name, tuned))
		text += fmt.Sprintf(" against %s for the base", score(name, base))
	} else {
		text += fmt.Sprintf(" against %s for the base", brief(name, base))
	}
	text += of(r.N)
	if c, ok := r.Compared[name]; ok {
		text += ": " + c.Words()
	}
	return ui.EscapeLine(text)
}

func of(n int) string {
	if n == 0 {
		return ""
	}
	return ", " + plural(int64(n), "test row")
}

// headScore is the score of r to speak of first.
func headScore(c settings, r *eval.Result) string {
	var wanted []string
	if c.Eval.Best != "loss" {
		wanted = append(wanted, eval.Config{Metrics: c.Eval.Metrics, Best: c.Eval.Best}.BestScore())
	}
	for _, m := range c.Eval.Metrics {
		wanted = append(wanted, m, eval.Config{Metrics: c.Eval.Metrics, Best: m}.BestScore())
	}
	for _, name := range wanted {
		if _, ok := r.Metrics[name]; ok {
			return name
		}
	}
	names := slices.Sorted(maps.Keys(r.Metrics))
	if i := slices.IndexFunc(names, func(name string) bool { return eval.BetterOf(name) != eval.Neither }); i >= 0 {
		return names[i]
	}
	return names[0]
}

// label is a score's name as people write it.
func label(name string) string {
	kind, options, _ := strings.Cut(name, ":")
	labels := map[string]string{
		"bleu": "BLEU", "chrf": "chrF", "chrf++": "chrF++", "ter": "TER", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L", "rougeLsum": "ROUGE-Lsum",
		"nist": "NIST", "cider": "CIDEr", "meteor": "METEOR", "em": "Exact match", "f1": "F1", "ppl": "Perplexity",
	}
	text, ok := labels[kind]
	switch {
	case !ok:
		return name
	case options != "":
		return text + " (" + options + ")"
	}
	return text
}

// brief is a score for a sentence, score one for a table.
func brief(name string, v float64) string {
	if small(name) {
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

func score(name string, v float64) string {
	if small(name) {
		return fmt.Sprintf("%.4f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// scores is the table of scores, and what else metrics.json says of the evaluation.
func (v *view) scores(s *source) {
	r := s.scores
	if r == nil {
		return
	}
	v.scoreTable(r)
	if r.N > 0 {
		v.Facts = append(v.Facts, fact{"rows", ui.Count(r.N)})
	}
	if r.Bootstrap != nil {
		v.Facts = append(v.Facts, fact{"intervals", fmt.Sprintf("95 %%, and paired test, from %s bootstrap resamples, seed %d", ui.Count(r.Bootstrap.Resamples), r.Bootstrap.Seed)})
		if r.N < eval.FewRows {
			v.Facts = append(v.Facts, fact{"few rows", "take intervals and p as rough"})
		}
	}
	if text := flat(s.extra["decoding"]); text != "" {
		v.Facts = append(v.Facts, fact{"decoding", text})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Signatures)) {
		v.Sign = append(v.Sign, fact{ui.EscapeLine(name), ui.EscapeLine(r.Signatures[name])})
	}
	v.others(s)
}

func (v *view) scoreTable(r *eval.Result) {
	base := r.Base
	if base == nil {
		base = &eval.Result{}
	}
	names := map[string]bool{}
	for _, m := range []map[string]float64{r.Metrics, base.Metrics} {
		for name := range m {
			names[name] = true
		}
	}
	if len(names) == 0 {
		return
	}
	t := &table{Title: "Scores of the test part", Head: []string{"score", "base", "tuned", "difference"}}
	if len(r.Compared) > 0 {
		t.Head = append(t.Head, "verdict")
	}
	if len(r.CI95) > 0 {
		t.Head = append(t.Head, "95 % interval: base", "95 % interval: tuned")
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		t.Rows = append(t.Rows, scoreLine(name, r, base))
	}
	v.Scores = t
}

func scoreLine(name string, r, base *eval.Result) []cell {
	tuned, hasTuned := r.Metrics[name]
	before, hasBase := base.Metrics[name]
	value := func(v float64, ok bool) cell {
		if !ok {
			return cell{Text: "–"}
		}
		return cell{Text: score(name, v)}
	}
	line := []cell{{Text: ui.EscapeLine(name)}, value(before, hasBase), value(tuned, hasTuned), {Text: "–"}}
	if hasTuned && hasBase {
		line[3].Text = signed(name, tuned-before)
	}
	if len(r.Compared) > 0 {
		verdict := cell{Text: "–"}
		if c, ok := r.Compared[name]; ok {
			line[3], verdict = verdictCells(line[3], c)
		}
		line = append(line, verdict)
	}
	if len(r.CI95) > 0 {
		for _, of := range []*eval.Result{base, r} {
			text := "–"
			if ends, ok := of.CI95[name]; ok {
				text = score(name, ends[0]) + " to " + score(name, ends[1])
			}
			line = append(line, cell{Text: text})
		}
	}
	return line
}

// signed is a difference of scores.
func signed(name string, v float64) string {
	text := score(name, v)
	if v >= 0 {
		return "+" + text
	}
	return "−" + strings.TrimPrefix(text, "-")
}

// verdictCells are the cells of a difference and of the verdict on it.
func verdictCells(difference cell, c eval.Comparison) (cell, cell) {
	verdict := cell{Text: ui.EscapeLine(c.Words())}
	switch c.Verdict {
	case eval.IsBetter:
		return cell{difference.Text + " ▲", "better"}, cell{verdict.Text, "better"}
	case eval.IsWorse:
		return cell{difference.Text + " ▼", "worse"}, cell{verdict.Text, "worse"}
	}
	return difference, verdict
}

// flat is a JSON object in one line: "temperature 0, top_k 0".
func flat(raw json.RawMessage) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return ""
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, name+" "+string(m[name]))
	}
	return ui.EscapeLine(strings.Join(parts, ", "))
}
