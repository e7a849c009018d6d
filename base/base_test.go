package base_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ft/base"
	"ft/internal/testkit"
	"ft/model"
)

// logits are those of the last of some tokens.
func logits(t *testing.T, b *base.Base) []float32 {
	t.Helper()
	var out []float32
	ids := []int32{1, 50, 60, 2, 70}
	if err := b.Model.Logits(ids, []int32{4}, func(_ int, l []float32) { out = slices.Clone(l) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOpen: a directory, whole or in shards, and its GGUF twin are the same base.
func TestOpen(t *testing.T) {
	dir, sharded := tiny(t), t.TempDir()
	testkit.TinyLlama{Seed: 1, Sharded: true}.Write(t, sharded)
	file := twin(t, dir).write(t)
	hf := open(t, dir)
	want := logits(t, hf)
	for path, files := range map[string]string{
		dir: "config.json tokenizer.json model.safetensors tokenizer_config.json chat_template.jinja",
		sharded: "config.json tokenizer.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors " +
			"tokenizer_config.json chat_template.jinja",
		file: "model.gguf",
	} {
		b := open(t, path)
		if !slices.Equal(logits(t, b), want) {
			t.Errorf("%s: other logits", path)
		}
		var names []string
		for _, f := range b.Files {
			if _, err := os.Stat(f); err != nil {
				t.Error(err)
			}
			names = append(names, filepath.Base(f))
		}
		if got := strings.Join(names, " "); got != files {
			t.Errorf("%s: read from %s, want %s", path, got, files)
		}
		if b.Family != families[0] || b.Path != path || (b.GGUF != nil) != (path == file) || b.Source == nil {
			t.Errorf("%s: %+v", path, b)
		}
		if b.Chat.Source != hf.Chat.Source || b.Chat.BOS != "<|im_start|>" || b.Chat.EOS != "<|im_end|>" || !slices.Equal(b.Chat.Stops, []int32{2}) {
			t.Errorf("%s: chat %+v", path, b.Chat)
		}
		text := "What is the colour of the fox?<|im_end|>"
		if got, want := b.Tokenizer.Encode(text, false), hf.Tokenizer.Encode(text, false); !slices.Equal(got, want) {
			t.Errorf("%s: tokens %v, want %v", path, got, want)
		}
	}
}

// TestOpen_path: characters that mean something to a shell are part of a path like others.
func TestOpen_path(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such names")
	}
	dir := filepath.Join(t.TempDir(), "a [b] *?")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	testkit.TinyLlama{}.Write(t, dir)
	if b := open(t, dir); !slices.Contains(b.Files, filepath.Join(dir, "model.safetensors")) {
		t.Errorf("read from %v", b.Files)
	}
}

func TestOpen_dirRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string)
		want   string
	}{
		"no config.json":     {func(t *testing.T, dir string) { put(t, dir, "config.json", nil) }, "config.json: no such file"},
		"half a config.json": {func(t *testing.T, dir string) { put(t, dir, "config.json", `{"model_type": "lla`) }, "config.json: unexpected end"},
		"a list":             {func(t *testing.T, dir string) { put(t, dir, "config.json", "[]") }, "config.json: json: cannot unmarshal array"},
		"null":               {func(t *testing.T, dir string) { put(t, dir, "config.json", "null") }, "config.json: no model_type"},
		"no model_type":      {func(t *testing.T, dir string) { edit(t, dir, "config.json", object{"model_type": nil}) }, "config.json: no model_type"},
		"unknown model_type": {func(t *testing.T, dir string) { edit(t, dir, "config.json", object{"model_type": "mamba"}) },
			`config.json: model_type "mamba" is not supported (have: llama)`},
		"no vocab_size": {func(t *testing.T, dir string) { edit(t, dir, "config.json", object{"vocab_size": nil}) }, "vocab_size is 0"},
		"another width": {func(t *testing.T, dir string) { edit(t, dir, "config.json", object{"hidden_size": 64}) },
			`tensor "model.embed_tokens.weight" has shape [`},
		"another MLP": {func(t *testing.T, dir string) { edit(t, dir, "config.json", object{"intermediate_size": 40}) },
			`tensor "model.layers.0.mlp.gate_proj.weight" has shape [48 32], the model's configuration says [40 32]`},
		"a layer too many": {func(t *testing.T, dir string) { edit(t, dir, "config.json", object{"num_hidden_layers": 3}) }, "model.layers.2."},
		"a head too many":  {func(t *testing.T, dir string) { edit(t, dir, "config.json", object{"tie_word_embeddings": false}) }, "lm_head.weight"},
		"no weights":       {func(t *testing.T, dir string) { put(t, dir, "model.safetensors", nil) }, "model.safetensors"},
		"broken weights":   {func(t *testing.T, dir string) { put(t, dir, "model.safetensors", "12345678{}") }, "model.safetensors"},
		"broken tokenizer": {func(t *testing.T, dir string) { put(t, dir, "tokenizer.json", "{") }, "tokenizer.json"},
		"broken tokenizer_config.json": {func(t *testing.T, dir string) { put(t, dir, "tokenizer_config.json", "{") },
			"tokenizer_config.json: unexpected end"},
		"tokens of another type": {func(t *testing.T, dir string) { edit(t, dir, "tokenizer_config.json", object{"eos_token": 7}) },
			"tokenizer_config.json: json: cannot unmarshal number"},
		"a template that is a number": {func(t *testing.T, dir string) { edit(t, dir, "tokenizer_config.json", object{"chat_template": 7}) },
			"chat_template: expected a string or a list of named templates"},
		"generation_config.json": {func(t *testing.T, dir string) { put(t, dir, "generation_config.json", object{"eos_token_id": "end"}) },
			"generation_config.json: eos_token_id: expected a number or a list of numbers"},
		"half a generation_config.json": {func(t *testing.T, dir string) { put(t, dir, "generation_config.json", "{") },
			"generation_config.json: unexpected end"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tiny(t)
			c.change(t, dir)
			refused(t, dir, c.want)
		})
	}
}

