package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"ft/eval"
	"ft/internal/ui"
)

// task is the outcome of one task in metrics.json, or of the perplexity of a general text.
type task struct {
	N      int    `json:"n"`
	Shots  int    `json:"num_fewshot"`
	File   string `json:"file"`
	Tokens int    `json:"tokens"`
	numbers
	Base     numbers                    `json:"base"`
	Compared map[string]eval.Comparison `json:"compared"`
}

// numbers are scores with the standard errors of those that have one.
type numbers struct {
	Metrics map[string]float64 `json:"metrics"`
	Stderr  map[string]float64 `json:"stderr"`
}

func (n numbers) cell(name string) cell {
	v, ok := n.Metrics[name]
	if !ok {
		return cell{Text: "–"}
	}
	text := score("", v)
	if e, ok := n.Stderr[name]; ok {
		text += " ± " + score("", e)
	}
	return cell{Text: text}
}

// others are the tables of tasks and of the check on forgetting.
func (v *view) others(s *source) {
	var tasks map[string]task
	var general task
	for _, part := range []struct {
		key string
		to  any
	}{{"tasks", &tasks}, {"general", &general}} {
		if raw := s.extra[part.key]; raw != nil {
			if err := json.Unmarshal(raw, part.to); err != nil {
				s.remarks = append(s.remarks, ui.EscapeLine(fmt.Sprintf("metrics.json: %s: %v", part.key, err)))
			}
		}
	}
	if len(tasks) > 0 {
		t := table{Title: "Tasks", Note: "Scores with their standard errors.", Head: []string{"task", "score", "rows", "examples", "base", "tuned", "difference", "verdict"}}
		for _, name := range slices.Sorted(maps.Keys(tasks)) {
			x := tasks[name]
			for _, line := range x.lines() {
				t.Rows = append(t.Rows, slices.Concat(cells(ui.EscapeLine(name)), line[:1], cells(ui.Count(x.N), ui.Count(x.Shots)), line[1:]))
			}
		}
		v.Tables = append(v.Tables, t)
	}
	if len(general.Metrics) > 0 {
		t := table{Title: "General text, a check on forgetting", Head: []string{"score", "base", "tuned", "difference", "verdict"}}
		t.Note = fmt.Sprintf("How likely the models find %s of %s; a higher perplexity is a worse one.", plural(int64(general.Tokens), "token"), general.File)
		t.Rows = append(t.Rows, general.lines()...)
		t.Note = ui.EscapeLine(t.Note)
		v.Tables = append(v.Tables, t)
	}
}

// lines are a task's scores: name, base, tuned, difference, verdict.
func (x task) lines() [][]cell {
	var out [][]cell
	for _, name := range slices.Sorted(maps.Keys(x.Metrics)) {
		difference := cell{Text: "–"}
		if before, ok := x.Base.Metrics[name]; ok {
			difference.Text = signed("", x.Metrics[name]-before)
		}
		verdict := cell{Text: "–"}
		if c, ok := x.Compared[name]; ok {
			difference, verdict = verdictCells(difference, c)
		}
		out = append(out, []cell{{Text: ui.EscapeLine(name)}, x.Base.cell(name), x.cell(name), difference, verdict})
	}
	return out
}
