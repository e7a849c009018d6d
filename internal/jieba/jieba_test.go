package jieba

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/testkit"
)

// TestCutter_Cut: what the rules say, and what jieba 0.42.1 makes of our own texts.
func TestCutter_Cut(t *testing.T) {
	for _, words := range [][]string{
		nil,
		{"好"},
		{"我", "来到", "北京", "清华大学"},
		{"他", "来到", "了", "网易", "杭研", "大厦"}, // the last but one by the hidden Markov model
		{"每天", "吃", "三次", " ", "，", "每次", "0.5", "g", "或", "12.5%", "！"},
		{"COVID", "-", "19", "与", "SARS", "有", "什么", "不同", "？"},
		{"\r\n", "第一行", "\r\n", "\n", "第二行", " ", "\u3000", "完"},
		{"AT&T", "和", "C++", "、", "c#", "都", "不是", "词", "?", "B超", "是"},
		{"......", "省略", "…", "…"},
		{"𠀀", "𠀁", "㐀", "是", "生僻字"},
		{"ｆ", "ｔ", "１", "ﬀ", "é"},
	} {
		if got := NewCutter().Cut(nil, strings.Join(words, "")); !slices.Equal(got, words) {
			t.Errorf("%q, want %q", got, words)
		}
	}
}

// TestCutter_scratch: a cutter does not remember what it cut before, and invalid UTF-8 stays what it is.
func TestCutter_scratch(t *testing.T) {
	c := NewCutter()
	long := strings.Repeat("患者服药后出现头晕乏力，恶心呕吐，建议立即停药观察。", 50)
	first := c.Cut(nil, long)
	c.Cut(nil, "短")
	if got := c.Cut(nil, long); !slices.Equal(got, first) {
		t.Error("a second cut differs")
	}
	for _, text := range []string{long, "a\xffb中\xe4\xb8文", "\xf0\x9f"} {
		if got := strings.Join(c.Cut(nil, text), ""); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
}

// TestConformance: every line as jieba cuts it.
func TestConformance(t *testing.T) {
	testkit.Conformance(t, "metrics", func(t *testing.T, dir string) {
		f, err := os.Open(filepath.Join(dir, "jieba_cut.jsonl"))
		if os.IsNotExist(err) {
			t.Log("no jieba_cut.jsonl here: passed over")
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c, n, bad := NewCutter(), 0, 0
		in := bufio.NewScanner(f)
		in.Buffer(nil, 1<<26)
		for ; in.Scan(); n++ {
			var row struct {
				T string
				C []string
			}
			if err := json.Unmarshal(in.Bytes(), &row); err != nil {
				t.Fatalf("line %d: %v", n+1, err)
			}
			if got := c.Cut(nil, row.T); !slices.Equal(got, row.C) {
				if bad++; bad <= 5 {
					t.Errorf("line %d: %q, want %q", n+1, got, row.C)
				}
			}
		}
		if err := in.Err(); err != nil || n == 0 {
			t.Fatalf("%d lines: %v", n, err)
		}
		t.Logf("%d of %d lines differ", bad, n)
	})
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		unpack()
	}
}
