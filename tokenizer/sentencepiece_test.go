package tokenizer_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/tokenizer"
)

// message writes Protocol Buffers: fields of numbers, float32s and bytes.
type message []byte

func (m message) number(field int, v uint64) message {
	return binary.AppendUvarint(binary.AppendUvarint(m, uint64(field)<<3), v)
}

func (m message) float(field int, v float32) message {
	return binary.LittleEndian.AppendUint32(binary.AppendUvarint(m, uint64(field)<<3|5), math.Float32bits(v))
}

func (m message) bytes(field int, v []byte) message {
	return append(binary.AppendUvarint(binary.AppendUvarint(m, uint64(field)<<3|2), uint64(len(v))), v...)
}

type spmPiece struct {
	text  string
	score float32
	kind  uint64
}

// spm is a model file of a type, with more fields of trainer and normalizer.
func spm(kind uint64, trainer, normalizer message, pieces ...spmPiece) []byte {
	m := message{}.bytes(1, message{}.bytes(1, []byte("<unk>")).float(2, 0).number(3, 2))
	for _, p := range pieces {
		m = m.bytes(1, message{}.bytes(1, []byte(p.text)).float(2, p.score).number(3, cmp.Or(p.kind, 1)))
	}
	return m.bytes(2, trainer.number(3, kind)).bytes(3, normalizer)
}

