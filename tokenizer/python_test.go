package tokenizer_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"ft/internal/testkit"
	"ft/tokenizer"

	"golang.org/x/text/unicode/norm"
)

// hfTokenize reads lines of file, text and prints what Hugging Face's tokenizers makes of each.
const hfTokenize = `
import json, sys
from tokenizers import Tokenizer
path, t = None, None
for line in sys.stdin:
    l = json.loads(line)
    if l["file"] != path:
        path, t = l["file"], Tokenizer.from_file(l["file"])
    ids = t.encode(l["text"], add_special_tokens=False).ids
    print(json.dumps({"text": l["text"], "ids": ids, "ids_special": t.encode(l["text"]).ids,
        "decoded": t.decode(ids, skip_special_tokens=False), "decoded_skip_special": t.decode(ids, skip_special_tokens=True)}))
`

// askHuggingFace gives Hugging Face's view of texts for each file, file after file.
func askHuggingFace(t *testing.T, files []string, texts [][]string) [][]goldenLine {
	t.Helper()
	name := cmp.Or(os.Getenv("FT_PYTHON"), "python3")
	if err := exec.Command(name, "-c", "import tokenizers").Run(); err != nil {
		t.Skipf("%s has no tokenizers (FT_PYTHON names another interpreter): %v", name, err)
	}
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for i, f := range files {
		for _, text := range texts[i] {
			if err := enc.Encode(object{"file": f, "text": text}); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.Command(name, "-c", hfTokenize)
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tokenizers: %v", err)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	all := make([][]goldenLine, len(files))
	for i := range files {
		for range texts[i] {
			var l goldenLine
			if err := d.Decode(&l); err != nil {
				t.Fatal(err)
			}
			all[i] = append(all[i], l)
		}
	}
	return all
}

// hardTexts are random texts of what tokenizers get wrong: scripts, marks, control characters, white space, digits, and
// tokens of tok's own.
func hardTexts(seed uint64, n int, tok *tokenizer.Tokenizer) []string {
	r := rand.New(rand.NewPCG(seed, 5))
	ranges := [][2]rune{{0, 0x20}, {0x20, 0x7f}, {0x7f, 0x250}, {0x300, 0x370}, {0x370, 0x600}, {0x900, 0x9f0}, {0xe00, 0xe80}, {0x1100, 0x1200},
		{0x2000, 0x2100}, {0x2150, 0x2190}, {0x3000, 0x3100}, {0x4e00, 0x5000}, {0xac00, 0xad00}, {0xf900, 0xfb07}, {0xfe00, 0x10000}, {0x1d400, 0x1d500}, {0x1f1e6, 0x1f700}, {0xe0000, 0xe0080}}
	parts := []string{" ", "  ", "   ", "\n", "\r\n", "\n\n", "\t", "'s", "'LL", "don't", "1234567", "3.14", "½", "e\u0301", "ﬁ", "㍿", "가", "가", "👩‍👩‍👧", "🇩🇪", "▁", "the quick", " Hello", "ABCdef", "你好，世界", "।", "_", "{", "#!", "/\n", "\ufeff", "\u00ad", "<s>", "</s>", "<unk>"}
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		for range 1 + r.IntN(16) {
			switch k := r.IntN(8); {
			case k < 3:
				b.WriteString(parts[r.IntN(len(parts))])
			case k < 5:
				lim := ranges[r.IntN(len(ranges))]
				for range 1 + r.IntN(4) {
					c := lim[0] + r.Int32N(lim[1]-lim[0])
					if utf8.ValidRune(c) {
						b.WriteRune(c)
					}
				}
			case k < 7:
				s, _ := tok.Token(r.Int32N(int32(tok.Size())))
				b.WriteString(strings.NewReplacer("Ġ", " ", "▁", " ", "Ċ", "\n").Replace(s))
			default:
				// an added token: they have the last ids mostly
				s, _ := tok.Token(int32(tok.Size()) - 1 - r.Int32N(int32(min(tok.Size(), 8))))
				b.WriteString(s)
			}
		}
		texts[i] = b.String()
	}
	return texts
}

// TestHuggingFace_random holds each tokenizer of the conformance folders against Hugging Face's on random texts, in its own form and with other steps
// in its pipeline.
func TestHuggingFace_random(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Python")
	}
	testkit.Conformance(t, "tokenizers", func(t *testing.T, dir string) {
		found, err := filepath.Glob(filepath.Join(dir, "*", "tokenizer.json"))
		if err != nil || len(found) == 0 {
			t.Skip("no tokenizer.json")
		}
		var files []string
		for _, f := range found {
			files = append(files, variants(t, f)...)
		}
		toks, texts := make([]*tokenizer.Tokenizer, len(files)), make([][]string, len(files))
		for i, f := range files {
			if toks[i], err = tokenizer.Load(f); err != nil {
				t.Fatal(err)
			}
			texts[i] = hardTexts(uint64(i), 400, toks[i])
		}
		for i, lines := range askHuggingFace(t, files, texts) {
			t.Run(filepath.Base(filepath.Dir(files[i]))+"/"+filepath.Base(files[i]), func(t *testing.T) {
				checkGolden(t, toks[i], lines)
				checkThroughGGUF(t, toks[i], lines)
			})
		}
	})
}

