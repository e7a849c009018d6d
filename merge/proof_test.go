package merge_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/base"
	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/merge"
	"ft/peft"
	"ft/vera"
)

// raw is the bytes of a tensor.
func raw(t testing.TB, b *base.Base, name string) []byte {
	t.Helper()
	x, err := b.Source.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(x.Data)
}

// replace puts other bytes in the place of old ones, which must be in the file once.
func replace(t testing.TB, path string, old, other []byte) {
	t.Helper()
	data := []byte(read(t, path))
	if n := bytes.Count(data, old); n != 1 || len(old) != len(other) {
		t.Fatalf("%d bytes are %d times in %s", len(old), n, path)
	}
	write(t, path, string(bytes.Replace(data, old, other, 1)))
}

// unproven asks that the proof fails with these words.
func unproven(t *testing.T, o merge.Options, words string) {
	t.Helper()
	_, err := merge.Prove(t.Context(), o, families, prompts)
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v, want one with %q", err, words)
	}
	entries, _ := os.ReadDir(filepath.Dir(o.Out))
	if len(entries) != 1 {
		t.Errorf("%d entries beside the result: the proof left some", len(entries)-1)
	}
}

// TestProve_tampered changes a proven file and asks that the proof finds it.
func TestProve_tampered(t *testing.T) {
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1, Untied: true}))
	a := adapt(t, b)
	const layer = "model.layers.1.self_attn.o_proj.weight"
	for _, c := range []struct {
		name, out string
		typ       quant.Type
		words     string
		change    func(t *testing.T, path string)
	}{
		{"a bit", "m.gguf", quant.F32, "blk.1.attn_output.weight in the file is not the exact value rounded to F32", func(t *testing.T, path string) {
			old := merged(t, path, "blk.1.attn_output.weight")
			other := bytes.Clone(old)
			other[100] ^= 1 // the lowest bit of a value
			replace(t, path, old, other)
		}},
		{"a bit of a norm", "m.gguf", quant.BF16, "output_norm.weight in the file is not", func(t *testing.T, path string) {
			old := merged(t, path, "output_norm.weight")
			other := bytes.Clone(old)
			other[5] ^= 1
			replace(t, path, old, other)
		}},
		{"the base's tensor", "m.gguf", quant.F32, "1 of 14 targeted tensors are as in the base (the first is blk.1.attn_output.weight)", func(t *testing.T, path string) {
			replace(t, path, merged(t, path, "blk.1.attn_output.weight"), raw(t, b, layer))
		}},
		{"the base's tensor in a directory", "m", quant.F32, "(the first is " + layer + ")", func(t *testing.T, path string) {
			replace(t, filepath.Join(path, "model.safetensors"), merged(t, path, layer), raw(t, b, layer))
		}},
		{"the template", "m", quant.F32, "the chat template in the file", func(t *testing.T, path string) {
			write(t, filepath.Join(path, "chat_template.jinja"), "{{ messages[0].content }}")
		}},
		{"a merge of the tokenizer", "m", quant.F32, "the tokenizer in the file makes other tokens of prompt 1", func(t *testing.T, path string) {
			edit(t, filepath.Join(path, "tokenizer.json"), func(c map[string]any) { c["model"].(map[string]any)["merges"] = []any{} })
		}},
		{"the rotation", "m", quant.F32, "logits differ by up to", func(t *testing.T, path string) {
			edit(t, filepath.Join(path, "config.json"), func(c map[string]any) { c["rope_theta"] = 100 })
		}},
		{"the number type", "m", quant.BF16, "not the exact value rounded to BF16", func(t *testing.T, path string) {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := merge.Write(t.Context(), merge.Options{Base: b, Adapter: a, Out: path, Type: quant.F16}); err != nil {
				t.Fatal(err)
			}
		}},
		{"all of it", "m.gguf", quant.F32, "reading the result back", func(t *testing.T, path string) { write(t, path, "GGUF") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), c.out), Type: c.typ}
			if err := merge.Write(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			text := b.Tokenizer.Encode("What is the colour of the fox?", false)
			if _, err := merge.Prove(t.Context(), o, families, [][]int32{text}); err != nil {
				t.Fatal(err)
			}
			c.change(t, o.Out)
			defer func(old [][]int32) { prompts = old }(prompts)
			prompts = [][]int32{text}
			unproven(t, o, c.words)
		})
	}
}

// merged is the bytes of a tensor of a result, which is closed again.
func merged(t testing.TB, path, name string) []byte {
	t.Helper()
	b, err := base.Open(path, families)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	return raw(t, b, name)
}

