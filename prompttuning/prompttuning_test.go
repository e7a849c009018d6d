package prompttuning_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/model"
	"ft/peft"
	"ft/peft/pefttest"
	"ft/prompttuning"
)

// encode is a tokenizer for tests: a token a byte.
func encode(text string) (ids []int32) {
	for _, b := range []byte(text) {
		ids = append(ids, int32(b)%40)
	}
	return ids
}

// kinds cover what the configs can say.
var kinds = map[string]prompttuning.Config{
	"prompt from the vocabulary": prompttuning.DefaultPrompt(),
	"random prompt":              prompttuning.Prompt{Tokens: 1, Init: "random"},
	"prompt from a text":         prompttuning.Prompt{Tokens: 40, Init: "text", Text: "Answer in one word."},
	"prefix":                     prompttuning.DefaultPrefix(),
	"long prefix":                prompttuning.Prefix{Tokens: 70},
	"prefix with projection":     prompttuning.Prefix{Tokens: 3, Projection: true, Hidden: 9},
	"p-tuning":                   prompttuning.PTuning{Tokens: 4, Encoder: "mlp", Hidden: 12, Layers: 2},
	"p-tuning with an LSTM":      prompttuning.PTuning{Tokens: 6, Encoder: "lstm", Hidden: 10, Layers: 2},
	"p-tuning with one layer":    prompttuning.PTuning{Tokens: 3, Encoder: "lstm", Layers: 1},
}

func TestMethod(t *testing.T) {
	for name, c := range kinds {
		t.Run(name, func(t *testing.T) {
			pefttest.Run(t, pefttest.Subject{Method: prompttuning.Method{Config: c, Seed: 1, Encode: encode}, Load: prompttuning.Load, Soft: true})
		})
	}
}

func tiny(t *testing.T) *model.Model {
	t.Helper()
	dir := t.TempDir()
	testkit.TinyLlama{Context: 64}.Write(t, dir)
	return pefttest.Open(t, dir)
}