// checkThroughGGUF writes a tokenizer as GGUF keys, if they can hold it, and compares what comes back with the reference. llama.cpp has
// no NFC, reads a space mark that is written as such otherwise, and takes </s> for a special token of every vocabulary.
func checkThroughGGUF(t *testing.T, tok *tokenizer.Tokenizer, lines []goldenLine) {
	t.Helper()
	none := tokenizer.NoID
	list, err := tok.ToGGUF(tokenizer.GGUFOptions{BOS: none, EOS: none, Unknown: none, Pad: none})
	if err != nil {
		t.Logf("not as GGUF: %v", err)
		return
	}
	back, err := tokenizer.FromGGUF(asKeys(list))
	if err != nil {
		t.Fatal(err)
	}
	bad := 0
	for _, l := range lines {
		if strings.Contains(l.Text, "▁") || strings.Contains(l.Text, "</s>") || norm.NFC.String(l.Text) != l.Text {
			continue
		}
		if got := back.Encode(l.Text, false); !slices.Equal(got, l.IDs) {
			if bad++; bad < 4 {
				t.Errorf("through GGUF: %q:\n got %v\nwant %v", l.Text, got, l.IDs)
			}
		}
	}
}

// variants writes the tokenizer in file with other steps in its pipeline and gives the paths, its own first. Large ones stay alone.
func variants(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 1<<18 {
		return []string{file}
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), filepath.Base(filepath.Dir(file)))
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	list := []string{file}
	write := func(name string, change object) {
		c := object{}
		for k, v := range m {
			c[k] = v
		}
		for k, v := range change {
			c[k] = v
		}
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		list = append(list, path)
	}
	for i, n := range variantNormalizers {
		write(fmt.Sprintf("normalizer%d", i), object{"normalizer": n})
	}
	bytesLast := strings.Contains(string(data), `"ByteLevel"`)
	for i, p := range variantPreTokenizers {
		if bytesLast {
			p = object{"type": "Sequence", "pretokenizers": []any{p, object{"type": "ByteLevel", "add_prefix_space": i%3 == 0, "trim_offsets": true, "use_regex": i%2 == 0}}}
		}
		write(fmt.Sprintf("pre%d", i), object{"pre_tokenizer": p})
	}
	added := slices.Clone(m["added_tokens"].([]any))
	for i, s := range []string{"the", " qu", "Hello ", "12", "é", "\n", "ABC", "界"} {
		added = append(added, object{"id": 100000 + i, "content": s, "special": i%3 == 0, "lstrip": i%2 == 0, "rstrip": i%4 > 1, "single_word": i%5 == 0, "normalized": i > 3})
	}
	write("added", object{"added_tokens": added})
	return list
}

func split(pattern object, behavior string, invert bool) object {
	return object{"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}
}

var variantNormalizers = []any{
	object{"type": "NFC"}, object{"type": "NFD"}, object{"type": "NFKD"}, object{"type": "Lowercase"}, object{"type": "StripAccents"},
	object{"type": "Strip", "strip_left": true, "strip_right": true},
	object{"type": "Replace", "pattern": object{"Regex": `\s+`}, "content": " "},
	object{"type": "Sequence", "normalizers": []any{object{"type": "Prepend", "prepend": "▁"}, object{"type": "Replace", "pattern": object{"String": " "}, "content": "▁"}}},
}

var variantPreTokenizers = []any{
	split(object{"String": " "}, "MergedWithPrevious", false), split(object{"String": " "}, "MergedWithNext", false), split(object{"Regex": `\d`}, "Removed", false),
	split(object{"Regex": `\p{L}+`}, "Contiguous", true), split(object{"Regex": `[^\s\w]`}, "Isolated", false),
	object{"type": "Digits", "individual_digits": true}, object{"type": "Digits", "individual_digits": false}, object{"type": "Punctuation", "behavior": "Isolated"},
	object{"type": "Whitespace"}, object{"type": "WhitespaceSplit"}, object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true},
	object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": false}, object{"type": "FixedLength", "length": 3},
	split(object{"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "Isolated", false),
	split(object{"Regex": "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "Isolated", false),
}