func TestOpen_ggufRefused(t *testing.T) {
	g := twin(t, tiny(t))
	for name, c := range map[string]struct {
		change func(g *ggufFile)
		want   string
	}{
		"no architecture":      {func(g *ggufFile) { g.set("general.architecture", nil) }, "general.architecture"},
		"unknown architecture": {func(g *ggufFile) { g.set("general.architecture", "mamba") }, `architecture "mamba" is not supported (have: llama)`},
		"no width":             {func(g *ggufFile) { g.set("llama.embedding_length", nil) }, "llama.embedding_length"},
		"another width":        {func(g *ggufFile) { g.set("llama.embedding_length", uint32(64)) }, `tensor "token_embd.weight" has shape [`},
		"no embedding":         {func(g *ggufFile) { delete(g.tensors, "token_embd.weight") }, "token_embd.weight"},
		"no norm":              {func(g *ggufFile) { delete(g.tensors, "blk.1.ffn_norm.weight") }, "blk.1.ffn_norm.weight"},
		"one bias of four": {func(g *ggufFile) {
			g.tensors["blk.0.attn_q.bias"] = testkit.Tensor{Shape: []int{32}, Data: make([]float32, 32)}
		},
			"blk.0.attn_k.bias"},
		"one bias of three": {func(g *ggufFile) {
			g.tensors["blk.0.ffn_up.bias"] = testkit.Tensor{Shape: []int{48}, Data: make([]float32, 48)}
		},
			"blk.0.ffn_gate.bias"},
		"rotary divisors": {func(g *ggufFile) {
			g.tensors["rope_freqs.weight"] = testkit.Tensor{Shape: []int{3}, Data: make([]float32, 3)}
		},
			"3 rotary divisors, expected 4"},
		"no tokenizer":                {func(g *ggufFile) { g.set("tokenizer.ggml.model", nil) }, "tokenizer.ggml.model"},
		"a template that is a number": {func(g *ggufFile) { g.set("tokenizer.chat_template", uint32(1)) }, "tokenizer.chat_template"},
		"an end that is text":         {func(g *ggufFile) { g.set("tokenizer.ggml.eot_token_id", "end") }, "tokenizer.ggml.eot_token_id"},
		"a vocabulary too large": {func(g *ggufFile) {
			x := g.tensors["token_embd.weight"]
			x.Shape = []int{x.Shape[0] - 1, 32}
			x.Data = x.Data[:len(x.Data)-32]
			g.tensors["token_embd.weight"] = x
		}, "the model's vocabulary has "},
	} {
		t.Run(name, func(t *testing.T) {
			bad := &ggufFile{keys: slices.Clone(g.keys), tensors: map[string]testkit.Tensor{}}
			for k, v := range g.tensors {
				bad.tensors[k] = v
			}
			c.change(bad)
			refused(t, bad.write(t), c.want)
		})
	}
}

