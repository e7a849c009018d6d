package likelihood

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"ft/base"
	"ft/eval/task"
	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/model"
	"ft/model/family"
)

func tiny(t *testing.T) *model.Model {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	testkit.TinyLlama{Seed: 3, Context: 8192}.Write(t, dir)
	b, err := base.Open(dir, family.All)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.Model
}

// alone is the likelihood of a request by one pass over all of its tokens.
func alone(t *testing.T, m *model.Model, q task.Request) task.Likelihood {
	t.Helper()
	ids := append(append([]int32{}, q.Context...), q.Continuation...)
	at := make([]int32, len(q.Continuation))
	for i := range at {
		at[i] = int32(len(q.Context) + i - 1)
	}
	logprobs, top := make([]float64, len(at)), make([]int32, len(at))
	err := m.WithPrecision(kernels.F32, func() error {
		return m.Logits(ids, at, func(i int, logits []float32) {
			logprobs[i] = float64(logits[q.Continuation[i]]) - LogSumExp(logits)
			top[i] = int32(kernels.Argmax(logits))
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	out := task.Likelihood{Greedy: true}
	for i, l := range logprobs {
		out.LogLikelihood += l
		out.Greedy = out.Greedy && top[i] == q.Continuation[i]
	}
	return out
}

// Requests that share contexts, single tokens, more than a pass holds: each is as likely as it is alone.
func TestScore(t *testing.T) {
	m := tiny(t)
	r := rand.New(rand.NewPCG(1, 2))
	some := func(n int) []int32 {
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = int32(r.IntN(m.Spec.Vocab))
		}
		return ids
	}
	var requests []task.Request
	for _, n := range []int{1, 7, 40, 900, 1200, 2047, 2048, 2049, 5000} {
		context := some(n)
		for _, k := range []int{1, 5, 1, 30} {
			requests = append(requests, task.Request{Context: context, Continuation: some(k)})
		}
	}
	requests = append(requests, task.Request{Context: some(3), Continuation: some(4500)}, task.Request{Context: some(3), Continuation: some(2)})
	greedy := task.Request{Context: some(10), Continuation: []int32{0, 0}}
	for i := range greedy.Continuation { // the likeliest tokens
		err := m.WithPrecision(kernels.F32, func() error {
			all := append(append([]int32{}, greedy.Context...), greedy.Continuation...)
			return m.Logits(all, []int32{int32(9 + i)}, func(_ int, logits []float32) { greedy.Continuation[i] = int32(kernels.Argmax(logits)) })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	requests = append(requests, greedy)
	done := 0
	got, err := Scorer{m}.Score(t.Context(), requests, func(n int) { done += n })
	if err != nil {
		t.Fatal(err)
	}
	if done != len(requests) {
		t.Errorf("%d of %d requests were told of", done, len(requests))
	}
	for i, q := range requests {
		want := alone(t, m, q)
		if math.Abs(got[i].LogLikelihood-want.LogLikelihood) > 1e-5*math.Abs(want.LogLikelihood) || got[i].Greedy != want.Greedy {
			t.Errorf("request %d, %d and %d tokens: %+v, alone %+v", i, len(q.Context), len(q.Continuation), got[i], want)
		}
	}
	if !got[len(got)-1].Greedy {
		t.Error("the likeliest tokens do not count as such")
	}
}

func TestLogSumExp(t *testing.T) {
	for _, c := range []struct {
		x    []float32
		want float64
	}{
		{[]float32{0, 0}, math.Ln2},
		{[]float32{1000, 1000, 1000, 1000}, 1000 + 2*math.Ln2},
		{[]float32{-1000, 0}, 0},
		{[]float32{-3.5}, -3.5},
	} {
		if got := LogSumExp(c.x); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("LogSumExp(%v) = %v, want %v", c.x, got, c.want)
		}
	}
	if got := LogSumExp([]float32{0, float32(math.NaN())}); !math.IsNaN(got) {
		t.Errorf("with a NaN it is %v", got)
	}
}
