package base_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/base"
	"ft/dataset"
	"ft/internal/testkit"
)

// eachTemplate opens a small llama under every chat template of the conformance folders.
func eachTemplate(t *testing.T, run func(t *testing.T, name string, b *base.Base, f dataset.Format)) {
	n := testkit.Conformance(t, "chat_templates", func(t *testing.T, dir string) {
		files, err := filepath.Glob(filepath.Join(dir, "*.jinja"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no templates (%v)", err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".jinja")
			t.Run(name, func(t *testing.T) {
				source, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				tokens := []string{"<s>", "</s>"}
				for _, s := range []string{"<|eot_id|>", "<|end|>", "<end_of_turn>", "<｜end▁of▁sentence｜>"} {
					if strings.Contains(string(source), s) {
						tokens = append(tokens, s)
					}
				}
				b := style{template: string(source), tokens: tokens, bos: "<s>", eos: "</s>"}.open(t)
				f, err := b.Format()
				if err != nil {
					t.Fatal(err)
				}
				run(t, name, b, f)
			})
		}
	})
	if n == 0 {
		t.Skip("no chat templates")
	}
}

func turns(pairs ...string) []dataset.Message {
	var list []dataset.Message
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, dataset.Message{Role: pairs[i], Content: pairs[i+1]})
	}
	return list
}

// labelled are the stretches of text that count in the loss.
func labelled(b *base.Base, s dataset.Sample) []string {
	var out []string
	for from := 0; from < len(s.IDs); {
		to := from + 1
		for to < len(s.IDs) && (s.Labels[to] == dataset.Ignore) == (s.Labels[from] == dataset.Ignore) {
			to++
		}
		if s.Labels[from] != dataset.Ignore {
			out = append(out, b.Tokenizer.Decode(s.IDs[from:to], false))
		}
		from = to
	}
	return out
}

func samples(t *testing.T, f dataset.Format, r dataset.Row, trainOn string) ([]dataset.Sample, *dataset.Report, error) {
	t.Helper()
	c := dataset.Default()
	c.TrainOn, c.MaxTokens = trainOn, 1<<20
	report := &dataset.Report{Dropped: map[string]int{}, Notes: map[string]int{}, IDs: map[string][]string{}}
	all, err := dataset.Samples(dataset.NewTable(r).View(), c, f, report)
	return all, report, err
}

// TestTurns: whatever the template, what counts in the loss are the turns of the assistant with their ends and nothing else, each behind
// the prompt that a model would see, be it in one sample or in one for each turn.
func TestTurns(t *testing.T) {
	systems := [][]string{nil, {"system", "Be brief."}}
	eachTemplate(t, func(t *testing.T, name string, b *base.Base, f dataset.Format) {
		for _, system := range systems {
			for _, said := range [][]string{
				{"One is one.", "Two is two.", "Three is three."},
				{"  One is one. \n", "Two is two.", "Three is three."},
				{"<think>\nOne?\n</think>\n\nOne is one.", "Two is two.", "Three is three."},
			} {
				list := turns(append(slices.Clone(system), "user", "First?", "assistant", said[0], "user", "Second?", "assistant", said[1], "user", "Third?")...)
				r := dataset.Row{ID: "r", Messages: list, Answer: said[2]}
				single, _, err := samples(t, f, r, "answer")
				if err != nil {
					if system != nil && strings.Contains(err.Error(), "System role not supported") {
						continue
					}
					t.Fatal(err)
				}
				all, report, err := samples(t, f, r, "turns")
				if err != nil {
					t.Fatal(err)
				}
				apart := len(all) > 1
				if apart != (report.Notes["turns_apart"] == 1) {
					t.Errorf("%d samples, noted: %v", len(all), report.Notes)
				}
				last := all[len(all)-1]
				if !slices.Equal(last.IDs, single[0].IDs) || last.Prompt != single[0].Prompt {
					t.Errorf("the last turn is %q, alone %q", b.Tokenizer.Decode(last.IDs, false), b.Tokenizer.Decode(single[0].IDs, false))
				}
				var got []string
				for _, s := range all {
					got = append(got, labelled(b, s)...)
				}
				if len(got) != 3 {
					t.Fatalf("%d turns count: %q", len(got), got)
				}
				for i, text := range got {
					want := f.Lead + said[i] + f.End
					if text != want && text != f.Lead+strings.TrimSpace(said[i])+f.End {
						t.Errorf("turn %d: %q counts, want %q", i, text, want)
					}
				}
				for i, s := range all {
					if apart {
						prompt, err := f.PromptIDs(dataset.Row{Messages: list[:len(system)/2+2*i+1]}, "")
						if err != nil || !slices.Equal(s.IDs[:s.Prompt], prompt) {
							t.Errorf("turn %d has another prompt than a model would see (%v)", i, err)
						}
					}
				}
			}
		}
	})
}

// TestTurns_tools: a call is written by the template, or the row is refused because the template knows none.
func TestTurns_tools(t *testing.T) {
	row := func(content, arguments string) dataset.Row {
		call := dataset.Field{Name: "tool_calls", JSON: json.RawMessage(
			`[{"id":"abcdefghi","type":"function","function":{"name":"get_weather","arguments":` + arguments + `}}]`)}
		fields := []dataset.Field{call}
		if content == "null" {
			fields = append(fields, dataset.Field{Name: "content", JSON: json.RawMessage("null")})
		}
		return dataset.Row{ID: "r", Answer: "It is warm.", Messages: []dataset.Message{
			{Role: "user", Content: "Weather?"}, {Role: "assistant", Fields: fields},
			{Role: "tool", Content: "21.5", Fields: []dataset.Field{{Name: "tool_call_id", JSON: json.RawMessage(`"abcdefghi"`)}}},
		}, Tools: json.RawMessage(`[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object"}}}]`)}
	}
	knows := map[string]bool{}
	eachTemplate(t, func(t *testing.T, name string, b *base.Base, f dataset.Format) {
		for _, content := range []string{"", "null"} {
			for _, arguments := range []string{`{"city": "Paris"}`, `"{\"city\": \"Paris\"}"`} {
				all, report, err := samples(t, f, row(content, arguments), "turns")
				if err != nil {
					why := []string{"leaves out tool_calls", "begins an answer in another way", "the template refuses"}
					if !slices.ContainsFunc(why, func(w string) bool { return strings.Contains(err.Error(), w) }) {
						t.Errorf("refused: %v", err)
					}
					continue
				}
				knows[name] = true
				var got []string
				for _, s := range all {
					got = append(got, labelled(b, s)...)
				}
				if len(all) != 1 || len(report.Notes) > 0 {
					t.Errorf("%d samples, %v", len(all), report.Notes)
				}
				if len(got) != 2 || !strings.Contains(got[0], "get_weather") || !strings.Contains(got[0], "Paris") || got[1] != f.Lead+"It is warm."+f.End {
					t.Errorf("%q counts", got)
				}
				if strings.Contains(strings.Join(got, ""), "21.5") {
					t.Errorf("what the tool said counts: %q", got)
				}
			}
		}
	})
	if len(knows) > 0 {
		t.Logf("templates that know tools: %v", knows)
	}
}
