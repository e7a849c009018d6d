package dataset

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// spell is the text of a sample under the runes tokenizer, and of what counts in the loss.
func spell(s Sample) (all, labels string) {
	text := func(id int32) string {
		switch id {
		case endID:
			return "<end>"
		case abID:
			return "ab"
		}
		return string(id)
	}
	var a, l strings.Builder
	for i, id := range s.IDs {
		a.WriteString(text(id))
		if s.Labels[i] != Ignore {
			l.WriteString(text(id))
		}
	}
	return a.String(), l.String()
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		how    string
		max    int
		system string
		all    string
		labels string
		prompt int
	}{
		{"cut", 20, "", "u:0123456789\nA:axyz!", "xyz!", 16},
		{"cut", 18, "", "u:0123456789\nA:axy", "xy", 16},
		{"cut_head", 12, "", "789\nA:axyz!<end>", "xyz!<end>", 7},
		{"cut_head", 3, "", "z!<end>", "z!<end>", 0},
		{"cut_middle", 16, "", "u:01789\nA:axyz!<end>", "xyz!<end>", 11},
		{"cut_middle", 11, "", "u:\nA:axyz!<end>", "xyz!<end>", 6},
		{"cut_middle", 9, "", "u:\nA:axyz", "xyz", 6},
		{"cut_middle", 5, "", "", "", 0}, // not even the marks of the template fit
		{"cut_middle", 16, "S", "s:S\nu:9\nA:axyz!<end>", "xyz!<end>", 0},
	} {
		config := Default()
		config.TooLong, config.MaxTokens, config.System = c.how, c.max, c.system
		r := row("r", "0123456789", "xyz!")
		got, report := encode(t, []Row{r}, config, chat(t))
		if c.all == "" {
			if len(got) != 0 || report.Dropped["no_label"] != 1 {
				t.Errorf("%s to %d: %d samples, %v", c.how, c.max, len(got), report.Dropped)
			}
			continue
		}
		if len(got) != 1 || report.Notes["cut"] != 1 {
			t.Fatalf("%s to %d: %d samples, %v", c.how, c.max, len(got), report.Notes)
		}
		all, labels := spell(got[0])
		if c.system != "" {
			c.prompt = got[0].Prompt
		}
		if all != c.all || labels != c.labels || got[0].Prompt != c.prompt || len(got[0].IDs) > c.max {
			t.Errorf("%s to %d: %q with %q in the loss, %d of the prompt; want %q, %q, %d", c.how, c.max, all, labels, got[0].Prompt, c.all, c.labels, c.prompt)
		}
	}
}

// talk is a conversation under the chat format, in which turns end with a line end; forgetful leaves thoughts in (brackets) out of earlier turns.
func talk(t *testing.T, forgetful bool) Format {
	f := chat(t)
	f.Prompt = func(turns []Message, _ json.RawMessage) (string, error) {
		var b strings.Builder
		for _, m := range turns {
			text := m.Content
			if _, rest, ok := strings.Cut(text, ")"); forgetful && ok {
				text = rest
			}
			if m.Role == "assistant" {
				text += "<end>"
			}
			b.WriteString(m.Role[:1] + ":" + text + "\n")
		}
		return b.String() + "a:", nil
	}
	return f
}

func TestTurns(t *testing.T) {
	m := func(role, text string) Message { return Message{Role: role, Content: text} }
	r := Row{ID: "r", Messages: []Message{m("user", "q"), m("assistant", "(x)one"), m("user", "s"), m("assistant", " "), m("user", "t")}, Answer: "(y)two"}
	greeting := Row{ID: "g", Messages: []Message{m("assistant", "hello"), m("user", "q")}, Answer: "one"}
	type outcome struct{ ID, All, Labels string }
	for _, c := range []struct {
		title, on string
		forgetful bool
		max       int
		row       Row
		want      []outcome
		notes     map[string]int
	}{
		{"last", "answer", false, 99, r, []outcome{{"r", "u:q\na:(x)one<end>\nu:s\na: <end>\nu:t\na:(y)two<end>", "(y)two<end>"}}, map[string]int{}},
		{"turns", "turns", false, 99, r, []outcome{{"r", "u:q\na:(x)one<end>\nu:s\na: <end>\nu:t\na:(y)two<end>", "(x)one<end>(y)two<end>"}}, map[string]int{}},
		{"all", "all", false, 99, greeting, []outcome{{"g", "a:hello<end>\nu:q\na:one<end>", "a:hello<end>\nu:q\na:one<end>"}}, map[string]int{}},
		{"greeting", "turns", false, 99, greeting, []outcome{{"g", "a:hello<end>\nu:q\na:one<end>", "one<end>"}}, map[string]int{}},
		{"forgetful", "turns", true, 99, r, []outcome{{"r#1", "u:q\na:(x)one<end>", "(x)one<end>"},
			{"r#2", "u:q\na:one<end>\nu:s\na: <end>\nu:t\na:(y)two<end>", "(y)two<end>"}}, map[string]int{"turns_apart": 1}},
		{"forgetful, one too long", "turns", true, 20, r, []outcome{{"r#1", "u:q\na:(x)one<end>", "(x)one<end>"}}, map[string]int{"turns_apart": 1, "turns_too_long": 1}},
	} {
		t.Run(c.title, func(t *testing.T) {
			config := Default()
			config.TrainOn, config.MaxTokens = c.on, c.max
			f := talk(t, c.forgetful)
			f.Special = nil
			samples, report := encode(t, []Row{c.row}, config, f)
			var got []outcome
			for _, s := range samples {
				all, labels := spell(s)
				got = append(got, outcome{s.ID, all, labels})
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.notes, report.Notes); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestEncode_plainText(t *testing.T) {
	f := chat(t)
	f.TextBegin, f.TextEnd = []int32{bosID}, []int32{endID}
	for _, on := range []string{"answer", "turns", "all"} {
		config := Default()
		config.TrainOn, config.System = on, "s"
		got, _ := encode(t, []Row{{ID: "p", Answer: "xy", Plain: true}}, config, f)
		want := []Sample{{ID: "p", Key: key("p"), IDs: []int32{bosID, 'x', 'y', endID}, Labels: []int32{bosID, 'x', 'y', endID}}}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}
