package model_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ft/dataset"
	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/model"
	"ft/model/family"
	"ft/nn"
	"ft/weights/safetensors"
)

var rich = testkit.TinyLlama{Seed: 3, Untied: true, Bias: true, HeadDim: 6}

// TestTrain_passes: samples one by one, in pairs or all in one pass give the same losses, token for token, and the
// same gradients up to rounding; dropout included, since its masks belong to the samples.
func TestTrain_passes(t *testing.T) {
	lengths := []int{9, 30, 2, 75, 14}
	run := func(groups ...[]int) (per []float64, grads map[string][]float32) {
		m := tiny(t, rich)
		params := addSlots(m, 0.2, nil)
		per = make([]float64, len(lengths))
		for _, g := range groups {
			var samples []dataset.Sample
			for _, i := range g {
				samples = append(samples, sample(m, uint64(i), lengths[i]))
			}
			b := dataset.Pack(samples)
			l, err := m.Train(&b, model.TrainOptions{Scale: 0.01, Seed: 1, Step: 4})
			if err != nil {
				t.Fatal(err)
			}
			for j, i := range g {
				per[i] = l.PerSample[j]
			}
		}
		grads = map[string][]float32{}
		for _, p := range params {
			grads[p.Name] = p.Grad
		}
		return per, grads
	}
	want, wantGrads := run([]int{0, 1, 2, 3, 4})
	for name, groups := range map[string][][]int{
		"one by one": {{0}, {1}, {2}, {3}, {4}}, "another order": {{3, 0}, {4, 2, 1}},
	} {
		got, grads := run(groups...)
		if !slices.Equal(got, want) {
			t.Errorf("%s: losses %v, packed %v", name, got, want)
		}
		for p, g := range wantGrads {
			testkit.Near(t, name+": "+p, grads[p], g, 2e-5, 1e-9)
		}
	}
}