func TestOpen_noBase(t *testing.T) {
	dir := t.TempDir()
	refused(t, filepath.Join(dir, "none"), "no such file or directory (a base is a directory with")
	refused(t, dir, "config.json: no such file")
	put(t, dir, "text.gguf", "not a model at all, whatever its name says")
	refused(t, filepath.Join(dir, "text.gguf"), "text.gguf")
	put(t, dir, "empty.gguf", "")
	refused(t, filepath.Join(dir, "empty.gguf"), "empty.gguf")
}

// TestOpen_vocabulary: an embedding may have more rows than the tokenizer has ids, as padded ones do, and not fewer.
func TestOpen_vocabulary(t *testing.T) {
	dir := tiny(t)
	size := open(t, dir).Tokenizer.Size()
	for _, rows := range []int{size + 13, size, size - 1} {
		var tensors []testkit.Tensor
		for _, x := range testkit.Tensors(t, filepath.Join(dir, "model.safetensors")) {
			if x.Name == "model.embed_tokens.weight" {
				x.Shape, x.Data = []int{rows, 32}, append(slices.Clone(x.Data), make([]float32, 13*32)...)[:rows*32]
			}
			tensors = append(tensors, x)
		}
		other := tiny(t)
		testkit.WriteTensors(t, filepath.Join(other, "model.safetensors"), tensors, false)
		edit(t, other, "config.json", object{"vocab_size": rows})
		if rows < size {
			refused(t, other, `the tokenizer's token "`, "the model's vocabulary has ")
			continue
		}
		b := open(t, other)
		if n := len(logits(t, b)); n != rows {
			t.Errorf("%d rows: %d logits", rows, n)
		}
		if _, err := b.Format(); err != nil {
			t.Error(err)
		}
	}
}

// TestOpen_specialBeyond: a special token without an embedding is no harm as long as conversations do not need it.
func TestOpen_specialBeyond(t *testing.T) {
	dir := tiny(t)
	size := open(t, dir).Tokenizer.Size()
	var file object
	testkit.ReadJSON(t, filepath.Join(dir, "tokenizer.json"), &file)
	edit(t, dir, "tokenizer.json", object{"added_tokens": append(file["added_tokens"].([]any), object{
		"id": size, "content": "<pad>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
	})})
	if _, err := open(t, dir).Format(); err != nil {
		t.Error(err)
	}
	for _, change := range []object{
		{"eos_token": "<pad>", "chat_template": ""}, // plain
		{"eos_token": "<pad>", "chat_template": alpaca},
		{"chat_template": strings.ReplaceAll(chatML, "<|im_end|>", "<pad>")},
		{"chat_template": strings.ReplaceAll(chatML, "<|im_start|>", "<pad>")},
	} {
		put(t, dir, "chat_template.jinja", change["chat_template"])
		edit(t, dir, "tokenizer_config.json", change)
		_, err := open(t, dir).Format()
		if want := `a conversation needs token "<pad>" with id `; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", change, err, want)
		}
	}
}

// TestOpen_noTokenizer: without tokenizer.json a base takes ids alone.
func TestOpen_noTokenizer(t *testing.T) {
	dir := tiny(t)
	want := logits(t, open(t, dir))
	put(t, dir, "tokenizer.json", nil)
	put(t, dir, "generation_config.json", object{"eos_token_id": []int{2, 7, -1, 100000}})
	b := open(t, dir)
	if b.Tokenizer != nil || !slices.Equal(b.Chat.Stops, []int32{2, 7}) || !slices.Equal(logits(t, b), want) {
		t.Errorf("%+v", b)
	}
	if _, err := b.Format(); err == nil || !strings.Contains(err.Error(), dir+": no tokenizer.json") {
		t.Errorf("error %v", err)
	}
}

// TestClose: a base is closed once, and a base without anything open can be closed.
func TestClose(t *testing.T) {
	b, err := base.Open(tiny(t), []*model.Family{families[0]})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.Source.Tensor("model.norm.weight"); err == nil {
		t.Error("the weights can be read after Close")
	}
	if err := (&base.Base{}).Close(); err != nil {
		t.Error(err)
	}
}