// TestProve_noChange: an adapter that changes nothing, or less than the output's type can tell, is no merge.
func TestProve_noChange(t *testing.T) {
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1, BF16: true}))
	a := adapt(t, b, "q_proj", "up_proj")
	for name, c := range map[string]struct {
		scale float32
		typ   quant.Type
		words string
	}{
		"zero B":        {0, quant.F32, "1 of 4 targeted tensors are as in the base (the first is blk.0.attn_q.weight): the adapter is zero there"},
		"tiny B":        {1e-7, quant.BF16, "or too small for BF16, which a finer --type mends"},
		"tiny B in F32": {1e-4, quant.F32, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := a.Params()[1] // B of the first target
			old := append([]float32(nil), p.Data...)
			defer copy(p.Data, old)
			for i := range p.Data {
				p.Data[i] *= c.scale
			}
			o := merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), "m.gguf"), Type: c.typ}
			if err := merge.Write(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if c.words != "" {
				unproven(t, o, c.words)
			} else if _, err := merge.Prove(t.Context(), o, families, prompts); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestProve_otherTargets: a target that no tensor of the file belongs to is an error.
func TestProve_otherTargets(t *testing.T) {
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1}))
	o := merge.Options{Base: b, Adapter: more{adapt(t, b)}, Out: filepath.Join(t.TempDir(), "m"), Type: quant.F32}
	if err := merge.Write(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	unproven(t, o, "the adapter changes 15 modules, the file has 14 of them")
}

// more is an adapter that claims one target more than it has.
type more struct{ peft.Adapter }

func (m more) Targets() []string { return append(m.Adapter.Targets(), "model.layers.9.mlp.up_proj") }

// TestProve_bound: where the base has the output's type already, rounding it changes nothing; the bound comes from
// shaken copies. It must let an honest merge pass and be of the order of what rounding does.
func TestProve_bound(t *testing.T) {
	dir := tinyDir(t, testkit.TinyLlama{Seed: 6, BF16: true})
	float := open(t, plain(t, dir, filepath.Join(t.TempDir(), "f32"), quant.F32)) // the same values
	for seed, b := range map[string]*base.Base{"BF16": open(t, dir), "F32": float} {
		a := adapt(t, b)
		o := merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), "m.gguf"), Type: quant.BF16}
		if err := merge.Write(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		p, err := merge.Prove(t.Context(), o, families, prompts)
		if err != nil {
			t.Fatal(err)
		}
		if p.MaxDiff == 0 || p.Bound < p.MaxDiff || p.Bound > 20*p.MaxDiff {
			t.Errorf("%s base: difference %g, bound %g", seed, p.MaxDiff, p.Bound)
		}
	}
}

// TestWrite_text: tokenizer, template, stops and configuration of the result are those that training used.
func TestWrite_text(t *testing.T) {
	dir := tinyDir(t, testkit.TinyLlama{Seed: 1})
	edit(t, filepath.Join(dir, "tokenizer_config.json"), func(c map[string]any) {
		c["chat_template"], c["eos_token"] = "stale", "<|endoftext|>"
	})
	edit(t, filepath.Join(dir, "config.json"), func(c map[string]any) { c["dtype"], c["note"] = "float32", "1 < 2" })
	write(t, filepath.Join(dir, "generation_config.json"), `{"eos_token_id": [2, 5], "temperature": 0.7}`)
	write(t, filepath.Join(dir, "special_tokens_map.json"), `{"pad_token": "<|endoftext|>"}`)
	gguf := plain(t, dir, filepath.Join(t.TempDir(), "base.gguf"), quant.F32)
	const text = "What is the colour of the fox? <|im_start|>naïve 高血压\n\t🦊 x1"
	for _, from := range []string{dir, gguf} {
		for _, template := range []string{"{{ bos_token }}{{ messages[0].content }}{{ eos_token }}", ""} {
			b := open(t, from)
			b.UseTemplate(template)
			for _, to := range []string{"m.gguf", "m"} {
				out := filepath.Join(t.TempDir(), to)
				if err := merge.Write(t.Context(), merge.Options{Base: b, Out: out, Type: quant.BF16}); err != nil {
					t.Fatal(err)
				}
				sameText(t, b, open(t, out), text)
				if to == "m" {
					checkFiles(t, out, from == dir, template)
				}
			}
		}
	}
}

