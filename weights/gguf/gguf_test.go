package gguf

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ft/internal/quant"
	"ft/weights"
)

// sample is one value of each type that can be written.
var sample = []KV{
	{"general.architecture", "llama"},
	{"n.u8", uint8(200)}, {"n.i8", int8(-3)}, {"n.u16", uint16(60000)}, {"n.i16", int16(-300)},
	{"n.u32", uint32(1 << 31)}, {"n.i32", int32(-1 << 31)}, {"n.u64", uint64(1 << 63)}, {"n.i64", int64(-1 << 62)},
	{"n.f32", float32(0.1)}, {"n.f64", 0.1}, {"yes", true}, {"no", false}, {"empty", ""},
	{"a.u8", []uint8{1, 2}}, {"a.i8", []int8{-1, 2}}, {"a.u16", []uint16{1, 2}}, {"a.i16", []int16{-1, 2}},
	{"a.u32", []uint32{1, 2}}, {"a.i32", []int32{-1, 2}}, {"a.u64", []uint64{1, 1 << 63}}, {"a.i64", []int64{-1, 2}},
	{"a.f32", []float32{1.5, -2}}, {"a.f64", []float64{1.5, -2}}, {"a.bool", []bool{true, false}},
	{"a.none", []int32{}}, {"a.str", []string{"<s>", "", "é\n"}},
}

var sampleTensors = []Info{
	{"plain", quant.F32, []int{3, 5}},
	{"norm.weight", quant.BF16, []int{7}},
	{"one", quant.F16, nil},
	{"q", quant.Q8_0, []int{2, 1, 3, 64}},
	{"none", quant.F32, []int{0, 4}},
	{"last", quant.Q4_1, []int{32}},
}

func writeSample(t *testing.T) (string, map[string][]float32) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sample.gguf")
	w, err := NewWriter(path, sample, sampleTensors)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	values := map[string][]float32{}
	for _, info := range sampleTensors {
		n, _ := weights.Count(info.Shape)
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i*i%31) - 15 // 0 … 15 steps of one: no format rounds them
		}
		if n > 1 && info.Type == quant.Q8_0 {
			for i := range v {
				v[i] = float32(i%2*254 - 127)
			}
		}
		if info.Type == quant.Q4_1 {
			for i := range v {
				v[i] = float32(i % 16)
			}
		}
		values[info.Name] = v
		if err := w.Next(info.Name); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteFloats(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path, values
}

func TestRoundTrip(t *testing.T) {
	path, values := writeSample(t)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, kv := range sample {
		keys = append(keys, kv.Key)
		got, err := f.Value(kv.Key)
		if err != nil || !reflect.DeepEqual(got, kv.Value) {
			t.Errorf("%s: %T %v (%v), want %T %v", kv.Key, got, got, err, kv.Value, kv.Value)
		}
	}
	if got := f.Keys(); !slices.Equal(got, keys) {
		t.Errorf("keys %q, want %q", got, keys)
	}
	var names []string
	for _, info := range sampleTensors {
		names = append(names, info.Name)
		tensor, err := f.Tensor(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got := tensor.Floats(); !slices.Equal(got, values[info.Name]) {
			t.Errorf("%s: %v, want %v", info.Name, got, values[info.Name])
		}
		if !slices.Equal(tensor.Shape, info.Shape) || tensor.Type != info.Type {
			t.Errorf("%+v came back as %s of shape %v", info, tensor.Type, tensor.Shape)
		}
	}
	if got := f.Names(); !slices.Equal(got, names) {
		t.Errorf("names %q, want %q", got, names)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Tensor("plain"); !errors.Is(err, weights.ErrNoTensor) {
		t.Errorf("after Close: %v, want ErrNoTensor", err)
	}
	if _, err := f.Value("yes"); !errors.Is(err, ErrNoKey) {
		t.Errorf("after Close: %v, want ErrNoKey", err)
	}
}

func TestAccessors(t *testing.T) {
	path, _ := writeSample(t)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	uints := func(k string) (any, error) { return f.Uint(k) }
	floats := func(k string) (any, error) { return f.Float(k) }
	bools := func(k string) (any, error) { return f.Bool(k) }
	texts := func(k string) (any, error) { return f.String(k) }
	intLists := func(k string) (any, error) { return f.Ints(k) }
	floatLists := func(k string) (any, error) { return f.Floats(k) }
	boolLists := func(k string) (any, error) { return f.Bools(k) }
	textLists := func(k string) (any, error) { return f.Strings(k) }
	cases := []struct {
		get  func(string) (any, error)
		key  string
		want any
		err  string
	}{
		{uints, "n.u8", uint64(200), ""}, {uints, "n.u16", uint64(60000), ""}, {uints, "n.u32", uint64(1 << 31), ""},
		{uints, "n.u64", uint64(1 << 63), ""}, {uints, "n.i64", nil, "is int64 -4611686018427387904, not a non-negative"},
		{uints, "n.f32", nil, "is float32 0.1, not"}, {uints, "a.u8", nil, "is array of 2 uint8, not"},
		{uints, "empty", nil, "is string, not"}, {uints, "yes", nil, "is bool true, not"},
		{floats, "n.f32", float64(float32(0.1)), ""}, {floats, "n.f64", 0.1, ""}, {floats, "n.i8", -3.0, ""},
		{floats, "n.u64", 9223372036854775808.0, ""}, {floats, "no", nil, "is bool false, not a number"},
		{bools, "yes", true, ""}, {bools, "no", false, ""}, {bools, "n.u8", nil, "not a bool"},
		{texts, "empty", "", ""}, {texts, "general.architecture", "llama", ""}, {texts, "a.str", nil, "is array of 3 string, not a string"},
		{intLists, "a.u8", []int64{1, 2}, ""}, {intLists, "a.i32", []int64{-1, 2}, ""}, {intLists, "a.none", []int64{}, ""},
		{intLists, "a.u64", nil, "below 2^63"}, {intLists, "a.f32", nil, "is array of 2 float32"}, {intLists, "n.u8", nil, "is uint8 200"},
		{floatLists, "a.f32", []float64{1.5, -2}, ""}, {floatLists, "a.f64", []float64{1.5, -2}, ""},
		{floatLists, "a.i16", []float64{-1, 2}, ""}, {floatLists, "a.bool", nil, "not an array of numbers"},
		{boolLists, "a.bool", []bool{true, false}, ""}, {boolLists, "a.u8", nil, "not an array of bools"},
		{textLists, "a.str", []string{"<s>", "", "é\n"}, ""}, {textLists, "a.u8", nil, "not an array of strings"},
		{uints, "absent", nil, "no such metadata key"}, {textLists, "absent", nil, "no such metadata key"},
	}
	for _, c := range cases {
		got, err := c.get(c.key)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: error %v, want one with the path and %q", c.key, err, c.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v (%v), want %v", c.key, got, err, c.want)
		}
	}
	if !f.Has("yes") || f.Has("absent") {
		t.Error("Has is wrong")
	}
}

