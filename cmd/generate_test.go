package cmd

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ft/dataset"
)

func TestReadQuestion(t *testing.T) {
	user := func(text string) []dataset.Message { return []dataset.Message{{Role: "user", Content: text}} }
	for _, c := range []struct {
		line string
		want []dataset.Message
		err  string
	}{
		{`{"question": "Q"}`, user("Q"), ""},
		{`{"prompt": "Q", "completion": 3}`, user("Q"), ""},
		{`{"instruction": "Q", "input": "X", "output": "A"}`, user("Q\nX"), ""},
		{`{"instruction": "Q", "input": ""}`, user("Q"), ""},
		{`{"question": "Q", "system": "S"}`, append([]dataset.Message{{Role: "system", Content: "S"}}, user("Q")...), ""},
		{`{"question": "Q", "system": null}`, user("Q"), ""},
		{`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}`, user("Q"), ""},
		{`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": "R"}]}`,
			[]dataset.Message{{Role: "user", Content: "Q"}, {Role: "assistant", Content: "A"}, {Role: "user", Content: "R"}}, ""},
		{`{"messages": []}`, nil, "x:1: the question is empty"},
		{`{"messages": [{"role": "system", "content": "S"}]}`, nil, "x:1: the question is empty"},
		{`{"messages": [{"role": "user", "content": null}]}`, nil, "x:1: the question is empty"},
		{`{"question": null}`, nil, "x:1: the question is empty"},
		{`{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}`, user("Q"), ""},
		{`{"prompt": [{"role": "user", "content": "Q"}]}`, user("Q"), ""},
		{`{"问题": "Q"}`, user("Q"), ""},
		{`{"messages": [{"role": "user"}]}`, nil, `x:1: messages[0]: missing field "content" (have: role)`},
		{`{"question": "Q", "system": 1}`, nil, `x:1: field "system": expected a string, found a number`},
		{`{"instruction": "Q", "input": 1}`, nil, `x:1: field "input": expected a string, found a number`},
		{`{}`, nil, "x:1: no question (has no fields)"},
	} {
		fields, err := decodeObject([]byte(c.line))
		if err != nil {
			t.Fatal(err)
		}
		row, err := readQuestion(jsonRow{"x:1", fields})
		if message(err) != c.err {
			t.Errorf("%s: error %v, want %s", c.line, err, c.err)
			continue
		}
		if diff := cmp.Diff(c.want, row.Messages); c.err == "" && diff != "" {
			t.Errorf("%s: %s", c.line, diff)
		}
	}
}

// More questions than are decoded at a time come back in order, each with the answer it gets alone.
func TestAnswerInOrder(t *testing.T) {
	s := tinySession(t)
	var questions []question
	for i := range 2*answerBatch + 3 {
		questions = append(questions, question{at: "x", ids: slices.Repeat([]int32{int32(50 + i), int32(3 + 2*i)}, 1+i%5)})
	}
	var got [][]int32
	err := s.answerInOrder(context.Background(), questions, s.decoding(12), func(q question, ids []int32) error {
		if !slices.Equal(q.ids, questions[len(got)].ids) {
			t.Errorf("answer %d is to another question", len(got))
		}
		got = append(got, slices.Clone(ids))
		return nil
	})
	if err != nil || len(got) != len(questions) {
		t.Fatalf("%d answers, %v", len(got), err)
	}
	for i := range questions {
		err := s.answerInOrder(context.Background(), questions[i:i+1], s.decoding(12), func(_ question, ids []int32) error {
			if !slices.Equal(ids, got[i]) {
				t.Errorf("question %d: %v among others, %v alone", i, got[i], ids)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnswerInOrder_ends(t *testing.T) {
	s := tinySession(t)
	questions := []question{{ids: []int32{50}}, {ids: []int32{60}}}
	stop := errors.New("stop")
	if err := s.answerInOrder(context.Background(), questions, s.decoding(4), func(question, []int32) error { return stop }); err != stop {
		t.Errorf("error %v, want the one of done", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := s.answerInOrder(ctx, questions, s.decoding(4), func(question, []int32) error { return nil })
	if exitCode(err) != exitInterrupted {
		t.Errorf("interrupted, it ends with %v", err)
	}
}
