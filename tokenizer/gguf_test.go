package tokenizer_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/tokenizer"
	"ft/weights/gguf"
)

// keys is a GGUF file's metadata in memory.
type keys map[string]any

func (k keys) Has(key string) bool { _, ok := k[key]; return ok }

func (k keys) Value(key string) (any, error) { return k[key], nil }

func asKeys(list []tokenizer.KV) keys {
	k := keys{}
	for _, kv := range list {
		k[kv.Key] = kv.Value
	}
	return k
}

func openGGUF(t *testing.T, path string) *tokenizer.Tokenizer {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tok, err := tokenizer.FromGGUF(f)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestLlamaCppVectors encodes llama.cpp's own test texts with each vocabulary it ships and compares the ids;
// then it writes the vocabulary as tokenizer.json and reads it back.
func TestLlamaCppVectors(t *testing.T) {
	testkit.Conformance(t, "tokenizers/gguf_vocab", func(t *testing.T, dir string) {
		inputs, err := filepath.Glob(filepath.Join(dir, "*.gguf.inp"))
		if err != nil || len(inputs) == 0 {
			t.Fatalf("no cases in %s (%v)", dir, err)
		}
		for _, input := range inputs {
			path := strings.TrimSuffix(input, ".inp")
			t.Run(filepath.Base(path), func(t *testing.T) {
				tok := openGGUF(t, path)
				texts := strings.Split(read(t, input), "\n__ggml_vocab_test__\n")
				lines := strings.Split(strings.TrimSuffix(read(t, path+".out"), "\n"), "\n")
				if len(lines) < len(texts)-1 {
					t.Fatalf("%d texts, %d lines of ids", len(texts), len(lines))
				}
				for i, text := range texts[:min(len(texts), len(lines))] {
					if got, want := tok.Encode(text, false), parseIDs(t, lines[i]); !slices.Equal(got, want) {
						t.Errorf("%q:\n got %v\nwant %v", text, got, want)
					}
				}
				sameAfterJSON(t, tok, append(texts, randomTexts(300)...))
				sameAfterGGUF(t, tok, append(texts, randomTexts(300)...))
			})
		}
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func parseIDs(t *testing.T, line string) []int32 {
	t.Helper()
	ids := []int32{}
	for _, f := range strings.Fields(line) {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, int32(n))
	}
	return ids
}

// randomTexts makes texts that touch every branch of the scanners: letters of several scripts, digits,
// signs, white space, marks, contractions.
func randomTexts(n int) []string {
	r := rand.New(rand.NewPCG(7, 1))
	parts := []string{"a", "the", " the", "Hello", "WORLD", "camelCase", " ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "'ſ", "1", "23", "4567",
		"½", "é", "e\u0301", "ſ", "中文", "。", "Привет", "ไทย", "한국", "🙂", "👩‍👩‍👧", ".", "...", "//", "!?", "_", "\u00a0", "\u3000", "\u0085", "▁", "İ", "ǅ", "ʰ", "\u200d", "\x00", "<", "|", ">"}
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		for range 1 + r.IntN(24) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		texts[i] = b.String()
	}
	return texts
}

func sameIDs(t *testing.T, what string, a, b *tokenizer.Tokenizer, texts []string) {
	t.Helper()
	for _, text := range texts {
		for _, special := range []bool{false, true} {
			x, y := a.Encode(text, special), b.Encode(text, special)
			if !slices.Equal(x, y) {
				t.Fatalf("%s: %q:\n got %v\nwant %v", what, text, y, x)
			}
			if p, q := a.Decode(x, special), b.Decode(x, special); p != q {
				t.Fatalf("%s: %v:\n got %q\nwant %q", what, x, q, p)
			}
		}
	}
}

func sameAfterJSON(t *testing.T, tok *tokenizer.Tokenizer, texts []string) {
	t.Helper()
	data, err := tok.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	back, err := tokenizer.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	sameIDs(t, "after tokenizer.json", tok, back, texts)
	sameAfterGGUF(t, back, texts)
}

func sameAfterGGUF(t *testing.T, tok *tokenizer.Tokenizer, texts []string) {
	t.Helper()
	none := tokenizer.NoID
	list, err := tok.ToGGUF(tokenizer.GGUFOptions{BOS: none, EOS: none, Unknown: none, Pad: none, Rows: tok.Size() + 3})
	if err != nil {
		t.Fatal(err)
	}
	back, err := tokenizer.FromGGUF(asKeys(list))
	if err != nil {
		t.Fatal(err)
	}
	if back.Size() != tok.Size()+3 {
		t.Fatalf("size %d after padding %d to 3 more rows", back.Size(), tok.Size())
	}
	sameIDs(t, "after GGUF", tok, back, texts)
}

// TestModels checks that the GGUF of a model encodes as the tokenizer.json beside it, and that
// tokenizers written as GGUF keys come back the same.
func TestModels(t *testing.T) {
	testkit.Conformance(t, "models", func(t *testing.T, dir string) {
		found := 0
		for _, pattern := range []string{"*/tokenizer.json", "*/*/tokenizer.json"} {
			paths, _ := filepath.Glob(filepath.Join(dir, pattern))
			for _, path := range paths {
				found++
				name, _ := filepath.Rel(dir, filepath.Dir(path))
				t.Run(name, func(t *testing.T) { checkModel(t, path) })
			}
		}
		if found == 0 {
			t.Fatalf("no tokenizer.json in %s", dir)
		}
	})
}

func checkModel(t *testing.T, path string) {
	tok, err := tokenizer.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	texts := append(randomTexts(2000), "<|im_start|>user\nHi<|im_end|>", "<s>a</s> b<unk>")
	sameAfterJSON(t, tok, texts)
	sameAfterGGUF(t, tok, texts)
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.gguf"))
	for _, f := range files {
		sameIDs(t, filepath.Base(f), tok, openGGUF(t, f), texts)
	}
}
