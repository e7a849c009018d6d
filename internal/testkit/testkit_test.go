package testkit

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestGradient(t *testing.T) {
	x := []float64{0.5, -1, 2}
	f := func() float64 { return x[0]*x[0]*x[1] + math.Sin(x[2]) }
	want := []float64{2 * x[0] * x[1], x[0] * x[0], math.Cos(x[2])}
	Near(t, "gradient", Gradient(f, x, 1e-5), want, 1e-9, 0)
	Near(t, "chosen places", Gradient(f, x, 1e-5, 2, 0), []float64{want[2], want[0]}, 1e-9, 0)
	if !slices.Equal(x, []float64{0.5, -1, 2}) {
		t.Errorf("x was changed to %v", x)
	}
}

// failures is a test that only counts its errors.
type failures struct {
	testing.TB
	n int
}

func (f *failures) Helper()               {}
func (f *failures) Errorf(string, ...any) { f.n++ }

func TestNear(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name      string
		got, want []float32
		rel, abs  float64
		fails     bool
	}{
		{"equal", []float32{1, 2}, []float32{1, 2}, 0, 0, false},
		{"both empty", nil, nil, 0, 0, false},
		{"within rel", []float32{1, 10.5}, []float32{1.4, 10}, 0.05, 0, false},
		{"beyond rel", []float32{1, 10.6}, []float32{1, 10}, 0.05, 0, true},
		{"within abs", []float32{0.5}, []float32{0}, 0, 0.5, false},
		{"lengths", []float32{1}, []float32{1, 1}, 1, 1e30, true},
		{"got is NaN", []float32{nan}, []float32{1}, 1, 1e30, true},
		{"want is NaN", []float32{1}, []float32{nan}, 1, 1e30, true},
		{"both NaN", []float32{nan}, []float32{nan}, 1, 1e30, true},
	} {
		f := &failures{TB: t}
		Near(f, c.name, c.got, c.want, c.rel, c.abs)
		if (f.n > 0) != c.fails {
			t.Errorf("%s: failed %v, expected %v", c.name, f.n > 0, c.fails)
		}
	}
}

func TestTinyLlama(t *testing.T) {
	one, two, again := t.TempDir(), t.TempDir(), t.TempDir()
	TinyLlama{Seed: 1}.Write(t, one)
	TinyLlama{Seed: 1, Sharded: true}.Write(t, two)
	TinyLlama{Seed: 1}.Write(t, again)
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} {
		a, err := os.ReadFile(filepath.Join(one, name))
		b, err2 := os.ReadFile(filepath.Join(again, name))
		if err != nil || err2 != nil || !slices.Equal(a, b) {
			t.Errorf("%s: two runs differ (%v, %v)", name, err, err2)
		}
	}
	plain := Tensors(t, filepath.Join(one, "model.safetensors"))
	shards := 0
	for i := range 2 {
		for name, x := range Tensors(t, filepath.Join(two, fmt.Sprintf("model-%05d-of-00002.safetensors", i+1))) {
			shards++
			Near(t, name, x.Data, plain[name].Data, 0, 0)
		}
	}
	if shards != len(plain) {
		t.Errorf("%d tensors, %d in shards", len(plain), shards)
	}
	var c struct {
		Vocab int  `json:"vocab_size"`
		Tied  bool `json:"tie_word_embeddings"`
	}
	ReadJSON(t, filepath.Join(one, "config.json"), &c)
	if e := plain["model.embed_tokens.weight"]; !c.Tied || len(e.Data) != c.Vocab*32 {
		t.Errorf("config %+v, embedding of %v", c, e.Shape)
	}
	if _, ok := plain["lm_head.weight"]; ok {
		t.Error("a tied model has a head of its own")
	}
}

func TestTokenizer_vocabulary(t *testing.T) {
	k := newTokenizer()
	ids := make([]bool, len(k.vocab))
	for s, id := range k.vocab {
		if id < 0 || id >= len(ids) || ids[id] {
			t.Fatalf("token %q has id %d, out of range or used twice", s, id)
		}
		ids[id] = true
	}
	for _, m := range k.merges {
		for _, s := range []string{m[0], m[1], m[0] + m[1]} {
			if _, ok := k.vocab[s]; !ok {
				t.Errorf("merge %q: %q is no token", m, s)
			}
		}
	}
	// GPT-2's table: the space is Ġ, the newline Ċ, the soft hyphen Ń, letters are themselves.
	for b, want := range map[byte]rune{' ': 'Ġ', '\n': 'Ċ', 0xad: 'Ń', 'a': 'a', 0: 'Ā', 0xff: 'ÿ'} {
		if got := byteRune(b); got != want {
			t.Errorf("byte %#x is %q, expected %q", b, got, want)
		}
	}
}

func TestFacts(t *testing.T) {
	facts := Facts()
	ids, answers := map[string]bool{}, map[string]int{}
	for _, f := range facts {
		ids[f.ID] = true
		answers[f.Answer]++
	}
	if len(facts) != 60 || len(ids) != 60 {
		t.Errorf("%d facts with %d ids", len(facts), len(ids))
	}
	for a, n := range answers {
		if n != 2 {
			t.Errorf("answer %q is given %d times, not twice", a, n)
		}
	}
}

func TestTensors_roundTrip(t *testing.T) {
	in := []Tensor{{"a", []int{2, 2}, []float32{1, -2.5, 3e-40, 65504}}, {"b", []int{1}, []float32{1 + 1.0/256 + 1.0/1024}}, {"c", []int{0}, nil}}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	WriteTensors(t, path, in, false)
	got := Tensors(t, path)
	for _, x := range in {
		if y := got[x.Name]; !slices.Equal(x.Shape, y.Shape) || !slices.Equal(x.Data, y.Data) {
			t.Errorf("%v became %v", x, y)
		}
	}
	WriteTensors(t, path, in[1:2], true)
	if got := Tensors(t, path)["b"].Data; !slices.Equal(got, []float32{1 + 1.0/128}) {
		t.Errorf("as bfloat16: %v", got)
	}
}
