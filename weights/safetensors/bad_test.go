package safetensors

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// file puts a length, a header and data bytes together.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	return append(b, make([]byte, data)...)
}

func TestOpen_bad(t *testing.T) {
	one := func(fields string) []byte { return file(`{"a":{`+fields+`}}`, 8) }
	cases := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "0 bytes are too few"},
		{"length cut", []byte{1, 0, 0, 0, 0, 0, 0}, "7 bytes are too few"},
		{"length lies", append(binary.LittleEndian.AppendUint64(nil, 3), "{}"...), "3 bytes long by its own account"},
		{"length huge", append(binary.LittleEndian.AppendUint64(nil, 1<<63), "{}"...), "by its own account"},
		{"length all ones", append(binary.LittleEndian.AppendUint64(nil, 1<<64-1), "{}"...), "by its own account"},
		{"no header", file("", 0), "no JSON object"},
		{"array", file("[]", 0), "no JSON object"},
		{"space before", file(" {}", 0), "no JSON object"},
		{"open", file(`{"a":`, 0), "unexpected EOF"},
		{"not closed", file(`{"a":{"dtype":"F32"`, 0), "unexpected EOF"},
		{"trailing text", file(`{} x`, 0), "follows its end"},
		{"second value", file(`{} {}`, 0), "follows its end"},
		{"not UTF-8", file("{\"\xff\":1}", 0), "not UTF-8"},
		{"nul behind", file("{}\x00", 0), "follows its end"},
		{"tensor is a number", file(`{"a":1}`, 0), "{ should stand"},
		{"tensor twice", file(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0), `"a" stands twice`},
		{"field twice", one(`"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]`), `"dtype" stands twice`},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, 0), "stands twice"},
		{"metadata number", file(`{"__metadata__":{"a":1}}`, 0), "string should stand"},
		{"no dtype", one(`"shape":[2],"data_offsets":[0,8]`), "needs dtype"},
		{"no shape", one(`"dtype":"F32","data_offsets":[0,8]`), "needs dtype"},
		{"no offsets", one(`"dtype":"F32","shape":[2]`), "needs dtype"},
		{"one offset", one(`"dtype":"F32","shape":[2],"data_offsets":[0]`), "needs dtype"},
		{"three offsets", one(`"dtype":"F32","shape":[2],"data_offsets":[0,8,8]`), "needs dtype"},
		{"unknown dtype", one(`"dtype":"F99","shape":[2],"data_offsets":[0,8]`), `"F99" is none`},
		{"dtype number", one(`"dtype":1,"shape":[2],"data_offsets":[0,8]`), "string should stand"},
		{"negative dim", one(`"dtype":"F32","shape":[-2],"data_offsets":[0,8]`), "-2 is no size"},
		{"fractional dim", one(`"dtype":"F32","shape":[2.0],"data_offsets":[0,8]`), "2.0 is no size"},
		{"string dim", one(`"dtype":"F32","shape":["2"],"data_offsets":[0,8]`), "2 is no size"},
		{"nested dim", one(`"dtype":"F32","shape":[[2]],"data_offsets":[0,8]`), "is no size"},
		{"dim beyond int", one(`"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]`), "is no size"},
		{"dim beyond uint", one(`"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8]`), "is no size"},
		{"shape overflows", one(`"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]`), "too large"},
		{"bytes overflow", one(`"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]`), "too large"},
		{"shape too small", one(`"dtype":"F32","shape":[1],"data_offsets":[0,8]`), "do not fit"},
		{"shape too large", one(`"dtype":"F32","shape":[3],"data_offsets":[0,8]`), "do not fit"},
		{"offsets turned", one(`"dtype":"F32","shape":[2],"data_offsets":[8,0]`), "do not fit"},
		{"half byte", one(`"dtype":"F4","shape":[3],"data_offsets":[0,2]`), "whole number of bytes"},
		{"beyond the end", one(`"dtype":"F32","shape":[4],"data_offsets":[0,16]`), "ends at byte 16"},
		{"far beyond the end", one(`"dtype":"U8","shape":[2],"data_offsets":[9223372036854775805,9223372036854775807]`), "ends at byte"},
		{"gap at the start", one(`"dtype":"F32","shape":[1],"data_offsets":[4,8]`), "the 4 bytes before"},
		{"gap at the end", one(`"dtype":"F32","shape":[1],"data_offsets":[0,4]`), "the last 4 bytes"},
		{"no tensor for the data", file(`{}`, 8), "the last 8 bytes"},
		{"overlap", file(`{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, 8), "overlap"},
		{"same place", file(`{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, 8), "overlap"},
		{"deep nesting", file(`{"a":{"x":`+strings.Repeat("[", 100_000)+`}}`, 0), "exceeded max depth"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.safetensors")
			if err := os.WriteFile(path, c.file, 0o666); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one with the path and %q", err, c.want)
			}
		})
	}
}

func TestOpen_odd(t *testing.T) {
	cases := map[string][]byte{
		"no tensors":          file(`{}`, 0),
		"null metadata":       file(`{"__metadata__":null}`, 0),
		"spaces behind":       file("{}  \n ", 0),
		"unknown field":       file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":{"y":[1]}}}`, 1),
		"empty between":       file(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"e":{"dtype":"F32","shape":[0],"data_offsets":[1,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 2),
		"unaligned":           file(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   `, 4),
		"four and six bits":   file(`{"a":{"dtype":"F4","shape":[2,3],"data_offsets":[0,3]},"b":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[3,6]}}`, 6),
		"zero and huge sizes": file(`{"a":{"dtype":"F4","shape":[0,9223372036854775807],"data_offsets":[0,0]}}`, 0),
	}
	for name, data := range cases {
		if _, _, err := parse(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOpen_truncated cuts a good file at every byte.
func TestOpen_truncated(t *testing.T) {
	path, _ := writeSample(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := parse(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, _, err := parse(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes passed for a whole file", n, len(whole))
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(file(`{}`, 0))
	f.Add(file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]}}`, 12))
	f.Add(file(`{"a":{"dtype":"F4","shape":[9,2],"data_offsets":[0,9]},"x":{"dtype":"I64","shape":[0],"data_offsets":[9,9]}}`, 9))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, _, err := parse(data)
		if err != nil {
			return
		}
		total := 0
		for _, e := range entries {
			size, err := e.size()
			if err != nil || len(data[e.begin:e.end]) != size {
				t.Fatalf("%+v: %d bytes, want %d (%v)", e, len(data[e.begin:e.end]), size, err)
			}
			total += size
		}
		if header := binary.LittleEndian.Uint64(data); total+8+int(header) != len(data) {
			t.Fatalf("tensors of %d bytes, header of %d, in a file of %d", total, header, len(data))
		}
	})
}
