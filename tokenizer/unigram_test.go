package tokenizer_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
)

// uni is a small Unigram tokenizer.
func uni(t *testing.T, change func(file, model object)) []byte {
	t.Helper()
	model := object{"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [][2]any{{"<unk>", 0.0}, {"▁", -2.0}, {"a", -3.0}, {"b", -3.0}, {"ab", -5.0},
		{"▁a", -4.0}, {"bc", -2.0}, {"c", -9.0}, {"abc", -6.5}}}
	file := object{"model": model, "pre_tokenizer": object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
		"decoder": object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}}
	if change != nil {
		change(file, model)
	}
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestUnigram has cases that are easily computed by hand: ▁|abc has -8.5, ▁a|bc -6, so the latter wins although both have two pieces.
func TestUnigram(t *testing.T) {
	tok := parse(t, uni(t, nil))
	for text, want := range map[string]string{
		"abc": "▁a|bc", "ab": "▁|ab", "b abc": "▁|b|▁a|bc", "": "", "xyz": "▁|<unk>", "axyb": "▁a|<unk>|b", "ba": "▁|b|a", "x": "▁|<unk>",
	} {
		if got := pieces(tok, text, false); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if got := tok.Decode(tok.Encode("b abc", false), false); got != "b abc" {
		t.Errorf("decoded %q", got)
	}
	bytes := parse(t, uni(t, func(_, model object) {
		model["byte_fallback"] = true
		model["vocab"] = append(model["vocab"].([][2]any), [2]any{"<0xC3>", -9.0}, [2]any{"<0xA9>", -9.0})
	}))
	if got := pieces(bytes, "aéx", false); got != "▁a|<unk>" {
		t.Errorf("one byte without a token: %s", got)
	}
	if got := pieces(bytes, "aé", false); got != "▁a|<0xC3>|<0xA9>" {
		t.Errorf("bytes: %s", got)
	}
	data, err := tok.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	sameIDs(t, "after tokenizer.json", tok, parse(t, data), append(randomTexts(100), "abc abab b"))
}

// TestCharsMap has a double array made by hand: A becomes a, a line end of two characters one, and ﬁ the beginning of it all.
func TestCharsMap(t *testing.T) {
	units := make([]uint32, 8192)
	const leaf, value = 1 << 8, 1 << 31
	units[0] = 256 << 10
	units[256^'A'] = 'A' | leaf | 512<<10
	units[256^'A'^512] = value
	units[256^'\r'] = '\r' | 1024<<10
	units[256^'\r'^1024^'\n'] = '\n' | leaf | 2048<<10
	units[256^'\r'^1024^'\n'^2048] = value | 2
	table := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, u := range units {
		table = binary.LittleEndian.AppendUint32(table, u)
	}
	table = append(table, "a\x00\n\x00"...)
	normalizer := object{"type": "Precompiled", "precompiled_charsmap": base64.StdEncoding.EncodeToString(table)}
	tok := parse(t, byteLevel(func(file, _ object) { file["normalizer"] = normalizer }))
	for text, want := range map[string]string{
		"AbA": "aba", "x\r\ny": "x\ny", "\r": "\r", "\n": "\n",
		"A\u0301":             "a",    // what is looked up is the cluster, and its beginning decides
		"A\u0301\u0301\u0301": "á́́", // a longer cluster goes character by character
	} {
		if got := tok.Decode(tok.Encode(text, false), false); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for want, data := range map[string]string{"has 2 bytes": "AAA=", "a table of 5 bytes": "BQAAAAAAAAAAAA=="} {
		normalizer["precompiled_charsmap"] = data
		if err := parseError(byteLevel(func(file, _ object) { file["normalizer"] = normalizer })); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
