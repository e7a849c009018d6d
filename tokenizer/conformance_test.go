package tokenizer_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ft/internal/testkit"
	"ft/tokenizer"
)

// goldenLine is one text of a golden.jsonl.gz and what the reference made of it.
type goldenLine struct {
	Text               string  `json:"text"`
	IDs                []int32 `json:"ids"`
	IDsSpecial         []int32 `json:"ids_special"`
	Decoded            string  `json:"decoded"`
	DecodedSkipSpecial string  `json:"decoded_skip_special"`
}

func readGolden(t *testing.T, path string) []goldenLine {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bufio.NewReader(z))
	var lines []goldenLine
	for {
		var l goldenLine
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return lines
		} else if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
}

// tokenizerFile returns the tokenizer.json or tokenizer.json.gz in dir.
func tokenizerFile(dir string) (string, bool) {
	for _, name := range []string{"tokenizer.json", "tokenizer.json.gz"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name), true
		}
	}
	return "", false
}

// TestReference encodes and decodes the texts of each tokenizer folder and compares with the ids of Hugging
// Face's tokenizers.
func TestReference(t *testing.T) {
	testkit.Conformance(t, "tokenizers", func(t *testing.T, dir string) {
		goldens, err := filepath.Glob(filepath.Join(dir, "*", "golden.jsonl.gz"))
		if err != nil || len(goldens) == 0 {
			t.Fatalf("no cases in %s (%v)", dir, err)
		}
		for _, golden := range goldens {
			folder := filepath.Dir(golden)
			t.Run(filepath.Base(folder), func(t *testing.T) {
				path, ok := tokenizerFile(folder)
				if !ok {
					t.Fatal("no tokenizer.json")
				}
				tok, err := tokenizer.Load(path)
				if err != nil {
					t.Fatal(err)
				}
				checkGolden(t, tok, readGolden(t, golden))
			})
		}
	})
}

func checkGolden(t *testing.T, tok *tokenizer.Tokenizer, lines []goldenLine) {
	t.Helper()
	if len(lines) == 0 {
		t.Fatal("no golden lines")
	}
	bad := 0
	report := func(what, text string, got, want any) {
		if bad++; bad <= 10 {
			t.Errorf("%s of %q:\n got %v\nwant %v", what, text, got, want)
		}
	}
	for _, l := range lines {
		if got := tok.Encode(l.Text, false); !slices.Equal(got, l.IDs) {
			report("ids", l.Text, got, l.IDs)
		}
		if got := tok.Encode(l.Text, true); !slices.Equal(got, l.IDsSpecial) {
			report("ids with special tokens", l.Text, got, l.IDsSpecial)
		}
		if got := tok.Decode(l.IDs, false); got != l.Decoded {
			report("text", l.Text, got, l.Decoded)
		}
		if got := tok.Decode(l.IDs, true); got != l.DecodedSkipSpecial {
			report("text without special tokens", l.Text, got, l.DecodedSkipSpecial)
		}
	}
	if bad > 0 {
		t.Errorf("%d differences in %d lines", bad, len(lines))
	}
}
