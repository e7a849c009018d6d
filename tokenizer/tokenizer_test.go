package tokenizer_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ft/tokenizer"
)

type object = map[string]any

// byteLevel is a small byte-level tokenizer: 256 bytes, the tokens that merges make, and added ones.
func byteLevel(change func(file, model object)) []byte {
	vocab := object{}
	chars := byteChars()
	for i, c := range chars {
		vocab[c] = i
	}
	merges := []string{"h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "l d", "Ġwor ld", "Ġ Ġ", "1 2"}
	for _, m := range merges {
		vocab[strings.ReplaceAll(m, " ", "")] = len(vocab)
	}
	model := object{"type": "BPE", "vocab": vocab, "merges": merges}
	file := object{
		"version": "1.0", "model": model,
		"added_tokens": []object{{"id": len(vocab), "content": "<|end|>", "special": true}, {"id": len(vocab) + 1, "content": "<|end", "special": false}},
		"pre_tokenizer": object{"type": "Sequence", "pretokenizers": []object{
			{"type": "Digits", "individual_digits": true},
			{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}}},
		"decoder": object{"type": "ByteLevel"},
	}
	if change != nil {
		change(file, model)
	}
	data, err := json.Marshal(file)
	if err != nil {
		panic(err)
	}
	return data
}

// byteChars spells the 256 bytes as GPT-2 does.
func byteChars() []string {
	out := make([]string, 256)
	next := 256
	for b := range 256 {
		r := rune(b)
		if b < 33 || b > 126 && b < 161 || b == 173 {
			r = rune(next)
			next++
		}
		out[b] = string(r)
	}
	return out
}

// sentencePiece is a small tokenizer with byte fallback in the manner of Llama 2.
func sentencePiece(change func(file, model object)) []byte {
	vocab := object{"<unk>": 0, "<s>": 1, "</s>": 2}
	for b := range 256 {
		vocab[fmt.Sprintf("<0x%02X>", b)] = len(vocab)
	}
	for _, c := range strings.Split("▁ a b c d", " ") {
		vocab[c] = len(vocab)
	}
	merges := [][2]string{{"▁", "a"}, {"b", "c"}, {"▁a", "bc"}, {"▁", "▁"}}
	for _, m := range merges {
		vocab[m[0]+m[1]] = len(vocab)
	}
	model := object{"type": "BPE", "vocab": vocab, "merges": merges, "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true}
	special := func(id int, content string) object { return object{"id": id, "content": content, "special": true} }
	file := object{
		"model": model, "added_tokens": []object{special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")},
		"normalizer": object{"type": "Sequence", "normalizers": []object{{"type": "Prepend", "prepend": "▁"},
			{"type": "Replace", "pattern": object{"String": " "}, "content": "▁"}}},
		"decoder": object{"type": "Sequence", "decoders": []object{{"type": "Replace", "pattern": object{"String": "▁"}, "content": " "},
			{"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}}},
		"post_processor": object{"type": "TemplateProcessing",
			"single":         []object{{"SpecialToken": object{"id": "<s>", "type_id": 0}}, {"Sequence": object{"id": "A", "type_id": 0}}},
			"special_tokens": object{"<s>": object{"id": "<s>", "ids": []int{1}, "tokens": []string{"<s>"}}}},
	}
	if change != nil {
		change(file, model)
	}
	data, err := json.Marshal(file)
	if err != nil {
		panic(err)
	}
	return data
}

func parse(t *testing.T, data []byte) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func parseError(data []byte) error {
	_, err := tokenizer.Parse(data)
	return err
}

// pieces spells the ids of text.
func pieces(tok *tokenizer.Tokenizer, text string, special bool) string {
	var out []string
	for _, id := range tok.Encode(text, special) {
		s, _ := tok.Token(id)
		out = append(out, s)
	}
	return strings.Join(out, "|")
}

func TestEncode_byteLevel(t *testing.T) {
	tok := parse(t, byteLevel(nil))
	for text, want := range map[string]string{
		"hello world":    "hello|Ġworld",
		"hello  world":   "hello|Ġ|Ġworld",
		"a12":            "a|1|2", // digits are cut apart before 1 and 2 can merge
		"é":              "Ã|©",
		"":               "",
		"x<|end|>hello":  "x|<|end|>|hello",
		"<|end":          "<|end",
		"<|end<|end|>":   "<|end|<|end|>",
		"held \xff":      "he|ld|Ġ|ï|¿|½", // not UTF-8: read as U+FFFD
		"hello<|EN<|end": "hello|<|||E|N|<|end",
	} {
		if got := pieces(tok, text, false); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestEncode_ignoreMerges(t *testing.T) {
	// xyz is a token that no merge makes
	add := func(ignore bool) []byte {
		return byteLevel(func(_, model object) {
			model["vocab"].(object)["xyz"] = 267
			model["ignore_merges"] = ignore
		})
	}
	if got := pieces(parse(t, add(false)), "xyz", false); got != "x|y|z" {
		t.Errorf("with merges only: %s", got)
	}
	if got := pieces(parse(t, add(true)), "xyz", false); got != "xyz" {
		t.Errorf("with ignore_merges: %s", got)
	}
}

func TestEncode_sentencePiece(t *testing.T) {
	tok := parse(t, sentencePiece(nil))
	for text, want := range map[string]string{
		"abc":         "▁abc",
		"a bc":        "▁a|▁|bc",
		"  ab":        "▁▁|▁a|b", // the prefix and two spaces: the first two merge
		"é":           "▁|<0xC3>|<0xA9>",
		"a</s>b":      "▁a|</s>|▁|b",
		"":            "",
		"a\n":         "▁a|<0x0A>",
		"abc abc abc": "▁abc|▁abc|▁abc",
	} {
		if got := pieces(tok, text, false); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if got := pieces(tok, "abc", true); got != "<s>|▁abc" {
		t.Errorf("with special tokens: %s", got)
	}
}

func TestEncode_unknown(t *testing.T) {
	for _, fuse := range []bool{true, false} {
		tok := parse(t, sentencePiece(func(_, model object) { model["byte_fallback"], model["fuse_unk"] = false, fuse }))
		want := "▁a|<unk>|b"
		if !fuse {
			want = "▁a|<unk>|<unk>|b"
		}
		if got := pieces(tok, "aéüb", false); got != want {
			t.Errorf("fuse_unk %v: got %s, want %s", fuse, got, want)
		}
	}
}

func TestEncode_addedTokenFlags(t *testing.T) {
	tok := parse(t, byteLevel(func(file, _ object) {
		file["added_tokens"] = []object{
			{"id": 267, "content": "[L]", "lstrip": true}, {"id": 268, "content": "[R]", "rstrip": true},
			{"id": 269, "content": "Solo", "single_word": true}, {"id": 270, "content": "low", "normalized": true},
		}
		file["normalizer"] = object{"type": "Lowercase"}
	}))
	for text, want := range map[string]string{
		"a  [L]b":      "a|[L]|b",
		"a[R] \n b":    "a|[R]|b",
		"[R]  [L]":     "[R]|[L]",
		"a Solo b":     "a|Ġ|Solo|Ġ|b",
		"aSolo Solob":  "a|s|o|l|o|Ġ|s|o|l|o|b", // no word of its own; then lower-cased
		"LOW and Low":  "low|Ġ|a|n|d|Ġ|low",     // matched after lower-casing
		"Solo_ (Solo)": "s|o|l|o|_|Ġ|(|Solo|)",
	} {
		if got := pieces(tok, text, false); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	tok := parse(t, byteLevel(nil))
	for _, text := range []string{"hello world", "  é 中文 🙂\n", "a<|end|>b"} {
		if got := tok.Decode(tok.Encode(text, true), false); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
	if got := tok.Decode(tok.Encode("a<|end|>b", false), true); got != "ab" {
		t.Errorf("without special tokens: %q", got)
	}
	ids := tok.Encode("中", false)
	if got := tok.Decode(ids[:2], false); got != "\uFFFD" {
		t.Errorf("two bytes of three: %q", got)
	}
	if got := tok.Decode([]int32{-1, 1 << 20}, false); got != "" {
		t.Errorf("ids outside the vocabulary: %q", got)
	}
	spm := parse(t, sentencePiece(nil))
	for _, text := range []string{"abc a", " é", "中\n"} {
		if got := spm.Decode(spm.Encode(text, true), true); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
}

func TestVocabulary(t *testing.T) {
	tok := parse(t, byteLevel(nil))
	if tok.Size() != 269 {
		t.Errorf("size %d", tok.Size())
	}
	id, ok := tok.ID("<|end|>")
	if s, has := tok.Token(id); !ok || !has || s != "<|end|>" || !tok.IsSpecial(id) {
		t.Errorf("<|end|>: id %d, token %q", id, s)
	}
	if id, _ := tok.ID("<|end"); tok.IsSpecial(id) {
		t.Error("<|end is not special")
	}
	if _, ok := tok.ID("nothing"); ok {
		t.Error("an unknown token has an id")
	}
	if _, ok := tok.Token(269); ok || tok.IsSpecial(-1) {
		t.Error("ids outside the vocabulary")
	}
}

func TestLoad_gzip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokenizer.json.gz")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(byteLevel(nil)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := pieces(tok, "hello", false); got != "hello" {
		t.Errorf("got %s", got)
	}
	if _, err := tokenizer.Load(filepath.Join(t.TempDir(), "none.json")); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("a missing file: %v", err)
	}
}

// TestParse_refusals lists files that are wrong or not supported and what the error must say.
func TestParse_refusals(t *testing.T) {
	set := func(key string, value any) []byte {
		return byteLevel(func(file, _ object) { file[key] = value })
	}
	model := func(key string, value any) []byte {
		return byteLevel(func(_, model object) { model[key] = value })
	}
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"not JSON", "invalid character", []byte("nonsense")},
		{"empty", "EOF", nil},
		{"more after it", "more after", append(byteLevel(nil), '1')},
		{"version", `version "2.0"`, set("version", "2.0")},
		{"unknown key", `"surprise"`, set("surprise", 1)},
		{"word piece", "WordPiece is not supported", []byte(`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":0},"max_input_chars_per_word":9}}`)},
		{"unigram without unknown", "unk_id is missing", []byte(`{"model":{"type":"Unigram","vocab":[["a",-1.5]]}}`)},
		{"unigram, unknown beyond", "unk_id is 1", []byte(`{"model":{"type":"Unigram","unk_id":1,"vocab":[["a",-1.5]]}}`)},
		{"unigram, object", "has a list of tokens", []byte(`{"model":{"type":"Unigram","unk_id":0,"vocab":{"a":0}}}`)},
		{"unigram, twice", "is there twice", []byte(`{"model":{"type":"Unigram","unk_id":0,"vocab":[["a",-1.5],["a",-2]]}}`)},
		{"unigram, no score", "a token and its score", []byte(`{"model":{"type":"Unigram","unk_id":0,"vocab":[["a","b"]]}}`)},
		{"bpe, list", "has a list of tokens", []byte(`{"model":{"type":"BPE","vocab":[["a",-1.5]],"merges":[]}}`)},
		{"charsmap", "a table of 400 bytes in 0", []byte(`{"normalizer":{"type":"Precompiled","precompiled_charsmap":"kAEAAA=="},"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}`)},
		{"wordpiece", "WordPiece is not supported", model("type", "WordPiece")},
		{"no vocab", "model.vocab is missing", model("vocab", nil)},
		{"huge id", "id 2000000000", model("vocab", object{"a": 2000000000})},
		{"negative id", "id -1", model("vocab", object{"a": -1})},
		{"same id", "same id 0", model("vocab", object{"a": 0, "b": 0})},
		{"merge out of vocab", `"zz"`, model("merges", []string{"zz h"})},
		{"merge makes nothing", `"hh"`, model("merges", []string{"h h"})},
		{"merge of one", "not two tokens", model("merges", []string{"he"})},
		{"merge of three", "not two tokens", model("merges", [][]string{{"h", "e", "l"}})},
		{"dropout", "dropout", model("dropout", 0.1)},
		{"prefix", "continuing_subword_prefix", model("continuing_subword_prefix", "##")},
		{"unknown model option", `"cleverness"`, model("cleverness", 3)},
		{"normalizer", `normalizer: type "BertNormalizer"`, set("normalizer", object{"type": "BertNormalizer"})},
		{"inner normalizer", `normalizer.normalizers[1]: type "Nmt"`,
			set("normalizer", object{"type": "Sequence", "normalizers": []object{{"type": "NFC"}, {"type": "Nmt"}}})},
		{"normalizer option", `normalizer (NFC): json: unknown field "level"`, set("normalizer", object{"type": "NFC", "level": 3})},
		{"pre-tokenizer", `pre_tokenizer: type "BertPreTokenizer"`, set("pre_tokenizer", object{"type": "BertPreTokenizer"})},
		{"behavior", `behavior "Sideways"`,
			set("pre_tokenizer", object{"type": "Split", "pattern": object{"String": "a"}, "behavior": "Sideways", "invert": false})},
		{"regex", "missing", set("pre_tokenizer", object{"type": "Split", "pattern": object{"Regex": "(a"}, "behavior": "Isolated", "invert": false})},
		{"prepend scheme", `prepend_scheme "maybe"`,
			set("pre_tokenizer", object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "maybe"})},
		{"decoder", `decoder: type "CTC"`, set("decoder", object{"type": "CTC"})},
		{"null step", "decoders[0] is null", set("decoder", object{"type": "Sequence", "decoders": []any{nil}})},
		{"post-processor", `post_processor: type "Other"`, set("post_processor", object{"type": "Other"})},
		{"template without text", "0 times", set("post_processor", object{"type": "TemplateProcessing", "single": []object{}})},
		{"template token", "not among special_tokens",
			set("post_processor", object{"type": "TemplateProcessing", "single": []object{{"SpecialToken": object{"id": "x"}}}})},
		{"template id", "id 9999", set("post_processor", object{"type": "BertProcessing", "sep": []any{"x", 9999}, "cls": []any{"y", 1}})},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := tokenizer.Parse(c.data)
			if err == nil || !strings.HasPrefix(err.Error(), "tokenizer: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %s", err, c.want)
			}
		})
	}
}

func TestEncode_concurrent(t *testing.T) {
	tok := parse(t, byteLevel(nil))
	texts := randomTexts(200)
	want := make([][]int32, len(texts))
	for i, s := range texts {
		want[i] = tok.Encode(s, false)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i, s := range texts {
				if got := tok.Encode(s, false); !slices.Equal(got, want[i]) {
					t.Errorf("%q: got %v, want %v", s, got, want[i])
				}
			}
		})
	}
	wg.Wait()
}

// FuzzParse feeds damaged files: an error or a tokenizer that encodes without failing.
func FuzzParse(f *testing.F) {
	f.Add(byteLevel(nil), "hello <|end|> 12 é")
	f.Add(sentencePiece(nil), "ab c</s>é")
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\w+"},"behavior":"MergedWithNext","invert":true}}`), "ab ab")
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"▁":0},"merges":[]},"pre_tokenizer":{"type":"Metaspace","replacement":"▁"},"decoder":{"type":"Metaspace","replacement":"▁"}}`), " x ")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		tok, err := tokenizer.Parse(data)
		if err != nil {
			return
		}
		ids := tok.Encode(text, true)
		tok.Decode(ids, false)
		for _, id := range ids {
			if id < 0 || int(id) >= tok.Size() {
				t.Fatalf("id %d of %d", id, tok.Size())
			}
		}
		if data, err := tok.ToJSON(); err == nil {
			back, err := tokenizer.Parse(data)
			if err != nil {
				t.Fatalf("its own file does not parse: %v", err)
			}
			if got := back.Encode(text, true); !slices.Equal(got, ids) {
				t.Fatalf("%q: %v, after ToJSON %v", text, ids, got)
			}
		}
	})
}

func ExampleTokenizer_Encode() {
	tok, err := tokenizer.Parse([]byte(`{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}`))
	if err != nil {
		panic(err)
	}
	fmt.Println(tok.Encode("abba", false))
	// Output: [2 1 0]
}
