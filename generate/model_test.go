package generate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"ft/generate"
	"ft/internal/kernels"
	"ft/internal/op"
	"ft/internal/testkit"
	"ft/model"
	"ft/nn"
	"ft/peft/pefttest"
)

// tuned opens a tiny llama with a random low-rank pair on every layer, and makes prompts of various lengths for it.
func tuned(t *testing.T, bf16 bool) (*model.Model, [][]int32) {
	t.Helper()
	dir := t.TempDir()
	testkit.TinyLlama{Seed: 2, Context: 4096, BF16: bf16}.Write(t, dir)
	m := pefttest.Open(t, dir)
	for _, l := range m.Linears() {
		r := rand.New(rand.NewPCG(op.ModuleKey(l.Name), 1))
		a, b := nn.NewParam("A", 4, l.In()), nn.NewParam("B", l.Out(), 4)
		for _, p := range []*nn.Param{a, b} {
			for i := range p.Data {
				p.Data[i] = float32(0.2 * r.NormFloat64())
			}
		}
		l.SetLowRank(a, b, 1, 0.5)
	}
	r := rand.New(rand.NewPCG(4, 4))
	long := 2500 // more than one pass takes, for which plain Go needs a minute
	if testing.Short() {
		long = 300
	}
	var prompts [][]int32
	for _, n := range []int{5, 1, 70, 33, long, 16, 64, 3, 129, 8, 2, 40} {
		p := make([]int32, n)
		for i := range p {
			p[i] = int32(r.IntN(m.Spec.Vocab))
		}
		prompts = append(prompts, p)
	}
	return m, prompts
}

// recomputed answers a prompt without a cache: a pass over everything for each token.
func recomputed(t *testing.T, m *model.Model, prompt []int32, n int) []int32 {
	t.Helper()
	ids := slices.Clone(prompt)
	for range n {
		var next int32
		err := m.Logits(ids, []int32{int32(len(ids) - 1)}, func(_ int, l []float32) { next = generate.Argmax(l) })
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, next)
	}
	return ids[len(prompt):]
}

// TestAnswers_model: an answer is the same tokens whether it is recomputed from the start for every token, or decoded alone, in a
// batch, or in one that others join and leave; a stop shortens it and changes nothing before.
func TestAnswers_model(t *testing.T) {
	defer kernels.SetThreads(kernels.Threads())
	for _, bf16 := range []bool{false, true} {
		m, prompts := tuned(t, bf16)
		var want [][]int32
		different := map[string]bool{}
		for _, p := range prompts {
			n := 16
			if len(p) > 200 {
				n = 4 // recomputing takes long
			}
			want = append(want, recomputed(t, m, p, n))
			different[fmt.Sprint(want[len(want)-1])] = true
		}
		if len(different) < len(prompts)-1 {
			t.Fatalf("only %d of %d answers differ: this test tells little", len(different), len(prompts))
		}
		stops := []int32{want[0][5], want[2][1]}
		for _, threads := range []int{1, 2} {
			kernels.SetThreads(threads)
			for _, batch := range []int{1, 2, 5, 100} {
				all, _ := greedy(t, m, prompts, generate.Options{MaxNew: 16, Batch: batch, Context: m.Spec.Context})
				stopped, _ := greedy(t, m, prompts, generate.Options{MaxNew: 16, Batch: batch, Stops: stops})
				for i, w := range want {
					if got := all[i]; len(got) != 16 || !slices.Equal(got[:len(w)], w) {
						t.Errorf("bfloat16 %v, %d threads, batch %d, prompt %d: %v, want %v", bf16, threads, batch, i, got, w)
					}
					short := all[i]
					if end := slices.IndexFunc(short, func(id int32) bool { return slices.Contains(stops, id) }); end >= 0 {
						short = short[:end]
					}
					if !slices.Equal(stopped[i], short) {
						t.Errorf("bfloat16 %v, batch %d, prompt %d: with stops %v, want %v", bf16, batch, i, stopped[i], short)
					}
				}
			}
		}
	}
}

// TestAnswers_context: the model's last position can be used, and none after it.
func TestAnswers_context(t *testing.T) {
	m, prompts := tuned(t, false)
	o := generate.Options{MaxNew: 100, Batch: 4, Context: 80}
	answers, _ := greedy(t, m, [][]int32{prompts[2], prompts[3], prompts[0]}, o)
	for i, want := range []int{80 - 70, 80 - 33, 80 - 5} {
		if len(answers[i]) != want {
			t.Errorf("prompt %d: %d tokens, want %d", i, len(answers[i]), want)
		}
	}
	dir := t.TempDir()
	testkit.TinyLlama{Seed: 2, Context: 8, Rope: map[string]any{"rope_type": "dynamic", "factor": 2.0}}.Write(t, dir)
	small := pefttest.Open(t, dir) // has no position beyond the eighth
	if answers, _ = greedy(t, small, [][]int32{{5, 6, 7}}, generate.Options{MaxNew: 100, Batch: 1, Context: 8}); len(answers[0]) != 5 {
		t.Errorf("%d tokens after 3 of 8", len(answers[0]))
	}
}
