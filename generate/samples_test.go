package generate_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"ft/generate"
	"ft/internal/kernels"
	"ft/model"
	"ft/nn"
)

// all answers prompts, and gives the answers by prompt and sample.
func all(t *testing.T, m generate.Model, prompts [][]int32, o generate.Options) map[[2]int][]int32 {
	t.Helper()
	out := map[[2]int][]int32{}
	err := generate.Answers(context.Background(), m, prompts, o, func(a generate.Answer) error {
		if _, twice := out[[2]int{a.Prompt, a.Sample}]; twice {
			t.Errorf("answer %d to prompt %d came twice", a.Sample, a.Prompt)
		}
		out[[2]int{a.Prompt, a.Sample}] = a.IDs
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != len(prompts)*max(1, o.Samples) {
		t.Fatalf("%d answers to %d prompts", len(out), len(prompts))
	}
	return out
}

// TestAnswers_sampled: a drawn answer is a function of model, prompt, key, sample and seed: not of the batch, of the threads, of how
// many samples there are, nor of which prompts are answered with it.
func TestAnswers_sampled(t *testing.T) {
	defer kernels.SetThreads(kernels.Threads())
	m, prompts := tuned(t, false)
	prompts = slices.Delete(prompts, 4, 5) // the longest
	o := generate.Options{
		MaxNew: 12, Batch: 5, Samples: 3, Stops: []int32{7},
		Sampling: generate.Sampling{Temperature: 1.1, TopK: 40, TopP: 0.97, RepetitionPenalty: 1.05, Seed: 11},
	}
	want := all(t, m, prompts, o)
	different := map[string]bool{}
	for _, ids := range want {
		different[fmt.Sprint(ids)] = true
	}
	if len(different) < 2*len(prompts) {
		t.Fatalf("only %d different answers: this test tells little", len(different))
	}
	for _, threads := range []int{1, 2} {
		kernels.SetThreads(threads)
		for _, batch := range []int{1, 2, 4, 100} {
			o.Batch = batch
			if got := all(t, m, prompts, o); !maps.EqualFunc(got, want, slices.Equal) {
				t.Errorf("%d threads, batch %d: other answers", threads, batch)
			}
		}
	}
	o.Samples = 0
	for i, p := range prompts { // one at a time, first samples only, keys instead of indices
		o.Keys = []uint64{uint64(i)}
		if got := all(t, m, [][]int32{p}, o)[[2]int{0, 0}]; !slices.Equal(got, want[[2]int{i, 0}]) {
			t.Errorf("prompt %d alone: %v, want %v", i, got, want[[2]int{i, 0}])
		}
	}
	o.Keys = []uint64{1}
	if err := generate.Answers(context.Background(), m, prompts, o, nil); err == nil {
		t.Error("one key for many prompts")
	}
}

// counted notes the most pages that were in use at a time, and how many tokens of prompts were read.
type counted struct {
	*model.Model
	pool *nn.Pool
	most int
	read int
}

func (m *counted) NewPool() *nn.Pool {
	m.pool = m.Model.NewPool()
	return m.pool
}

func (m *counted) Extend(caches []*nn.Cache, ids [][]int32, f func(s int, logits []float32)) error {
	for s, c := range caches {
		if c.Len() == 0 {
			m.read += len(ids[s])
		}
	}
	err := m.Model.Extend(caches, ids, f)
	m.most = max(m.most, m.pool.Used())
	return err
}

// TestAnswers_pages: memory follows the positions in use. Samples read their prompt once and share its pages, and everything is given
// back at the end.
func TestAnswers_pages(t *testing.T) {
	plain, prompts := tuned(t, false)
	prompts = slices.Delete(prompts, 4, 5)
	const fresh = 10
	pages := func(positions int) int { return (positions + nn.PageRows - 1) / nn.PageRows }
	tokens := 0
	var each []int
	for _, p := range prompts {
		tokens += len(p)
		each = append(each, pages(len(p)+fresh-1)) // the last token is not fed
	}
	slices.Sort(each)
	slices.Reverse(each)
	for _, batch := range []int{1, 3, 100} {
		m := &counted{Model: plain}
		all(t, m, prompts, generate.Options{MaxNew: fresh, Batch: batch})
		bound := 0
		for _, n := range each[:min(batch, len(each))] {
			bound += n
		}
		if m.most > bound || m.pool.Pages() > bound || m.pool.Used() != 0 || m.read != tokens {
			t.Errorf("batch %d: %d pages at the most, %d made, want %d; %d left; %d tokens of prompts read of %d",
				batch, m.most, m.pool.Pages(), bound, m.pool.Used(), m.read, tokens)
		}
	}
	m := &counted{Model: plain}
	prompt := prompts[slices.IndexFunc(prompts, func(p []int32) bool { return len(p) == 129 })]
	all(t, m, [][]int32{prompt}, generate.Options{MaxNew: fresh, Batch: 8, Samples: 8, Sampling: generate.Sampling{Temperature: 1}})
	if want := 129/nn.PageRows + 8; m.read != 129 || m.most != want {
		t.Errorf("8 samples: %d tokens of the prompt read, %d pages, want 129 and %d", m.read, m.most, want)
	}
}

// TestAnswers_stopTexts: a text ends an answer wherever tokens begin and end, and what comes before is what it was.
func TestAnswers_stopTexts(t *testing.T) {
	words := []string{"", "", "", "al", "pha. b", "eta", " gam", "ma", "\n\n"}
	decode := func(ids []int32) string {
		var b strings.Builder
		for _, id := range ids {
			b.WriteString(words[id])
		}
		return b.String()
	}
	script := []int32{3, 4, 5, 6, 7, 8, 3, 4, 5, 6, 7, 8, stop}
	for _, c := range []struct {
		stops []string
		ids   []int32
		text  string
	}{
		{nil, script[:12], "alpha. beta gamma\n\nalpha. beta gamma\n\n"},
		{[]string{"\n\n"}, script[:6], "alpha. beta gamma"},
		{[]string{"ph"}, script[:2], "al"},
		{[]string{"a. bet"}, script[:3], "alph"}, // over two tokens
		{[]string{"beta gam", "gamma"}, script[:4], "alpha. "},
		{[]string{"nothing like it"}, script[:12], "alpha. beta gamma\n\nalpha. beta gamma\n\n"},
		{[]string{"al"}, script[:1], ""},
	} {
		f := newFake(map[int32][]int32{1: script})
		o := generate.Options{MaxNew: 20, Stops: []int32{stop}, Batch: 1, StopTexts: c.stops, Decode: decode}
		got := all(t, f, [][]int32{{1}}, o)[[2]int{0, 0}]
		if text := generate.Cut(decode(got), c.stops); !slices.Equal(got, c.ids) || text != c.text {
			t.Errorf("%q: %v, %q; want %v, %q", c.stops, got, text, c.ids, c.text)
		}
	}
}
