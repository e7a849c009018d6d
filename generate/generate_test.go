package generate_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"ft/generate"
	"ft/internal/kernels"
	"ft/nn"
)

const (
	stop  = 9
	vocab = 20
)

// fake is a model that follows a script: the answers to a prompt by its first token. What it is asked is recorded.
type fake struct {
	script  map[int32][]int32
	prompts map[*nn.Cache][]int32
	passes  []pass
	err     error
	onPass  func(n int)
}

// pass is one call of Extend.
type pass struct {
	sequences int
	prompts   []int // lengths of the prompts that are new
}

func newFake(script map[int32][]int32) *fake {
	return &fake{script: script, prompts: map[*nn.Cache][]int32{}}
}

func (f *fake) NewPool() *nn.Pool { return nn.NewPool(1, 1, kernels.F32) }

func (f *fake) Extend(caches []*nn.Cache, ids [][]int32, next func(s int, logits []float32)) error {
	p := pass{sequences: len(caches)}
	for s, c := range caches {
		if c.Len() == 0 {
			f.prompts[c] = ids[s]
			p.prompts = append(p.prompts, len(ids[s]))
		} else if len(ids[s]) != 1 {
			return fmt.Errorf("fake: %d tokens fed after the prompt", len(ids[s]))
		}
		c.Advance(len(ids[s]))
	}
	f.passes = append(f.passes, p)
	if f.onPass != nil {
		f.onPass(len(f.passes))
	}
	for s, c := range caches {
		prompt := f.prompts[c]
		logits := make([]float32, vocab)
		logits[f.script[prompt[0]][c.Len()-len(prompt)]] = 1
		next(s, logits)
	}
	return f.err
}

