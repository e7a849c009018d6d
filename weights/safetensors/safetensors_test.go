package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/internal/quant"
	"ft/weights"
)

// sample is one tensor of each usable dtype, a scalar, an empty tensor and one that ft cannot use.
var sample = []Info{
	{"model.b", "BF16", []int{2, 3}},
	{"model.a", "F32", []int{2, 2, 2}},
	{"scalar", "F32", nil},
	{"empty", "F16", []int{0, 5}},
	{`odd "name" <é>`, "F16", []int{3}},
	{"mask", "BOOL", []int{5}},
}

// writeSample writes sample to a new folder and gives the path and the values of each tensor.
func writeSample(t *testing.T) (string, map[string][]float32) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.safetensors")
	w, err := NewWriter(path, sample, map[string]string{"format": "pt", "note": `a "quote"`})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	values := map[string][]float32{}
	for i, info := range sample {
		if err := w.Next(info.Name); err != nil {
			t.Fatal(err)
		}
		if info.DType == "BOOL" {
			if _, err := w.Write([]byte{1, 0, 1, 1, 0}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		n, _ := weights.Count(info.Shape)
		for k := range n {
			values[info.Name] = append(values[info.Name], float32(k)*0.5-float32(i))
		}
		for _, part := range [][]float32{values[info.Name][:n/2], values[info.Name][n/2:]} {
			if err := w.WriteFloats(part); err != nil {
				t.Fatal(err)
			}
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
	var names []string
	for _, info := range sample {
		names = append(names, info.Name)
		got, data, err := f.Raw(info.Name)
		if err != nil || got.DType != info.DType || !slices.Equal(got.Shape, info.Shape) {
			t.Fatalf("%+v came back as %+v (%v)", info, got, err)
		}
		if info.DType == "BOOL" {
			if !bytes.Equal(data, []byte{1, 0, 1, 1, 0}) {
				t.Errorf("%s: bytes %v", info.Name, data)
			}
			continue
		}
		tensor, err := f.Tensor(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got := tensor.Floats(); !slices.Equal(got, values[info.Name]) {
			t.Errorf("%s: %v, want %v", info.Name, got, values[info.Name])
		}
	}
	// Empty tensors take no room, so they may come before or after a neighbour.
	got := f.Names()
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("names %q, want %q", got, names)
	}
	if m := f.Metadata(); m["format"] != "pt" || m["note"] != `a "quote"` || len(m) != 2 {
		t.Errorf("metadata %v", m)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := binary.LittleEndian.Uint64(raw); n%8 != 0 || raw[8+n-1] != ' ' && raw[8+n-1] != '}' {
		t.Errorf("the header's length %d is no multiple of 8 or it does not end in } and spaces", n)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Tensor("scalar"); !errors.Is(err, weights.ErrNoTensor) {
		t.Errorf("after Close: %v, want ErrNoTensor", err)
	}
}

// TestPython asks the format's own library what it makes of the file.
func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(python, "-c", "import safetensors, numpy").Run()
	}
	if err != nil {
		t.Skip("no Python with safetensors and numpy here")
	}
	path := filepath.Join(t.TempDir(), "a.safetensors")
	tensors := map[string]Floats{"a": {[]int{2, 2}, []float32{1, 2, 3, 4}}, "b": {nil, []float32{7}}}
	if err := Save(path, tensors, map[string]string{"format": "np"}); err != nil {
		t.Fatal(err)
	}
	script := `import sys
from safetensors.numpy import load_file
for name, v in sorted(load_file(sys.argv[1]).items()): print(name, v.dtype, v.tolist())`
	out, err := exec.Command(python, "-c", script, path).CombinedOutput()
	if want := "a float32 [[1.0, 2.0], [3.0, 4.0]]\nb float32 7.0\n"; err != nil || string(out) != want {
		t.Errorf("Python read %s (%v), want %s", out, err, want)
	}
}

func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := Save(path, map[string]Floats{"z": {[]int{2}, []float32{1, 2}}, "a": {[]int{1, 1}, []float32{3}}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := f.Names(); !slices.Equal(got, []string{"a", "z"}) || f.Metadata() != nil {
		t.Errorf("names %q, metadata %v", got, f.Metadata())
	}
	z, err := f.Tensor("z")
	if err != nil || !slices.Equal(z.Floats(), []float32{1, 2}) || z.Type != quant.F32 {
		t.Errorf("%+v (%v)", z, err)
	}
	if err := Save(path, map[string]Floats{"z": {[]int{3}, []float32{1, 2}}}, nil); err == nil {
		t.Error("2 values went for shape [3]")
	}
	if _, err := Open(path); err != nil {
		t.Errorf("the failed Save hurt the old file: %v", err)
	}
}

func TestNewWriter_refuses(t *testing.T) {
	cases := map[string][]Info{
		"used before":  {{"a", "F32", nil}, {"a", "F32", nil}},
		"reserved":     {{"__metadata__", "F32", nil}},
		"not UTF-8":    {{"\xff", "F32", nil}},
		"none of the":  {{"a", "F33", nil}},
		"negative":     {{"a", "F32", []int{-1}}},
		"whole number": {{"a", "F4", []int{3}}},
		"too large":    {{"a", "U8", []int{math.MaxInt, 2}}},
		"together":     {{"a", "F64", []int{math.MaxInt / 16}}, {"b", "F64", []int{math.MaxInt / 16}}, {"c", "U8", []int{64}}},
	}
	for want, infos := range cases {
		path := filepath.Join(t.TempDir(), "x")
		if _, err := NewWriter(path, infos, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want one with %q", infos, err, want)
		}
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) > 0 {
			t.Errorf("%v: left %v", infos, entries)
		}
	}
}

// writeShards makes a folder with two shards and the given index.
func writeShards(t *testing.T, index string) string {
	t.Helper()
	dir := t.TempDir()
	for name, tensors := range map[string]map[string]Floats{
		"s1.safetensors": {"a": {nil, []float32{1}}, "extra": {nil, []float32{9}}},
		"s2.safetensors": {"b": {nil, []float32{2}}, "a": {nil, []float32{8}}},
	} {
		if err := Save(filepath.Join(dir, name), tensors, map[string]string{"from": name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(index), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOpenDir_shards(t *testing.T) {
	dir := writeShards(t, `{"metadata":{"total_size":8},"weight_map":{"b":"s2.safetensors","a":"s1.safetensors"}}`)
	f, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := map[string]float32{}
	for _, name := range f.Names() {
		tensor, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		got[name] = tensor.Floats()[0]
	}
	if want := map[string]float32{"a": 1, "b": 2}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if f.Metadata()["from"] != "s1.safetensors" {
		t.Errorf("metadata %v", f.Metadata())
	}
}

func TestOpenDir_refuses(t *testing.T) {
	cases := []struct{ index, want string }{
		{`{"weight_map":{"a":"../s1.safetensors"}}`, "no name of a file"},
		{`{"weight_map":{"a":".."}}`, "no name of a file"},
		{`{"weight_map":{"a":"/etc/passwd"}}`, "no name of a file"},
		{`{"weight_map":{"a":"x\\s1.safetensors"}}`, "no name of a file"},
		{`{"weight_map":{"a":""}}`, "no name of a file"},
		{`{"weight_map":{"a":"s1.safetensors","b":"s3.safetensors"}}`, "1 of 2 shards are not there: s3.safetensors"},
		{`{"weight_map":{"a":"s1.safetensors","c":"s2.safetensors"}}`, `lacks, such as "c"`},
		{`{"weight_map":{"a":"s1.safetensors","a":"s2.safetensors"}}`, "stands twice"},
		{`{"weight_map":{"a":1}}`, "string should stand"},
		{`{"weight_map":{}}`, "names no tensor"},
		{`{"metadata":{}}`, "names no tensor"},
		{`{"weight_map":{"a":"s1.safetensors"}} {}`, "follows its end"},
		{`{"weight_map":{"a":"s1.safetensors"`, "unexpected EOF"},
		{``, "unexpected EOF"},
	}
	for _, c := range cases {
		if _, err := OpenDir(writeShards(t, c.index)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.index, err, c.want)
		}
	}
	empty := t.TempDir()
	if _, err := OpenDir(empty); err == nil || !strings.Contains(err.Error(), "no model.safetensors and no") {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := OpenDir(filepath.Join(empty, "x")); err == nil || !strings.Contains(err.Error(), "no such folder") {
		t.Errorf("no folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(empty, "pytorch_model.bin"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDir(empty); err == nil || !strings.Contains(err.Error(), "pickle") {
		t.Errorf("folder with a pickle: %v", err)
	}
}
