package cmd

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"ft/dataset"
	"ft/internal/kernels"
	"ft/internal/ui"
)

// TestLikelihoods: they are the losses that ft score finds for prompt and answer, whatever is read beside, and answers that do not fit into
// the context are cut.
func TestLikelihoods(t *testing.T) {
	s := tinySession(t)
	long := strings.Repeat("fox ", 2*s.base.Model.Room())
	var rows []dataset.Row
	for i, answer := range []string{"red", "a fox is red and runs", "", long, "blue"} {
		question := "What is the colour of the fox?"
		if i == 4 {
			question = long
		}
		rows = append(rows, dataset.Row{ID: "r", Messages: []dataset.Message{{Role: "user", Content: question}}, Answer: answer})
	}
	list := func(rows []dataset.Row) []float64 {
		t.Helper()
		before := s.base.Model.Precision()
		found, err := s.likelihoods(context.Background(), rows, "Be brief.", ui.NewProgress(ui.Streams{Quiet: true}, 0, ""))
		if err != nil || s.base.Model.Precision() != before {
			t.Fatalf("%v, precision %v", err, s.base.Model.Precision())
		}
		var out []float64
		for _, l := range found {
			out = append(out, l.NLL, float64(l.Tokens))
		}
		return out
	}
	all := list(rows)
	s.base.Model.SetPrecision(kernels.F32)
	for i, r := range rows {
		if alone := list(rows[i : i+1]); !slices.Equal(alone, all[2*i:2*i+2]) {
			t.Errorf("row %d is %v alone, %v among others", i, alone, all[2*i:2*i+2])
		}
		prompt, err := s.format.PromptIDs(r, "Be brief.")
		if err != nil {
			t.Fatal(err)
		}
		if i == 4 {
			if all[8] != 0 || all[9] != 0 {
				t.Errorf("a prompt that fills the context: %v", all[8:])
			}
			continue
		}
		text, err := s.format.Prompt(r.Prompt("Be brief."), nil)
		if err != nil {
			t.Fatal(err)
		}
		ids := slices.Concat(s.format.Begin, s.format.Encoder.Encode(text+s.format.Lead+r.Answer+s.format.End, false), s.format.Finish)
		ids = ids[:min(len(ids), s.base.Model.Room())]
		labels := slices.Clone(ids)
		for j := range prompt {
			labels[j] = dataset.Ignore
		}
		score, err := scoring{ids, labels}.score(s.base.Model, 0)
		if err != nil {
			t.Fatal(err)
		}
		if want := *score.Loss * float64(score.Tokens); math.Abs(all[2*i]-want) > 1e-5*want || all[2*i+1] != float64(score.Tokens) || score.Tokens == 0 {
			t.Errorf("row %d: %v, ft score finds %v in %d tokens", i, all[2*i:2*i+2], want, score.Tokens)
		}
	}
}