func TestNewWriter_refuses(t *testing.T) {
	long := strings.Repeat("n", 64)
	cases := []struct {
		kv      []KV
		tensors []Info
		want    string
	}{
		{[]KV{{"a", 1}}, nil, "int is no type"},
		{[]KV{{"a", nil}}, nil, "<nil> is no type"},
		{[]KV{{"a", []any{1}}}, nil, "is no type"},
		{[]KV{{"a", struct{}{}}}, nil, "is no type"},
		{[]KV{{"a", ""}, {"a", ""}}, nil, "used before"},
		{[]KV{{"general.alignment", uint32(64)}}, nil, "reserved"},
		{[]KV{{strings.Repeat("k", 1<<16), ""}}, nil, "too long"},
		{nil, []Info{{"a", quant.F32, nil}, {"a", quant.F32, nil}}, "used before"},
		{nil, []Info{{long, quant.F32, nil}}, "longer than 63"},
		{nil, []Info{{"a", quant.F32, []int{1, 1, 1, 1, 1}}}, "more than 4 dimensions"},
		{nil, []Info{{"a", quant.Q8_0, []int{33}}}, "multiple of 32"},
		{nil, []Info{{"a", quant.Type(23), []int{256}}}, "IQ4_XS is unknown"},
		{nil, []Info{{"a", quant.F32, []int{math.MaxInt, 3}}}, "too large"},
		{nil, slices.Collect(func(yield func(Info) bool) {
			for c := range 6 {
				yield(Info{string(rune('a' + c)), quant.F32, []int{math.MaxInt / 16}})
			}
		}), "together"},
	}
	for _, c := range cases {
		path := filepath.Join(t.TempDir(), "x")
		if _, err := NewWriter(path, c.kv, c.tensors); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v", c.want, err)
		}
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) > 0 {
			t.Errorf("%q: left %v", c.want, entries)
		}
	}
}

// TestPython asks llama.cpp's own library what it makes of the file.
func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(python, "-c", "import gguf").Run()
	}
	if err != nil {
		t.Skip("no Python with gguf here")
	}
	path, _ := writeSample(t)
	script := `import sys
from gguf import GGUFReader
r = GGUFReader(sys.argv[1])
print(len([k for k in r.fields if not k.startswith("GGUF.")]))
for t in r.tensors: print(t.name, t.tensor_type.name, [int(n) for n in t.shape], t.data_offset % 32)`
	out, err := exec.Command(python, "-c", script, path).CombinedOutput()
	want := "27\nplain F32 [5, 3] 0\nnorm.weight BF16 [7] 0\none F16 [] 0\nq Q8_0 [64, 3, 1, 2] 0\nnone F32 [4, 0] 0\nlast Q4_1 [32] 0\n"
	if err != nil || string(out) != want {
		t.Errorf("Python read %s (%v), want %s", out, err, want)
	}
}
