package cmd

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ft/dataset"
	"ft/internal/testkit"
)

// tinySession opens a tiny model.
func tinySession(t *testing.T) *session {
	t.Helper()
	dir := t.TempDir()
	testkit.TinyLlama{Seed: 3}.Write(t, dir)
	s, err := openSession(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// Training's loss, which takes another way through the head, is the reference.
func TestScore_loss(t *testing.T) {
	s := tinySession(t)
	ids := s.base.Tokenizer.Encode("What is the colour of the fox? The fox is red.", true)
	for name, labels := range map[string][]int32{
		"all": ids, "some": append(slices.Repeat([]int32{dataset.Ignore}, 12), ids[12:]...),
		"other than the ids": append([]int32{5}, slices.Repeat([]int32{9, dataset.Ignore}, len(ids))[:len(ids)-1]...),
	} {
		got, err := scoring{ids, labels}.score(s.base.Model, 3)
		if err != nil {
			t.Fatal(err)
		}
		batch := dataset.Pack([]dataset.Sample{{IDs: ids, Labels: labels}})
		want, err := s.base.Model.Loss(&batch)
		if err != nil {
			t.Fatal(err)
		}
		if got.Tokens != want.Tokens || math.Abs(*got.Loss-want.Mean()) > 1e-5 {
			t.Errorf("%s: loss %v of %d tokens, want %v of %d", name, *got.Loss, got.Tokens, want.Mean(), want.Tokens)
		}
	}
}

// The log-probabilities of all tokens sum to one, the list of the likeliest begins with the argmax, and what was given
// has its place in it.
func TestScore_top(t *testing.T) {
	s := tinySession(t)
	vocab := s.base.Model.Spec.Vocab
	ids := []int32{1, 100, 2, 100}
	got, err := scoring{ids, ids}.score(s.base.Model, vocab+5)
	if err != nil {
		t.Fatal(err)
	}
	for i, top := range got.Top {
		sum := 0.0
		for k, r := range top {
			sum += math.Exp(r.logprob)
			if k > 0 && r.logprob > top[k-1].logprob {
				t.Errorf("position %d: place %d is likelier than the one before", i, k)
			}
			if r.id == ids[i+1] && r.logprob != got.Logprobs[i] {
				t.Errorf("position %d: log-probability %v, in the list %v", i, got.Logprobs[i], r.logprob)
			}
		}
		if len(top) != vocab || math.Abs(sum-1) > 1e-9 || top[0].id != got.Argmax[i] {
			t.Errorf("position %d: %d tokens of probability %v, first %d, argmax %d", i, len(top), sum, top[0].id, got.Argmax[i])
		}
	}
}

func TestScore_oneToken(t *testing.T) {
	s := tinySession(t)
	got, err := scoring{[]int32{7}, []int32{7}}.score(s.base.Model, 0)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(got)
	if want := `{"loss":null,"tokens":0,"logprobs":[],"argmax":[]}`; string(text) != want || err != nil {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
}

func TestToScore_completion(t *testing.T) {
	s := tinySession(t)
	row := jsonRow{"x:1", map[string]json.RawMessage{"prompt": []byte(`"What is"`), "completion": []byte(`" the fox"`)}}
	q, err := s.toScore(row)
	if err != nil {
		t.Fatal(err)
	}
	prompt := len(s.base.Tokenizer.Encode("What is", false))
	whole := s.base.Tokenizer.Encode("What is the fox", false)
	want := append(slices.Repeat([]int32{dataset.Ignore}, prompt), whole[prompt:]...)
	if diff := cmp.Diff(want, q.labels) + cmp.Diff(whole, q.ids); diff != "" {
		t.Error(diff)
	}
}

func TestTopRanked(t *testing.T) {
	logits := []float32{1, 3, -2, 3, 0, 3, 2}
	for k, want := range map[int][]int32{1: {1}, 2: {1, 3}, 4: {1, 3, 5, 6}, 99: {1, 3, 5, 6, 0, 4, 2}} {
		var got []int32
		for _, r := range topRanked(logits, 10, k) {
			if r.logprob != float64(logits[r.id])-10 {
				t.Errorf("token %d has %v", r.id, r.logprob)
			}
			got = append(got, r.id)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("top %d: %s", k, diff)
		}
	}
}
