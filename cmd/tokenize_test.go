package cmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/tokenizer"
	"ft/weights/gguf"
)

// A model's directory, its tokenizer.json and a GGUF file with the vocabulary are three ways to the same tokenizer.
func TestOpenTokenizer(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{}.Write(t, dir)
	json := filepath.Join(dir, "tokenizer.json")
	first, err := tokenizer.Load(json)
	if err != nil {
		t.Fatal(err)
	}
	vocab := filepath.Join(dir, "vocab.gguf")
	writeVocabulary(t, vocab, first)
	const text = "What is the colour of the fox?<|im_end|>\n"
	want := first.Encode(text, true)
	for _, path := range []string{dir, json, vocab} {
		k, err := openTokenizer(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := k.Encode(text, true); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	broken := filepath.Join(dir, "broken.gguf")
	if err := os.WriteFile(broken, []byte("GGUF\x03\x00"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{broken, filepath.Join(dir, "config.json"), t.TempDir()} {
		if _, err := openTokenizer(path); err == nil || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s: error %v does not name it", path, err)
		}
	}
}

// writeVocabulary writes a GGUF file that holds nothing but a tokenizer.
func writeVocabulary(t *testing.T, path string, k *tokenizer.Tokenizer) {
	t.Helper()
	keys, err := k.ToGGUF(tokenizer.GGUFOptions{BOS: tokenizer.NoID, EOS: 2, Unknown: tokenizer.NoID, Pad: 0})
	if err != nil {
		t.Fatal(err)
	}
	var metadata []gguf.KV
	for _, kv := range keys {
		metadata = append(metadata, gguf.KV(kv))
	}
	w, err := gguf.NewWriter(path, metadata, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
