package dataset

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClean(t *testing.T) {
	rows := []Row{
		{ID: "kept", Messages: user("caf\u00e9 au  lait"), Answer: "a b"},
		{ID: "same", Messages: user(" cafe\u0301 au\u00a0lait\n"), Answer: "a\tb "},
		{ID: "other answer", Messages: user("caf\u00e9 au lait"), Answer: "a c"},
		{ID: "other case", Messages: user("Caf\u00e9 au lait"), Answer: "a b"},
		{ID: "other system", Messages: []Message{{Role: "system", Content: "s"}, {Role: "user", Content: "caf\u00e9 au lait"}}, Answer: "a b"},
		{ID: "other border", Messages: user("caf\u00e9 au lait a"), Answer: "b"},
		{ID: "no question", Messages: user(" \u3000\n"), Answer: "a"},
		{ID: "system only", Messages: []Message{{Role: "system", Content: "s"}}, Answer: "a"},
		{ID: "no answer", Messages: user("q"), Answer: "\r\n"},
		{ID: "nothing", Messages: user("")},
		{ID: "same again", Messages: user("caf\u00e9 au lait"), Answer: "a b"},
	}
	report := newReport(len(rows))
	kept := clean(t, view(rows), report)
	if d := cmp.Diff([]string{"kept", "other answer", "other case", "other system", "other border"}, ids(all(t, kept))); d != "" {
		t.Error(d)
	}
	got, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"rows":11,"kept":5,"dropped":{"duplicate":2,"missing_answer":1,"missing_question":3},"notes":{"conflicting_answer":1,"near_duplicate":2},` +
		`"ids":{"conflicting_answer":["other answer"],"duplicate":["same","same again"],"missing_answer":["no answer"],"missing_question":["no question","system only","nothing"],"near_duplicate":["other case","other system"]},` +
		`"of":{"conflicting_answer":["kept"],"duplicate":["kept","kept"],"near_duplicate":["kept","kept"]},"languages":{"undecided":5},"files":null}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRow_prompt(t *testing.T) {
	bare := Row{Messages: user("q")}
	own := Row{Messages: []Message{{Role: "system", Content: "s"}, {Role: "user", Content: "q"}}}
	for _, c := range []struct {
		row    Row
		system string
		want   []Message
	}{
		{bare, "", user("q")},
		{bare, "t", []Message{{Role: "system", Content: "t"}, {Role: "user", Content: "q"}}},
		{own, "t", own.Messages},
		{own, "", own.Messages},
	} {
		if d := cmp.Diff(c.want, c.row.Prompt(c.system)); d != "" {
			t.Error(d)
		}
	}
	turns := Row{Messages: []Message{{Role: "system", Content: "s"}, {Role: "user", Content: "q"}, {Role: "assistant", Content: "a"}, {Role: "user", Content: "r"}}}
	if got, want := turns.Question(), "user: q\nassistant: a\nuser: r"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