// sameText compares how two bases read and lay out text, and where answers end.
func sameText(t *testing.T, b, out *base.Base, text string) {
	t.Helper()
	if out.Chat.Source != b.Chat.Source || out.Chat.BOS != b.Chat.BOS || out.Chat.EOS != b.Chat.EOS {
		t.Errorf("chat is %+v, want %+v", out.Chat, b.Chat)
	}
	stops := map[int32]bool{}
	for _, id := range out.Chat.Stops {
		stops[id] = true
	}
	if len(b.Chat.Stops) != 3 {
		t.Errorf("the base stops at %v", b.Chat.Stops)
	}
	for _, id := range b.Chat.Stops {
		if len(stops) != 3 || !stops[id] {
			t.Errorf("stops are %v, want %v", out.Chat.Stops, b.Chat.Stops)
		}
	}
	for _, special := range []bool{false, true} {
		got, want := out.Tokenizer.Encode(text, special), b.Tokenizer.Encode(text, special)
		testkit.Near(t, "tokens", floats(got), floats(want), 0, 0)
	}
	if got := out.Tokenizer.Decode(out.Tokenizer.Encode(text, false), false); got != text {
		t.Errorf("decoded %q", got)
	}
}

func floats(ids []int32) (out []float64) {
	for _, id := range ids {
		out = append(out, float64(id))
	}
	return out
}

func checkFiles(t *testing.T, dir string, own bool, template string) {
	t.Helper()
	var config, generation, tok map[string]any
	testkit.ReadJSON(t, filepath.Join(dir, "config.json"), &config)
	testkit.ReadJSON(t, filepath.Join(dir, "generation_config.json"), &generation)
	testkit.ReadJSON(t, filepath.Join(dir, "tokenizer_config.json"), &tok)
	if config["torch_dtype"] != "bfloat16" || own && (config["dtype"] != "bfloat16" || config["note"] != "1 < 2") || config["model_type"] != "llama" {
		t.Errorf("config.json: %v", config)
	}
	if own && (generation["temperature"] != 0.7 || read(t, filepath.Join(dir, "special_tokens_map.json")) == "") {
		t.Errorf("generation_config.json: %v", generation)
	}
	if tok["chat_template"] != nil || tok["eos_token"] != "<|endoftext|>" {
		t.Errorf("tokenizer_config.json: %v", tok)
	}
	if strings.Contains(read(t, filepath.Join(dir, "tokenizer_config.json")), `\u003c`) {
		t.Error("tokenizer_config.json has escapes that nobody needs")
	}
	_, err := os.Stat(filepath.Join(dir, "chat_template.jinja"))
	if (err == nil) != (template != "") {
		t.Errorf("chat_template.jinja: %v", err)
	}
}

// TestWrite_noTokenizer: a directory without tokenizer.json becomes one, but no GGUF file.
func TestWrite_noTokenizer(t *testing.T) {
	dir := tinyDir(t, testkit.TinyLlama{Seed: 1})
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, dir)
	a := adapt(t, b)
	refused(t, merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), "m.gguf"), Type: quant.F32}, "no tokenizer.json")
	check(t, merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), "m"), Type: quant.F32}, logits(t, b.Model), 14)
}

// TestWrite_deterministic: the same merge gives the same bytes.
func TestWrite_deterministic(t *testing.T) {
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1}))
	a := adapt(t, b)
	for _, name := range []string{"m.gguf", "m"} {
		var first string
		for range 2 {
			out := filepath.Join(t.TempDir(), name)
			if err := merge.Write(t.Context(), merge.Options{Base: b, Adapter: a, Out: out, Type: quant.BF16}); err != nil {
				t.Fatal(err)
			}
			if name == "m" {
				out = filepath.Join(out, "model.safetensors")
			}
			data := read(t, out)
			if first != "" && data != first {
				t.Errorf("%s: other bytes the second time", name)
			}
			first = data
		}
	}
}

// TestProve_biases: an adapter that changes weights and biases, together or one of them alone in a module.
func TestProve_biases(t *testing.T) {
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1, Bias: true}))
	c := vera.Default()
	c.Rank, c.Bias, c.Targets = 8, "all", peft.Names{List: []string{"q_proj", "down_proj"}}
	a, err := vera.Method{Config: c}.Attach(b.Model)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range a.Params() {
		for i := range p.Data {
			p.Data[i] += 0.1
		}
	}
	for _, name := range []string{"m", "m.gguf"} {
		o := merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), name), Type: quant.F32}
		if err := merge.Write(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		p, err := merge.Prove(t.Context(), o, families, prompts)
		if err != nil || p.Targets != 4+14 || p.Changed != p.Targets {
			t.Errorf("%s: %v, proof %+v, want 18 tensors", name, err, p)
		}
	}
}