// greedy collects the answers and the order in which they were finished.
func greedy(t *testing.T, m generate.Model, prompts [][]int32, o generate.Options) (answers [][]int32, order []int) {
	t.Helper()
	answers = make([][]int32, len(prompts))
	err := generate.Answers(context.Background(), m, prompts, o, func(a generate.Answer) error {
		answers[a.Prompt] = a.IDs
		order = append(order, a.Prompt)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sorted := slices.Clone(order)
	slices.Sort(sorted)
	for i := range prompts {
		if len(sorted) != len(prompts) || sorted[i] != i {
			t.Fatalf("%d prompts: finished %v", len(prompts), order)
		}
	}
	return answers, order
}

func TestAnswers_ends(t *testing.T) {
	script := []int32{3, 4, 5, 6, stop, 3, 4, 5, 6, 7, 8}
	prompt := []int32{1, 2, 2}
	for _, c := range []struct {
		name string
		o    generate.Options
		want []int32
	}{
		{"a stop", generate.Options{MaxNew: 10, Stops: []int32{stop}}, []int32{3, 4, 5, 6}},
		{"the first of several stops", generate.Options{MaxNew: 10, Stops: []int32{stop, 5, -1, 1000}}, []int32{3, 4}},
		{"at once", generate.Options{MaxNew: 10, Stops: []int32{3}}, nil},
		{"MaxNew", generate.Options{MaxNew: 3, Stops: []int32{stop}}, []int32{3, 4, 5}},
		{"MaxNew 1", generate.Options{MaxNew: 1}, []int32{3}},
		{"no stops", generate.Options{MaxNew: 7}, script[:7]},
		{"Context", generate.Options{MaxNew: 10, Context: 6}, []int32{3, 4, 5}},
		{"Context of one more", generate.Options{MaxNew: 10, Context: 4}, []int32{3}},
		{"a stop before the context's end", generate.Options{MaxNew: 10, Stops: []int32{stop}, Context: 8}, []int32{3, 4, 5, 6}},
		{"MaxNew before the context's end", generate.Options{MaxNew: 2, Context: 6}, []int32{3, 4}},
	} {
		f := newFake(map[int32][]int32{1: script})
		c.o.Batch = 4
		got, _ := greedy(t, f, [][]int32{prompt}, c.o)
		if !slices.Equal(got[0], c.want) {
			t.Errorf("%s: %v, want %v", c.name, got[0], c.want)
		}
		// What ends an answer is not fed.
		if fed := max(1, len(c.want)); len(f.passes) > fed+1 {
			t.Errorf("%s: %d passes for %d tokens", c.name, len(f.passes), len(c.want))
		}
	}
	if !slices.Equal(prompt, []int32{1, 2, 2}) {
		t.Errorf("the prompt was changed to %v", prompt)
	}
}

// TestAnswers_refills: finished sequences make room, so that less than a quarter of the batch, or no place of a small one, is empty while
// there are prompts, and no pass is wasted.
func TestAnswers_refills(t *testing.T) {
	script := map[int32][]int32{}
	var prompts [][]int32
	tokens := 0
	for i := range 10 {
		k := int32(i)
		var answer []int32
		for j := range []int{5, 0, 2, 9, 1, 1, 0, 3, 7, 2}[i] {
			answer = append(answer, (k+int32(j))%9)
		}
		script[k] = append(answer, stop)
		prompts = append(prompts, []int32{k})
		tokens += len(script[k])
	}
	for _, batch := range []int{1, 2, 3, 10, 50} {
		f := newFake(script)
		answers, order := greedy(t, f, prompts, generate.Options{MaxNew: 20, Stops: []int32{stop}, Batch: batch})
		for i, a := range answers {
			if want := script[int32(i)]; !slices.Equal(append(slices.Clone(a), stop), want) {
				t.Errorf("batch %d: answer %d is %v, want %v and the stop", batch, i, a, want)
			}
		}
		if batch == 1 && !slices.IsSorted(order) {
			t.Errorf("one by one, finished in the order %v", order)
		}
		started, sum := 0, 0
		for i, p := range f.passes {
			started += len(p.prompts)
			sum += p.sequences
			if p.sequences > batch || p.sequences <= batch-max(1, batch/4) && started < len(prompts) {
				t.Errorf("batch %d: pass %d has %d sequences, %d prompts are started", batch, i, p.sequences, started)
			}
		}
		if sum != tokens {
			t.Errorf("batch %d: %d tokens were asked for, the answers and their stops are %d", batch, sum, tokens)
		}
	}
}

// TestAnswers_prefill: the prompts that start in one pass have at most 2048 tokens together, or one is longer alone.
func TestAnswers_prefill(t *testing.T) {
	lengths := []int{1000, 1000, 48, 1, 3000, 2048, 1, 2047, 1, 1}
	want := [][]int{{1000, 1000, 48}, {1}, {3000}, {2048}, {1, 2047}, {1, 1}}
	var prompts [][]int32
	for _, n := range lengths {
		prompts = append(prompts, append([]int32{1}, make([]int32, n-1)...))
	}
	f := newFake(map[int32][]int32{1: {3, 3, 3, 3, 3, 3, 3, 3, stop}})
	greedy(t, f, prompts, generate.Options{MaxNew: 20, Stops: []int32{stop}, Batch: 50})
	var got [][]int
	for _, p := range f.passes {
		if p.prompts != nil {
			got = append(got, p.prompts)
		}
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("prompts started in passes %v, want %v", got, want)
	}
}

// TestAnswers_refuses: what cannot be done is said before anything is.
func TestAnswers_refuses(t *testing.T) {
	good := generate.Options{MaxNew: 5, Batch: 1, Context: 4}
	for want, c := range map[string]struct {
		prompts [][]int32
		change  func(o *generate.Options)
	}{
		"prompt 1 is empty": {[][]int32{{1}, {}}, nil},
		"prompt 2 has 4 tokens, the model has 4 positions": {[][]int32{{1}, {1}, {1, 2, 3, 4}}, nil},
		"max new tokens 0": {[][]int32{{1}}, func(o *generate.Options) { o.MaxNew = 0 }},
		"batch 0":          {[][]int32{{1}}, func(o *generate.Options) { o.Batch = 0 }},
	} {
		f, o := newFake(map[int32][]int32{1: {stop}}), good
		if c.change != nil {
			c.change(&o)
		}
		err := generate.Answers(context.Background(), f, c.prompts, o, func(generate.Answer) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if len(f.passes) != 0 {
			t.Errorf("%q: %d passes before the error", want, len(f.passes))
		}
	}
	if _, order := greedy(t, newFake(nil), nil, good); order != nil {
		t.Errorf("without prompts, finished %v", order)
	}
}

// TestAnswers_stopped: an error of done, the model's, and the end of the context stop the work.
func TestAnswers_stopped(t *testing.T) {
	mine := errors.New("mine")
	prompts := [][]int32{{1}, {2}, {1}, {1}}
	script := map[int32][]int32{1: {3, 4, stop}, 2: {stop}}
	for name, c := range map[string]struct {
		change func(f *fake, cancel func())
		done   error
		want   error
		passes int
		calls  int // of done
	}{
		"done":                     {func(*fake, func()) {}, mine, mine, 1, 1},
		"model":                    {func(f *fake, _ func()) { f.err = mine }, nil, mine, 1, 0},
		"context, before":          {func(_ *fake, cancel func()) { cancel() }, nil, context.Canceled, 0, 0},
		"context, in the 3rd pass": {func(f *fake, cancel func()) { f.onPass = at(3, cancel) }, nil, context.Canceled, 3, 2},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		f, calls := newFake(script), 0
		c.change(f, cancel)
		err := generate.Answers(ctx, f, prompts, generate.Options{MaxNew: 5, Stops: []int32{stop}, Batch: 2}, func(generate.Answer) error {
			calls++
			return c.done
		})
		cancel()
		if !errors.Is(err, c.want) || len(f.passes) != c.passes || calls != c.calls {
			t.Errorf("%s: error %v after %d passes and %d answers, want %v, %d and %d", name, err, len(f.passes), calls, c.want, c.passes, c.calls)
		}
	}
}

// at calls f in pass n.
func at(n int, f func()) func(int) {
	return func(i int) {
		if i == n {
			f()
		}
	}
}

func TestArgmax(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		x    []float32
		want int32
	}{
		{[]float32{1}, 0}, {[]float32{1, 3, 2}, 1}, {[]float32{1, 3, 3, 3}, 1}, {[]float32{2, 2}, 0},
		{[]float32{-3, -1, -2}, 1}, {[]float32{-inf, -5}, 1}, {[]float32{0, inf, inf}, 1}, {[]float32{0, nan, 1}, 2},
	} {
		if got := generate.Argmax(c.x); got != c.want {
			t.Errorf("of %v the largest is %d, want %d", c.x, got, c.want)
		}
	}
}