// TestTrain_loss: without dropout a training pass has the loss of an evaluation; with dropout it has another.
func TestTrain_loss(t *testing.T) {
	m := tiny(t, rich)
	b := batch(m, 12, 40)
	addSlots(m, 0, nil)
	want, err := m.Loss(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, dropout := range []float32{0, 0.5} {
		addSlots(m, dropout, nil)
		got, err := m.Train(&b, model.TrainOptions{Scale: 1})
		if err != nil {
			t.Fatal(err)
		}
		if (got.Sum == want.Sum) != (dropout == 0) || got.Tokens != want.Tokens || got.Tokens != 26 {
			t.Errorf("dropout %g: %+v, evaluation %+v", dropout, got, want)
		}
		if again, err := m.Loss(&b); err != nil || again.Sum != want.Sum {
			t.Errorf("dropout %g: evaluation afterwards %g, before %g (%v)", dropout, again.Sum, want.Sum, err)
		}
	}
	if mean := want.Mean(); mean < 3 || mean > 9 {
		t.Errorf("mean loss %g of %d tokens: a random model should be near ln(vocabulary)", mean, m.Spec.Vocab)
	}
}

// TestTrain_learns takes plain gradient steps on one batch.
func TestTrain_learns(t *testing.T) {
	m := tiny(t, testkit.TinyLlama{Seed: 6})
	params := addSlots(m, 0, nil)
	b := batch(m, 10, 12)
	var first, last float64
	for step := range 30 {
		l, err := m.Train(&b, model.TrainOptions{Scale: 1 / float32(b.LabelTokens())})
		if err != nil {
			t.Fatal(err)
		}
		if last = l.Mean(); step == 0 {
			first = last
		}
		for _, p := range params {
			kernels.Axpy(p.Data, -0.3, p.Grad)
			p.ZeroGrad()
		}
	}
	if last > first-1 {
		t.Errorf("loss went from %g to %g", first, last)
	}
}

// TestLogits_loss: losses and logits are two views of one computation.
func TestLogits_loss(t *testing.T) {
	m := tiny(t, rich)
	addSlots(m, 0.5, nil)
	s := sample(m, 1, 25)
	sum := 0.0
	for i, l := range logits(t, m, s.IDs)[:24] {
		if want := s.Labels[i+1]; want != dataset.Ignore {
			lse, _ := summary(l)
			sum += lse - float64(l[want])
		}
	}
	b := dataset.Pack([]dataset.Sample{s})
	l, err := m.Loss(&b)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Near(t, "loss", []float64{l.Sum}, []float64{sum}, 1e-6, 0)
}

// TestExtend_batch: a sequence fed in some pieces has the same logits, bit for bit, alone and beside others, whatever the number
// of threads; and those of a whole pass but for rounding: in float32 1e-5 of the largest one, in bfloat16 5e-2. Single tokens take
// another way through the model than several do.
func TestExtend_batch(t *testing.T) {
	defer kernels.SetThreads(kernels.Threads())
	steps := [][]int{{3, 1, 0}, {1, 1, 30}, {65, 0, 1}, {1, 1, 1}, {0, 2, 0}, {0, 0, 1}}
	wide := testkit.TinyLlama{Seed: 3, Dim: 64, Heads: 4, KVHeads: 2, HeadDim: 16, FF: 96, BF16: true}
	narrow := rich
	narrow.BF16 = true
	for i, options := range []testkit.TinyLlama{rich, narrow, wide} {
		bf16, bound := options.BF16, 1e-5
		m := tiny(t, options)
		if m.SetPrecision(kernels.F32); i == 2 {
			if !kernels.HasBF16() {
				continue
			}
			bound = 5e-2
			m.SetPrecision(kernels.BF16)
		}
		addSlots(m, 0.5, nil)
		var ids [][]int32
		var want [][][]float32
		for i, k := range []int{70, 5, 33} {
			ids = append(ids, sample(m, uint64(i), k).IDs)
			kernels.SetThreads(1)
			got, whole := extended(t, m, ids, steps, i)[i], logits(t, m, ids[i])
			want = append(want, got)
			for at, l := range got {
				if l != nil {
					testkit.Near(t, fmt.Sprintf("bf16 %v: sequence %d, token %d", bf16, i, at), l, whole[at], bound, 0)
				}
			}
		}
		for _, threads := range []int{1, 2, 3} {
			kernels.SetThreads(threads)
			for i, seq := range extended(t, m, ids, steps, 0, 1, 2) {
				for at, l := range seq {
					if !slices.Equal(l, want[i][at]) {
						t.Errorf("bf16 %v: sequence %d, token %d: other logits in a batch with %d threads", bf16, i, at, threads)
					}
				}
			}
		}
	}
}

// TestExtend_allocations: in steady state a decode step takes less than 4 KiB from Go's heap.
func TestExtend_allocations(t *testing.T) {
	m := tiny(t, testkit.TinyLlama{Seed: 1, Layers: 30, Context: 4096})
	addSlots(m, 0, nil)
	const batch, steps = 8, 100
	caches, ids := make([]*nn.Cache, batch), make([][]int32, batch)
	f := func(int, []float32) {}
	run := func(n int) {
		for range n {
			if err := m.Extend(caches, ids, f); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range caches {
		caches[i], ids[i] = m.NewPool().NewCache(), []int32{int32(i)}
	}
	run(steps) // grows the caches beyond what comes
	for _, c := range caches {
		c.Reset()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(steps)
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / steps; n > 4<<10 {
		t.Errorf("%d bytes a step", n)
	}
}

// extended feeds some of the sequences, steps[j][s] tokens to sequence s in step j, and gives the logits after each piece, by
// sequence and token.
func extended(t *testing.T, m *model.Model, ids [][]int32, steps [][]int, which ...int) [][][]float32 {
	t.Helper()
	out, caches := make([][][]float32, len(ids)), make([]*nn.Cache, len(ids))
	for _, s := range which {
		out[s], caches[s] = make([][]float32, len(ids[s])), m.NewPool().NewCache()
	}
	for _, step := range steps {
		var cs []*nn.Cache
		var pieces [][]int32
		var fed []int
		for _, s := range which {
			if at := caches[s].Len(); step[s] > 0 {
				cs, pieces, fed = append(cs, caches[s]), append(pieces, ids[s][at:at+step[s]]), append(fed, s)
			}
		}
		if err := m.Extend(cs, pieces, func(i int, l []float32) {
			s := fed[i]
			out[s][caches[s].Len()-1] = slices.Clone(l)
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range which {
		if caches[s].Len() != len(ids[s]) {
			t.Fatalf("sequence %d: a cache of %d tokens for %d", s, caches[s].Len(), len(ids[s]))
		}
	}
	return out
}

// TestThreads: results do not depend on the number of threads, bit for bit.
func TestThreads(t *testing.T) {
	defer kernels.SetThreads(kernels.Threads())
	var want []float32
	for _, n := range []int{1, 2, 7} {
		kernels.SetThreads(n)
		m := tiny(t, rich)
		params := addSlots(m, 0.1, nil)
		b := batch(m, 100, 3, 64)
		if _, err := m.Train(&b, model.TrainOptions{Scale: 1}); err != nil {
			t.Fatal(err)
		}
		var got []float32
		for _, p := range params {
			got = append(got, p.Grad...)
		}
		if want == nil {
			want = got
		} else if !slices.Equal(got, want) {
			t.Errorf("%d threads: gradients differ from those of one", n)
		}
	}
}

// TestBatch_refused: batches that do not fit the model are errors, and the model works afterwards.
func TestBatch_refused(t *testing.T) {
	m := tiny(t, testkit.TinyLlama{Rope: map[string]any{"rope_type": "dynamic", "factor": 2.0}, Context: 20})
	addSlots(m, 0, nil)
	good := batch(m, 4, 6)
	vocab := int32(m.Spec.Vocab)
	for want, spoil := range map[string]func(b *dataset.Batch){
		"0 tokens":                     func(b *dataset.Batch) { *b = dataset.Batch{Starts: []int32{0}} },
		"tokens with sample bounds":    func(b *dataset.Batch) { b.Starts[2] = 9 },
		"bounds [1 4 10]":              func(b *dataset.Batch) { b.Starts[0] = 1 },
		"sample 0 of a batch has":      func(b *dataset.Batch) { b.Starts = []int32{0, 99, 10} },
		"sample 1 of a batch has":      func(b *dataset.Batch) { b.Starts = []int32{0, 4, 4, 10} },
		fmt.Sprintf("token %d", vocab): func(b *dataset.Batch) { b.IDs[3] = vocab },
		"token -1":                     func(b *dataset.Batch) { b.IDs[3] = -1 },
		fmt.Sprintf("label %d", vocab): func(b *dataset.Batch) { b.Labels[0] = vocab },
		"label -1":                     func(b *dataset.Batch) { b.Labels[0] = -1 },
		"9 labels for 10 tokens":       func(b *dataset.Batch) { b.Labels = b.Labels[1:] },
		"position 20":                  func(b *dataset.Batch) { *b = batch(m, 21) },
	} {
		b := dataset.Batch{IDs: slices.Clone(good.IDs), Labels: slices.Clone(good.Labels), Starts: slices.Clone(good.Starts), Keys: good.Keys}
		spoil(&b)
		if _, err := m.Loss(&b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Loss: error %v, expected one with %q", err, want)
		}
		if _, err := m.Train(&b, model.TrainOptions{Scale: 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Train: error %v, expected one with %q", err, want)
		}
	}
	keyless := good
	keyless.Keys = nil
	if _, err := m.Train(&keyless, model.TrainOptions{Scale: 1}); err == nil || !strings.Contains(err.Error(), "0 sample keys for 2") {
		t.Errorf("error %v", err)
	}
	if _, err := m.Train(&good, model.TrainOptions{Scale: 1}); err != nil {
		t.Error(err)
	}
	no := func(int, []float32) { t.Error("logits in spite of an error") }
	for name, err := range map[string]error{
		"caches":   m.Extend([]*nn.Cache{m.NewPool().NewCache()}, nil, no),
		"nothing":  m.Extend([]*nn.Cache{m.NewPool().NewCache()}, [][]int32{{}}, no),
		"id":       m.Extend([]*nn.Cache{m.NewPool().NewCache()}, [][]int32{{vocab}}, no),
		"context":  m.Extend([]*nn.Cache{m.NewPool().NewCache()}, [][]int32{make([]int32, 21)}, no),
		"position": m.Logits([]int32{1, 2}, []int32{2}, no),
		"empty":    m.Logits(nil, nil, no),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := m.Extend(nil, nil, no); err != nil {
		t.Errorf("no sequences: %v", err)
	}
}

// TestBuild_refused: files that do not fit their configuration are errors that name the tensor.
func TestBuild_refused(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{Seed: 1, Untied: true}.Write(t, dir)
	whole := open(t, dir, "config.json").Spec
	tensors := testkit.Tensors(t, filepath.Join(dir, "model.safetensors"))
	build := func(s model.Spec, leaveOut string) error {
		var list []testkit.Tensor
		for _, name := range slices.Sorted(maps.Keys(tensors)) {
			if name != leaveOut {
				list = append(list, tensors[name])
			}
		}
		path := filepath.Join(t.TempDir(), "x.safetensors")
		testkit.WriteTensors(t, path, list, false)
		f, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, err = model.Build(s, &family.Llama, f, false)
		return err
	}
	if err := build(whole, ""); err != nil {
		t.Fatal(err)
	}
	for name := range tensors {
		if err := build(whole, name); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("without %s: error %v", name, err)
		}
	}
	for want, change := range map[string]func(s *model.Spec){
		`"model.embed_tokens.weight" has shape`:            func(s *model.Spec) { s.Vocab++ },
		`"model.layers.0.self_attn.k_proj.weight" has`:     func(s *model.Spec) { s.KVHeads = 4 },
		`"model.layers.0.mlp.gate_proj.weight" has`:        func(s *model.Spec) { s.FF = 50 },
		`no tensor "model.layers.2.`:                       func(s *model.Spec) { s.Layers = 3 },
		`no tensor "model.layers.0.self_attn.q_proj.bias"`: func(s *model.Spec) { s.AttnBias = true },
		"divisors":    func(s *model.Spec) { s.Rope.Divisors = make([]float32, 3) },
		"hidden_size": func(s *model.Spec) { s.Dim = 0 },
	} {
		s := whole
		change(&s)
		if err := build(s, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
}

// TestModel_layers: names, order and marks of the linear layers.
func TestModel_layers(t *testing.T) {
	for _, tied := range []bool{true, false} {
		m := tiny(t, testkit.TinyLlama{Untied: !tied})
		ls := m.Linears()
		if len(ls) != 15 || ls[0].Name != "model.layers.0.self_attn.q_proj" || ls[13].Name != "model.layers.1.mlp.down_proj" || ls[14].Name != "lm_head" {
			t.Fatalf("%d layers, from %s to %s", len(ls), ls[0].Name, ls[len(ls)-1].Name)
		}
		size := m.Spec.Vocab * 32
		for i, l := range ls {
			if l.Head != (i == 14) || l.Tied != (i == 14 && tied) {
				t.Errorf("%s: head %v, tied %v", l.Name, l.Head, l.Tied)
			}
			if l.Weight().Rows != l.Out() || l.Weight().Cols != l.In() {
				t.Errorf("%s: [%d,%d]", l.Name, l.Out(), l.In())
			}
			if !l.Tied {
				size += l.In() * l.Out()
			}
		}
		if m.Size() != size || m.ModelType() != "llama" || !slices.Equal(m.DefaultTargets("lora"), []string{"q_proj", "v_proj"}) {
			t.Errorf("size %d, expected %d; %s %v", m.Size(), size, m.ModelType(), m.DefaultTargets("lora"))
		}
	}
}

// TestTrain_neftune: noise on the embeddings changes a training pass, differently at every step, and no evaluation.
func TestTrain_neftune(t *testing.T) {
	m := tiny(t, rich)
	addSlots(m, 0, nil)
	b := batch(m, 12, 40)
	clean, err := m.Loss(&b)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[float64]bool{clean.Sum: true}
	for step := range uint64(2) {
		l, err := m.Train(&b, model.TrainOptions{Scale: 1, Step: step, NEFTuneAlpha: 5})
		if err != nil {
			t.Fatal(err)
		}
		if seen[l.Sum] {
			t.Errorf("step %d: loss %v was there before", step, l.Sum)
		}
		seen[l.Sum] = true
	}
	if again, err := m.Loss(&b); err != nil || again.Sum != clean.Sum {
		t.Errorf("an evaluation after training passes: %v (%v), before %v", again.Sum, err, clean.Sum)
	}
}
