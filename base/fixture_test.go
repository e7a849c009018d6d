package base_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/base"
	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/model"
	"ft/model/family"
	"ft/tokenizer"
	"ft/weights/gguf"
)

var families = []*model.Family{&family.Llama}

// object is a JSON file's content.
type object = map[string]any

// tiny writes a small llama: config.json, weights, tokenizer and ChatML template.
func tiny(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	testkit.TinyLlama{Seed: 1}.Write(t, dir)
	return dir
}

// put writes a file: text as it is, anything else as JSON; nil takes the file away.
func put(t *testing.T, dir, name string, content any) {
	t.Helper()
	path := filepath.Join(dir, name)
	if content == nil {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, ok := content.(string)
	if !ok {
		b, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// edit changes a JSON file's top fields; nil takes one out.
func edit(t *testing.T, dir, name string, change object) {
	t.Helper()
	var m object
	testkit.ReadJSON(t, filepath.Join(dir, name), &m)
	for k, v := range change {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	put(t, dir, name, m)
}

// firstFree is the id of the byte 0xf8, which no UTF-8 text has: it and the seven after it can become other tokens.
const firstFree = 3 + 0xf8

// addTokens gives a directory's tokenizer further tokens in place of such bytes, and returns their ids.
func addTokens(t *testing.T, dir string, special bool, texts ...string) map[string]int32 {
	t.Helper()
	var file object
	testkit.ReadJSON(t, filepath.Join(dir, "tokenizer.json"), &file)
	vocab := file["model"].(object)["vocab"].(object)
	ids := map[string]int32{}
	for i, text := range texts {
		id := float64(firstFree + i)
		for s, v := range vocab {
			if v == id {
				delete(vocab, s)
			}
		}
		vocab[text] = id
		ids[text] = int32(id)
		file["added_tokens"] = append(file["added_tokens"].([]any), object{
			"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": special,
		})
	}
	put(t, dir, "tokenizer.json", file)
	return ids
}

// open opens a base that must be fine, and closes it when the test ends.
func open(t *testing.T, path string) *base.Base {
	t.Helper()
	b, err := base.Open(path, families)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// refused opens a base that must be refused: the error names the base and says what is wanted.
func refused(t *testing.T, path string, want ...string) {
	t.Helper()
	b, err := base.Open(path, families)
	if err == nil {
		b.Close()
		t.Errorf("opened, want an error with %q", want)
		return
	}
	for _, w := range append(want, "base: "+path) {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q, want %q in it", err, w)
		}
	}
}

// ggufFile is a GGUF file in the making.
type ggufFile struct {
	keys    []gguf.KV
	tensors map[string]testkit.Tensor
}

// set gives a key another value; nil takes it out.
func (g *ggufFile) set(key string, value any) {
	g.keys = slices.DeleteFunc(g.keys, func(kv gguf.KV) bool { return kv.Key == key })
	if value != nil {
		g.keys = append(g.keys, gguf.KV{Key: key, Value: value})
	}
}

// twin is the model in a Hugging Face directory as GGUF has it, and the ids of its tokens.
func twin(t *testing.T, dir string) *ggufFile {
	t.Helper()
	b := open(t, dir)
	spec := b.Model.Spec
	g := &ggufFile{keys: []gguf.KV{{Key: "general.architecture", Value: "llama"}}, tensors: map[string]testkit.Tensor{}}
	arch, err := family.Llama.ToGGUF(&spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range arch {
		g.keys = append(g.keys, gguf.KV(kv))
	}
	tok, err := b.Tokenizer.ToGGUF(tokenizer.GGUFOptions{Rows: spec.Vocab, BOS: spec.BOS, EOS: spec.EOS[0], Unknown: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range tok {
		g.keys = append(g.keys, gguf.KV(kv))
	}
	if b.Chat.Source != "" {
		g.set("tokenizer.chat_template", b.Chat.Source)
	}
	for hf, x := range testkit.Tensors(t, filepath.Join(dir, "model.safetensors")) {
		name, ok := family.Llama.GGUFName(hf)
		if !ok {
			t.Fatalf("no name for %s", hf)
		}
		if family.Llama.IsInterleaved(hf) {
			x.Data = permuted(x.Data, model.RotaryRows(x.Shape[0], spec.HeadDim))
		}
		x.Name = name
		g.tensors[name] = x
	}
	return g
}

// permuted puts row r where rows[r] says.
func permuted(v []float32, rows []int32) []float32 {
	out, cols := make([]float32, len(v)), len(v)/len(rows)
	for r, to := range rows {
		copy(out[int(to)*cols:], v[r*cols:(r+1)*cols])
	}
	return out
}

// write writes the file and returns its path.
func (g *ggufFile) write(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	var infos []gguf.Info
	names := slices.Sorted(maps.Keys(g.tensors))
	for _, name := range names {
		infos = append(infos, gguf.Info{Name: name, Type: quant.F32, Shape: g.tensors[name].Shape})
	}
	w, err := gguf.NewWriter(path, g.keys, infos)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, name := range names {
		if err := w.Next(name); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteFloats(g.tensors[name].Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