func attach(t *testing.T, m *model.Model, c prompttuning.Config, seed uint64) peft.Adapter {
	t.Helper()
	a, err := prompttuning.Method{Config: c, Seed: seed, Encode: encode}.Attach(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A text's tokens are repeated or cut to the prompt's, as PEFT does.
func TestAttach_text(t *testing.T) {
	for _, n := range []int{2, 3, 8} {
		m := tiny(t)
		got := attach(t, m, prompttuning.Prompt{Tokens: n, Init: "text", Text: "abc"}, 1).Params()[0]
		dim := got.Shape[1]
		want, ids := make([]float32, dim), encode("abc")
		for i := range n {
			m.Stack().Embed.Table().Row(want, int(ids[i%3]))
			if !slices.Equal(got.Data[i*dim:(i+1)*dim], want) {
				t.Errorf("%d tokens: row %d is not the embedding of %q", n, i, "abc"[i%3])
			}
		}
	}
}

// A prompt from the vocabulary has rows of the embedding, which depend on the seed.
func TestAttach_vocab(t *testing.T) {
	m := tiny(t)
	table, dim := m.Stack().Embed.Table(), m.Spec.Dim
	rows := func(seed uint64) (ids []int) {
		p := attach(t, m, prompttuning.DefaultPrompt(), seed).Params()[0]
		row := make([]float32, dim)
		for i := range p.Shape[0] {
			for id := range table.Rows {
				if table.Row(row, id); slices.Equal(row, p.Data[i*dim:(i+1)*dim]) {
					ids = append(ids, id)
					break
				}
			}
		}
		return ids
	}
	one, two := rows(1), rows(2)
	if len(one) != 20 || len(two) != 20 || slices.Equal(one, two) || slices.Max(one) == slices.Min(one) {
		t.Errorf("rows %v, with another seed %v", one, two)
	}
}

// The random start has PyTorch's distributions.
func TestAttach_random(t *testing.T) {
	moments := func(x []float32) (mean, deviation, most float64) {
		var sum, squares float64
		for _, v := range x {
			sum, squares, most = sum+float64(v), squares+float64(v)*float64(v), max(most, math.Abs(float64(v)))
		}
		n := float64(len(x))
		return sum / n, math.Sqrt(squares / n), most
	}
	p := attach(t, tiny(t), prompttuning.Prompt{Tokens: 60, Init: "random"}, 1).Params()[0]
	if mean, dev, most := moments(p.Data); math.Abs(mean) > 0.1 || math.Abs(dev-1) > 0.05 || most > 6 {
		t.Errorf("mean %g, deviation %g, largest %g for N(0,1)", mean, dev, most)
	}
	for _, p := range attach(t, tiny(t), prompttuning.PTuning{Tokens: 9, Encoder: "lstm", Hidden: 64, Layers: 2}, 1).Params() {
		bound := 1 / math.Sqrt(64)
		switch {
		case strings.HasSuffix(p.Name, "embedding.weight"):
			continue
		case strings.Contains(p.Name, "mlp_head"):
			bound = 1 / math.Sqrt(128)
		}
		if mean, dev, most := moments(p.Data); most > bound || most < 0.9*bound || math.Abs(mean) > 0.3*bound || math.Abs(dev/bound*math.Sqrt(3)-1) > 0.3 {
			t.Errorf("%v: mean %g, deviation %g, largest %g for U(±%g)", p, mean, dev, most, bound)
		}
	}
}

func TestAttach_refuses(t *testing.T) {
	for name, c := range map[string]struct {
		method prompttuning.Method
		want   string
	}{
		"no tokens":       {prompttuning.Method{Config: prompttuning.Prompt{Init: "vocab"}}, "tokens: must be from 1"},
		"beyond context":  {prompttuning.Method{Config: prompttuning.Prefix{Tokens: 64}}, "tokens: the prompt of 64 virtual tokens is longer than the context: the model has 64 positions"},
		"no tokenizer":    {prompttuning.Method{Config: prompttuning.Prompt{Tokens: 2, Init: "text", Text: "a"}}, "init: text needs the base's tokenizer"},
		"empty text":      {prompttuning.Method{Config: prompttuning.Prompt{Tokens: 2, Init: "text"}}, "text: is missing"},
		"foreign token":   {prompttuning.Method{Config: prompttuning.Prompt{Tokens: 2, Init: "text", Text: "a"}, Encode: func(string) []int32 { return []int32{1 << 20} }}, "no row"},
		"text of nothing": {prompttuning.Method{Config: prompttuning.Prompt{Tokens: 2, Init: "text", Text: "a"}, Encode: func(string) []int32 { return nil }}, "has no tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			m := tiny(t)
			_, err := c.method.Attach(m)
			if err == nil || !strings.HasPrefix(err.Error(), "prompttuning: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if m.Virtual() != 0 {
				t.Error("something was left on the base")
			}
		})
	}
}

func TestConfig_Validate(t *testing.T) {
	for _, c := range []struct {
		config prompttuning.Config
		want   []string
	}{
		{prompttuning.DefaultPrompt(), nil},
		{prompttuning.DefaultPrefix(), nil},
		{prompttuning.DefaultPTuning(), nil},
		{prompttuning.Prompt{Tokens: 0, Init: "words", Text: "a"}, []string{"tokens: must be from 1 to", `init: unknown value "words" (have: vocab, text, random)`, "text: has no effect with init: words"}},
		{prompttuning.Prefix{Tokens: -1, Hidden: 5}, []string{"tokens: must be", "hidden: has no effect without projection: true"}},
		{prompttuning.PTuning{Tokens: 1, Encoder: "gru", Hidden: -1, Layers: 17}, []string{`encoder: unknown value "gru"`, "hidden: must be", "layers: must be"}},
		{prompttuning.PTuning{Tokens: 1, Encoder: "mlp", Layers: 3}, []string{"layers: has no effect with encoder: mlp"}},
	} {
		err := c.config.Validate()
		if (err == nil) != (c.want == nil) {
			t.Errorf("%+v: %v", c.config, err)
		}
		for _, w := range c.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%+v: error %v, want one with %q", c.config, err, w)
			}
		}
	}
}

// Callers count text tokens: batches, losses and positions of logits do not see the virtual ones.
func TestVirtual_counts(t *testing.T) {
	m := tiny(t)
	attach(t, m, prompttuning.DefaultPrompt(), 1)
	if m.Virtual() != 20 || m.Room() != 44 {
		t.Errorf("%d virtual positions, room for %d", m.Virtual(), m.Room())
	}
	bare := tiny(t)
	if with, without := m.StateBytes(30), bare.StateBytes(50); with != without {
		t.Errorf("30 tokens behind 20 virtual ones keep %d bytes, 50 tokens keep %d", with, without)
	}
	n := 0
	if err := m.Logits([]int32{1, 2, 3}, []int32{0, 2}, func(int, []float32) { n++ }); err != nil || n != 2 {
		t.Errorf("%d positions, %v", n, err)
	}
	if err := m.Logits([]int32{1, 2, 3}, []int32{3}, nil); err == nil {
		t.Error("a position behind the text is no error")
	}
}