func TestSentencePiece(t *testing.T) {
	const unigram, bpe = 1, 2
	words := []spmPiece{
		{"▁", -3, 0}, {"▁a", -4, 0}, {"b", -5, 0}, {"ab", -4, 0}, {"▁ab", -9, 0}, {"c", -6, 0}, {"abc", -20, 0}, {"▁c", -8, 0},
	}
	for name, c := range map[string]struct {
		model []byte
		text  string
		want  string
	}{
		"most probable":       {spm(unigram, nil, nil, words...), "ab", "▁ ab"},
		"spaces":              {spm(unigram, nil, nil, words...), "  ab \t  c ", "▁ ab ▁ \t ▁c"},
		"unknown in one":      {spm(unigram, nil, nil, words...), "abxyc", "▁ ab xy c"},
		"nothing":             {spm(unigram, nil, nil, words...), "  ", ""},
		"no prefix":           {spm(unigram, nil, message{}.number(3, 0), words...), "ab", "ab"},
		"spaces kept":         {spm(unigram, nil, message{}.number(4, 0), words...), "c  c", "▁c ▁ ▁c"},
		"bytes":               {spm(unigram, message{}.number(35, 1), nil, words...), "é", "▁ <0xC3> <0xA9>"},
		"user-defined":        {spm(unigram, nil, nil, append(words, spmPiece{"bc", 0, 4})...), "abc", "▁a bc"},
		"unused":              {spm(unigram, nil, nil, append(words, spmPiece{"abc", 0, 5})...), "abc", "▁ ab c"},
		"merges by score":     {spm(bpe, nil, nil, words...), "abc", "▁ab c"},
		"leftmost merge":      {spm(bpe, nil, nil, spmPiece{"aa", -1, 0}, spmPiece{"a", -9, 0}, spmPiece{"▁", -9, 0}), "aaa", "▁ aa a"},
		"merges of merges":    {spm(bpe, nil, nil, spmPiece{"ab", -1, 0}, spmPiece{"abc", -2, 0}, spmPiece{"▁abc", -3, 0}), "abc", "▁abc"},
		"unused, taken apart": {spm(bpe, nil, nil, spmPiece{"ab", -1, 5}, spmPiece{"a", -8, 0}, spmPiece{"b", -8, 0}), "ab", "▁ a b"},
		"unknown in merges":   {spm(bpe, nil, nil, words...), "xyc", "▁ xy c"},
	} {
		m, err := tokenizer.ParseSentencePiece(c.model)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(m.Pieces(c.text), " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSentencePiece_refuses(t *testing.T) {
	good := spm(1, nil, nil, spmPiece{"a", -1, 0})
	for name, data := range map[string][]byte{
		"empty":      nil,
		"text":       []byte("not a model at all"),
		"cut off":    good[:len(good)-1],
		"word model": spm(3, nil, nil, spmPiece{"a", -1, 0}),
		"charsmap":   spm(1, nil, message{}.bytes(2, []byte{9, 9}), spmPiece{"a", -1, 0}),
	} {
		if _, err := tokenizer.ParseSentencePiece(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestSentencePiece_damaged: a file with wrong bytes is refused or does something, but does not stop the program.
func TestSentencePiece_damaged(t *testing.T) {
	good := spm(2, message{}.number(35, 1), message{}.bytes(2, []byte{4, 0, 0, 0, 1, 2, 3, 4, 'x', 0}), spmPiece{"ab", -1, 0}, spmPiece{"b", -2, 4}, spmPiece{"a", -2, 5})
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		data := slices.Clone(good[:1+r.IntN(len(good))])
		for range r.IntN(4) {
			data[r.IntN(len(data))] = byte(r.Uint32())
		}
		if m, err := tokenizer.ParseSentencePiece(data); err == nil {
			m.Pieces("ab  \xffbaé ▁b")
		}
	}
}

// trainSentencePiece trains models of both types on the texts in its input, and prints the pieces of each text under each model, and
// under those in the files it is given.
const trainSentencePiece = `
import io, json, sys
import sentencepiece as sp
a = json.load(sys.stdin)
models = {}
for kind in ("unigram", "bpe"):
    for name, more in (("plain", {}), ("bytes", {"byte_fallback": True}), ("kept", {"remove_extra_whitespaces": False, "normalization_rule_name": "identity"}),
            ("none", {"add_dummy_prefix": False, "normalization_rule_name": "nfkc_cf"}), ("suffix", {"treat_whitespace_as_suffix": True})):
        w = io.BytesIO()
        sp.SentencePieceTrainer.train(sentence_iterator=iter(a["train"]), model_writer=w, vocab_size=380, character_coverage=0.99, model_type=kind,
            hard_vocab_limit=False, minloglevel=2, **more)
        models[kind + "-" + name] = w.getvalue()
for f in a["files"]:
    models[f] = open(f, "rb").read()
out = []
for name, m in models.items():
    with open(a["dir"] + "/" + str(len(out)) + ".model", "wb") as f: f.write(m)
    p = sp.SentencePieceProcessor(model_proto=m)
    out.append({"name": name, "pieces": [p.encode(t, out_type=str) for t in a["texts"]]})
print(json.dumps(out))
`

// TestSentencePiece_python compares with the program itself.
func TestSentencePiece_python(t *testing.T) {
	name := cmp.Or(os.Getenv("FT_PYTHON"), "python3")
	if err := exec.Command(name, "-c", "import sentencepiece").Run(); err != nil {
		t.Skipf("%s has no sentencepiece (FT_PYTHON names another interpreter): %v", name, err)
	}
	var files []string
	testkit.Conformance(t, "tokenizers", func(t *testing.T, dir string) {
		found, err := filepath.Glob(filepath.Join(dir, "*", "*.model"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	})
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the patient takes two tablets daily with water fever pain pressure heart treatment doctor advises rest and sleep " +
		"高血压患者应当低盐饮食 每天服用两片 请多喝水 Größe naïve résumé 2.5mg １２３ ﬁne ½ Ⅳ ㎏")
	var train, texts []string
	for range 800 {
		var some []string
		for range 3 + r.IntN(9) {
			some = append(some, words[r.IntN(len(words))])
		}
		train = append(train, strings.Join(some, " "))
	}
	texts = append(train[:150:150], "  two   spaces\tand tab ", "", " ", "unseen ☃ snow 🙂🙂 man", "e\u0301 cafe\u0301 ﬁ ｶﾞ カ゛", "The Patient", "\u00a0nbsp\u3000wide", "a▁b", "x\u200by\ufeffz", "①②③ …")
	raw, err := json.Marshal(map[string]any{"train": train, "texts": texts, "files": append([]string{}, files...), "dir": t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var dir struct{ Dir string }
	if err := json.Unmarshal(raw, &dir); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(name, "-c", trainSentencePiece)
	c.Stdin, c.Stderr = bytes.NewReader(raw), os.Stderr
	printed, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []struct {
		Name   string
		Pieces [][]string
	}
	if err := json.Unmarshal(printed, &want); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		data, err := os.ReadFile(filepath.Join(dir.Dir, fmt.Sprintf("%d.model", i)))
		if err != nil {
			t.Fatal(err)
		}
		m, err := tokenizer.ParseSentencePiece(data)
		if err != nil {
			t.Fatalf("%s: %v", w.Name, err)
		}
		bad := 0
		for k, text := range texts {
			if got := m.Pieces(text); !slices.Equal(got, w.Pieces[k]) {
				if bad++; bad < 4 {
					t.Errorf("%s: %q:\n got %q\nwant %q", w.Name, text, got, w.Pieces[k])
				}
			}
		}
		t.Logf("%s: %d of %d texts differ", w.Name, bad, len(texts))
	}
}
