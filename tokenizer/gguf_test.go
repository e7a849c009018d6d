package tokenizer_test

import (
	"fmt"
	"math"
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

// ggufBytes is the small byte-level tokenizer as keys of a GGUF file, with some changed; a nil value
// takes the key out.
func ggufBytes(change keys) keys {
	k := keys{"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.merges": []string{"h e", "l l", "he ll"},
		"tokenizer.ggml.bos_token_id": uint32(0), "tokenizer.ggml.eos_token_id": uint32(1)}
	tokens := append([]string{"<s>", "</s>", "<user>"}, byteChars()...)
	tokens = append(tokens, "he", "ll", "hell")
	types := make([]int32, len(tokens))
	for i := range types {
		types[i] = 1
	}
	types[0], types[1], types[2] = 3, 3, 4
	k["tokenizer.ggml.tokens"], k["tokenizer.ggml.token_type"] = tokens, types
	for key, v := range change {
		k[key] = v
		if v == nil {
			delete(k, key)
		}
	}
	return k
}

// ggufPieces is a small SentencePiece vocabulary: the pieces after the 259 first, with their scores.
func ggufPieces(pieces []string, scores []float32) keys {
	tokens := []string{"<unk>", "<s>", "</s>"}
	types := []int32{2, 3, 3}
	for b := range 256 {
		tokens, types = append(tokens, fmt.Sprintf("<0x%02X>", b)), append(types, 6)
	}
	all := append(make([]float32, len(tokens)), scores...)
	for _, p := range pieces {
		tokens, types = append(tokens, p), append(types, 1)
	}
	return keys{"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types, "tokenizer.ggml.scores": all}
}

func fromKeys(t *testing.T, k keys) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.FromGGUF(k)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestFromGGUF_byteLevel(t *testing.T) {
	tok := fromKeys(t, ggufBytes(nil))
	if got := pieces(tok, "hell <user> é</s>", false); got != "hell|Ġ|<user>|Ġ|Ã|©|</s>" {
		t.Errorf("got %s", got)
	}
	if id, _ := tok.ID("<user>"); tok.IsSpecial(id) || !tok.IsSpecial(0) {
		t.Error("control tokens are special, user-defined ones are not")
	}
	sameAfterJSON(t, tok, randomTexts(100))
	for _, c := range []struct {
		change keys
		want   string
	}{
		{nil, "a"},
		{keys{"tokenizer.ggml.add_bos_token": true, "tokenizer.ggml.add_eos_token": true}, "<s>|a|</s>"},
		{keys{"tokenizer.ggml.pre": "llama-bpe"}, "<s>|a"},
		{keys{"tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.add_bos_token": false}, "a"},
	} {
		if got := pieces(fromKeys(t, ggufBytes(c.change)), "a", true); got != c.want {
			t.Errorf("%v: got %s, want %s", c.change, got, c.want)
		}
	}
}

func TestFromGGUF_sentencePiece(t *testing.T) {
	// bc scores above ab, so abc is a, bc; equal scores go to the leftmost
	tok := fromKeys(t, ggufPieces([]string{"▁", "a", "b", "c", "ab", "bc", "▁a", "▁▁"}, []float32{-9, -9, -9, -9, -3, -1, -4, -5}))
	for text, want := range map[string]string{
		"abc": "▁a|bc", "xab": "▁|<0x78>|ab", "a  b": "▁a|▁▁|b", "é</s>a": "▁|<0xC3>|<0xA9>|</s>|▁a",
	} {
		if got := pieces(tok, text, false); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if got := pieces(tok, "abc", true); got != "<s>|▁a|bc" {
		t.Errorf("with BOS: %s", got)
	}
	sameAfterJSON(t, tok, append(randomTexts(100), "abcabc ab", "  a  ab"))
	k := ggufPieces([]string{"▁", "a", "▁a"}, []float32{-1, -2, -3})
	k["tokenizer.ggml.add_space_prefix"], k["tokenizer.ggml.add_bos_token"] = false, false
	if got := pieces(fromKeys(t, k), "a a", true); got != "a|▁a" {
		t.Errorf("without a space prefix: %s", got)
	}
}

func TestToJSON_sameScores(t *testing.T) {
	runs := ggufPieces([]string{"▁", "▁▁", "▁▁▁", "▁▁▁▁"}, []float32{-9, -9, -9, -9})
	tok := fromKeys(t, runs)
	if got := pieces(tok, "      ", false); got != "▁▁▁▁|▁▁▁" {
		t.Errorf("got %s", got)
	}
	var texts []string
	for n := range 40 {
		texts = append(texts, strings.Repeat(" ", n))
	}
	sameAfterJSON(t, tok, texts)
	_, err := fromKeys(t, ggufPieces([]string{"a", "b", "c", "ab", "bc"}, []float32{-1, -2, -3, -9, -9})).ToJSON()
	if err == nil || !strings.Contains(err.Error(), "the same score") {
		t.Errorf("error %v", err)
	}
}

func TestFromGGUF_refusals(t *testing.T) {
	tokens := ggufBytes(nil)["tokenizer.ggml.tokens"].([]string)
	for _, c := range []struct {
		want   string
		change keys
	}{
		{"tokenizer.ggml.model is missing", keys{"tokenizer.ggml.model": nil}},
		{`tokenizer.ggml.model "bert" is not supported`, keys{"tokenizer.ggml.model": "bert"}},
		{"tokenizer.ggml.model is uint32", keys{"tokenizer.ggml.model": uint32(1)}},
		{`tokenizer.ggml.pre "superbpe" is not supported (have: gpt-2,`, keys{"tokenizer.ggml.pre": "superbpe"}},
		{`tokenizer.ggml.pre "" is not supported`, keys{"tokenizer.ggml.pre": nil}},
		{"tokenizer.ggml.tokens is missing", keys{"tokenizer.ggml.tokens": nil}},
		{`"a" has the ids 0 and 1`, keys{"tokenizer.ggml.tokens": []string{"a", "a"}, "tokenizer.ggml.token_type": nil}},
		{"has 2 entries for", keys{"tokenizer.ggml.token_type": []int32{1, 1}}},
		{"tokenizer.ggml.merges is missing", keys{"tokenizer.ggml.merges": nil}},
		{"not two tokens", keys{"tokenizer.ggml.merges": []string{"he"}}},
		{`"zz" is not in the vocabulary`, keys{"tokenizer.ggml.merges": []string{"zz h"}}},
		{"bos_token_id is 99999", keys{"tokenizer.ggml.bos_token_id": uint32(99999)}},
		{"has 1 entries", keys{"tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": []float32{1}}},
		{"scores[0] is not a number", keys{"tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": slices.Repeat([]float32{float32(math.NaN())}, len(tokens))}},
	} {
		if _, err := tokenizer.FromGGUF(ggufBytes(c.change)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %s", c.change, err, c.want)
		}
	}
}

// TestToGGUF_refusals lists tokenizers that llama.cpp has no way to express.
func TestToGGUF_refusals(t *testing.T) {
	none := tokenizer.GGUFOptions{BOS: tokenizer.NoID, EOS: tokenizer.NoID, Unknown: tokenizer.NoID, Pad: tokenizer.NoID}
	set := func(key string, value any) []byte { return byteLevel(func(file, _ object) { file[key] = value }) }
	spm := func(key string, value any) []byte { return sentencePiece(func(_, model object) { model[key] = value }) }
	for _, c := range []struct {
		want string
		data []byte
		o    tokenizer.GGUFOptions
	}{
		{"no pre-tokenizer of llama.cpp is", set("pre_tokenizer", object{"type": "Sequence", "pretokenizers": []object{
			{"type": "Split", "pattern": object{"Regex": "x+"}, "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "use_regex": false}}}), none},
		{"cannot express this step", set("pre_tokenizer", object{"type": "Sequence", "pretokenizers": []object{{"type": "Punctuation"}, {"type": "ByteLevel"}}}), none},
		{"normalizer", set("normalizer", object{"type": "Lowercase"}), none},
		{"strips spaces", set("added_tokens", []object{{"content": "<x>", "lstrip": true}}), none},
		{"269 tokens, the embedding has 10 rows", byteLevel(nil), tokenizer.GGUFOptions{BOS: tokenizer.NoID, EOS: tokenizer.NoID, Rows: 10}},
		{"id 5000 of eos", byteLevel(nil), tokenizer.GGUFOptions{EOS: 5000}},
		{"the model's BOS is 7", sentencePiece(nil), tokenizer.GGUFOptions{BOS: 7, EOS: 2}},
		{`would join "▁a" and "bc"`, spm("merges", [][2]string{{"▁", "a"}, {"b", "c"}, {"▁", "▁"}}), none},
		{"alternate in rank", sentencePiece(func(_, model object) {
			model["vocab"].(object)["▁ab"] = 268
			model["merges"] = [][2]string{{"▁", "a"}, {"▁a", "bc"}, {"▁a", "b"}, {"▁ab", "c"}, {"b", "c"}, {"▁", "▁"}}
		}), none},
	} {
		if _, err := parse(t, c.data).ToGGUF(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %s", err, c.want)
		}
	}
}

func TestToGGUF_sentencePiece(t *testing.T) {
	tok := parse(t, sentencePiece(nil))
	sameAfterGGUF(t, tok, append(randomTexts(200), "abc a bc", "<s>a</s> b"))
	sameAfterJSON(t, tok, randomTexts(200))
}

// TestToGGUF_names checks the name written for each pre-tokenizer in the forms that tokenizer.json has them.
func TestToGGUF_names(t *testing.T) {
	const llama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	split := func(regex string) []object {
		return []object{{"type": "Split", "pattern": object{"Regex": regex}, "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "use_regex": false}}
	}
	for want, file := range map[string]struct {
		steps  []object
		ignore bool
	}{
		"gpt-2":     {[]object{{"type": "ByteLevel"}}, false},
		"smollm":    {[]object{{"type": "Digits", "individual_digits": true}, {"type": "ByteLevel"}}, false},
		"qwen2":     {split(strings.ReplaceAll(llama3, "{1,3}", "")), false},
		"llama-bpe": {split(llama3), true},
		"dbrx":      {split(llama3), false},
	} {
		tok := parse(t, byteLevel(func(f, model object) {
			f["pre_tokenizer"], model["ignore_merges"] = object{"type": "Sequence", "pretokenizers": file.steps}, file.ignore
		}))
		sameAfterGGUF(t, tok, randomTexts(200))
		list, err := tok.ToGGUF(tokenizer.GGUFOptions{BOS: 1, EOS: 2, Unknown: 0, Pad: 2})
		if err != nil {
			t.Fatal(err)
		}
		if got := asKeys(list)["tokenizer.ggml.pre"]; got != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

// TestToGGUF_gemma writes a vocabulary in the manner of Gemma's files: no space before the text, a split that finds nothing, and runs of
// spaces as added tokens, which a GGUF file spells as spaces.
func TestToGGUF_gemma(t *testing.T) {
	tok := parse(t, sentencePiece(func(file, model object) {
		model["merges"] = [][2]string{{"▁", "▁"}, {"▁", "a"}, {"b", "c"}, {"▁a", "bc"}}
		file["normalizer"] = object{"type": "Replace", "pattern": object{"String": " "}, "content": "▁"}
		file["pre_tokenizer"] = object{"type": "Split", "pattern": object{"String": " "}, "behavior": "MergedWithPrevious", "invert": false}
		file["decoder"] = object{"type": "Sequence", "decoders": []object{{"type": "Replace", "pattern": object{"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}}}
		file["added_tokens"] = append(file["added_tokens"].([]object), object{"content": "▁▁", "normalized": false}, object{"content": "\n\n", "normalized": false})
	}))
	list, err := tok.ToGGUF(tokenizer.GGUFOptions{BOS: 1, EOS: 2, Unknown: 0, Pad: tokenizer.NoID})
	if err != nil {
		t.Fatal(err)
	}
	k := asKeys(list)
	if k["tokenizer.ggml.add_space_prefix"] != false {
		t.Errorf("add_space_prefix %v", k["tokenizer.ggml.add_space_prefix"])
	}
	back := fromKeys(t, k)
	for _, text := range append(randomTexts(300), "a  abc", "   a\n\nb", "a     b", "<s>a  ") {
		text = strings.ReplaceAll(text, "▁", "") // the mark itself is the one thing that a GGUF file reads otherwise
		if got, want := back.Encode(text, true), tok.Encode(text, true); !slices.Equal(got, want) {
			t.Fatalf("%q:\n got %v\nwant %v", text, got, want)
		}
	}
}

// TestToGGUF_phi3 checks that tokens which take the spaces after them go into files that are called Phi-3, and into no others.
func TestToGGUF_phi3(t *testing.T) {
	strips := func(content string) object { return object{"content": content, "special": true, "rstrip": true} }
	tok := parse(t, sentencePiece(func(file, _ object) {
		file["added_tokens"] = []object{{"content": "<unk>", "special": true}, {"content": "<s>", "special": true}, strips("</s>"), strips("<|end|>"), {"content": "<|endoftext|>", "special": true}}
	}))
	for name, want := range map[string]string{"mine": "mine (phi-3)", "My-Phi-3-mini": "My-Phi-3-mini", "phi3": "phi3"} {
		if got := tok.GGUFName(name); got != want {
			t.Errorf("%s becomes %s, want %s", name, got, want)
		}
	}
	if got := parse(t, sentencePiece(nil)).GGUFName("like Phi-3, phi3"); got != "like phi_3, phi_3" {
		t.Errorf("without such tokens: %s", got)
	}
	o := tokenizer.GGUFOptions{BOS: 1, EOS: 2, Unknown: 0, Pad: tokenizer.NoID, Name: "mine"}
	if _, err := tok.ToGGUF(o); err == nil {
		t.Error("written under a name that does not strip")
	}
	o.Name = tok.GGUFName(o.Name)
	list, err := tok.ToGGUF(o)
	if err != nil {
		t.Fatal(err)
	}
	back := fromKeys(t, asKeys(append(list, tokenizer.KV{Key: "general.name", Value: o.Name})))
	for _, text := range []string{"a<|end|> \n a", "<s> a</s> b", "<|endoftext|>  a", "<|end|><|end|> "} {
		if got, want := back.Encode(text, true), tok.Encode(text, true); !slices.Equal(got, want) {
			t.Errorf("%q:\n got %v\nwant %v", text, got, want)
		}
	}
}
