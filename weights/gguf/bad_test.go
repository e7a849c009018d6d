package gguf

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ft/internal/quant"
	"ft/weights"
)

// header starts a file with the given counts.
func header(version uint32, tensors, keys uint64) []byte {
	b := le.AppendUint32([]byte(magic), version)
	return le.AppendUint64(le.AppendUint64(b, tensors), keys)
}

// join puts parts behind each other: strings as they are, integers little-endian in their width.
func join(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		default:
			b, _ = binary.Append(b, le, p)
		}
	}
	return b
}

// key is a metadata key with its length; text a string with its own.
func key(s string) []byte { return appendString(nil, s) }

// tensor is a description, dims in the file's order.
func tensor(name string, typ quant.Type, offset uint64, dims ...uint64) []byte {
	b := join(key(name), uint32(len(dims)))
	for _, d := range dims {
		b = le.AppendUint64(b, d)
	}
	return join(b, uint32(typ), offset)
}

// oneTensor is a file with one tensor and size bytes of data.
func oneTensor(t []byte, size int) []byte {
	b := join(header(3, 1, 0), t)
	return append(b, make([]byte, aligned(len(b))-len(b)+size)...)
}

const huge = 1 << 62

func TestOpen_bad(t *testing.T) {
	u32 := uint32(typeUint32)
	cases := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "no GGUF file"},
		{"other magic", []byte("GGML\x03\x00\x00\x00"), "no GGUF file"},
		{"magic only", []byte("GGUF"), "4 bytes are announced"},
		{"version 0", header(0, 0, 0), "version 0 is not supported"},
		{"version 1", header(1, 0, 0), "convert the model again"},
		{"version 4", header(4, 0, 0), "version 4 is not supported"},
		{"big-endian", join(magic, []byte{0, 0, 0, 3}, make([]byte, 16)), "big-endian (version 3)"},
		{"no counts", header(3, 0, 0)[:20], "8 bytes are announced"},
		{"many keys", header(3, 0, huge), "keys are announced"},
		{"more keys than bytes", join(header(3, 0, 2), key("a"), u32, uint32(0)), "2 keys are announced"},
		{"many tensors", header(3, 1<<64-1, 0), "tensors are announced"},
		{"key length", join(header(3, 0, 1), uint64(huge), make([]byte, 32)), "bytes are announced"},
		{"key length all ones", join(header(3, 0, 1), uint64(1<<64-1), make([]byte, 32)), "bytes are announced"},
		{"key too long", join(header(3, 0, 1), key(strings.Repeat("k", 1<<16)), u32, uint32(0)), "the format allows 65535"},
		{"key without value", join(header(3, 0, 1), key("abcdef"), u32), `key "abcdef"`},
		{"key twice", join(header(3, 0, 2), key("k"), u32, uint32(1), key("k"), u32, uint32(1)), `"k" stands twice`},
		{"value type", join(header(3, 0, 1), key("k"), uint32(13), uint64(0)), "value type 13 is unknown"},
		{"value type huge", join(header(3, 0, 1), key("k"), uint32(1<<31), uint64(0)), "is unknown"},
		{"bool 2", join(header(3, 0, 1), key("k"), uint32(typeBool), uint8(2)), "neither 0 nor 1"},
		{"bools 2", join(header(3, 0, 1), key("k"), uint32(typeArray), uint32(typeBool), uint64(2), uint8(1), uint8(7)), "neither 0 nor 1"},
		{"string length", join(header(3, 0, 1), key("k"), uint32(typeString), uint64(9), "12345678"), "9 bytes are announced"},
		{"array length", join(header(3, 0, 1), key("k"), uint32(typeArray), u32, uint64(huge), uint64(0)), "elements are announced"},
		{"array length overflows", join(header(3, 0, 1), key("k"), uint32(typeArray), uint32(typeFloat64), uint64(1<<61), uint64(0)), "elements are announced"},
		{"element type", join(header(3, 0, 1), key("k"), uint32(typeArray), uint32(99), uint64(0)), "element type 99 is unknown"},
		{"string array length", join(header(3, 0, 1), key("k"), uint32(typeArray), uint32(typeString), uint64(huge), uint64(0)), "elements are announced"},
		{"string in array", join(header(3, 0, 1), key("k"), uint32(typeArray), uint32(typeString), uint64(1), uint64(5), "1234"), "5 bytes are announced"},
		{"deep arrays", join(header(3, 0, 1), key("k"), nested(5)), "more than 4 deep"},
		{"very deep arrays", join(header(3, 0, 1), key("k"), nested(100_000)), "more than 4 deep"},
		{"alignment 0", join(header(3, 0, 1), key("general.alignment"), u32, uint32(0)), "not a power of two"},
		{"alignment 24", join(header(3, 0, 1), key("general.alignment"), u32, uint32(24)), "not a power of two"},
		{"alignment huge", join(header(3, 0, 1), key("general.alignment"), u32, uint32(1<<31)), "not a power of two up to"},
		{"alignment text", join(header(3, 0, 1), key("general.alignment"), uint32(typeString), uint64(0)), "not a non-negative integer"},
		{"split", join(header(3, 0, 1), key("split.count"), uint32(typeUint16), uint16(3)), "one of 3 parts"},
		{"name length", join(header(3, 1, 0), uint64(huge), make([]byte, 32)), "bytes are announced"},
		{"5 dimensions", oneTensor(tensor("x", quant.F32, 0, 1, 1, 1, 1, 1), 32), "5 dimensions, at most 4"},
		{"many dimensions", join(header(3, 1, 0), key("x"), uint32(1<<31), make([]byte, 32)), "at most 4"},
		{"dimension", oneTensor(tensor("x", quant.F32, 0, 1<<63), 32), "dimension 0 is 9223372036854775808"},
		{"product overflows", oneTensor(tensor("x", quant.F32, 0, 1<<32, 1<<32), 32), "too large"},
		{"bytes overflow", oneTensor(tensor("x", quant.F32, 0, math.MaxInt/4+1), 32), "too large"},
		{"product of unknown", oneTensor(tensor("x", 23, 0, 1<<32, 1<<32), 32), "too large"},
		{"half a block", oneTensor(tensor("x", quant.Q4_0, 0, 48, 2), 64), "multiple of 32"},
		{"half a superblock", oneTensor(tensor("x", quant.Q6_K, 0, 128, 2), 512), "multiple of 256"},
		{"offset", oneTensor(tensor("x", quant.F32, 1<<63, 1), 32), "start at byte 9223372036854775808"},
		{"offset beyond", oneTensor(tensor("x", quant.F32, 64, 1), 32), "which has 32: the file is cut short"},
		{"offset plus size", oneTensor(tensor("x", quant.F32, 32, 1), 35), "which has 35: the file is cut short"},
		{"offset plus size overflows", oneTensor(tensor("x", quant.F32, math.MaxInt-31, 64), 32), "cut short"},
		{"offset of unknown", oneTensor(tensor("x", 23, 64, 256), 32), "cut short"},
		{"unaligned", oneTensor(tensor("x", quant.F32, 4, 1), 32), "no multiple of 32"},
		{"too little data", oneTensor(tensor("x", quant.F32, 0, 16), 63), "64 bytes from byte 0 of the data, which has 63"},
		{"no data", oneTensor(tensor("x", quant.F32, 0, 16), 0), "cut short"},
		{"tensor twice", join(header(3, 2, 0), tensor("x", quant.F32, 0, 1), tensor("x", quant.F32, 32, 1), make([]byte, 96)), `"x" stands twice`},
		{"overlap", join(header(3, 2, 0), tensor("x", quant.F32, 0, 16), tensor("y", quant.F32, 32, 1), make([]byte, 256)), `"x" and "y" overlap`},
		{"same place", join(header(3, 2, 0), tensor("x", quant.F32, 0, 1), tensor("y", quant.F32, 0, 1), make([]byte, 256)), "overlap"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.gguf")
			if err := os.WriteFile(path, c.file, 0o666); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one with the path and %q", err, c.want)
			}
			if err != nil && len(err.Error()) > 400+len(path) {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		})
	}
}

// nested is an array value that holds depth-1 arrays, each in the one before, and at last no bytes.
func nested(depth int) []byte {
	b := join(uint32(typeArray))
	for range depth - 1 {
		b = append(b, join(uint32(typeArray), uint64(1))...)
	}
	return join(b, uint32(typeUint8), uint64(0))
}

func TestOpen_odd(t *testing.T) {
	three := join(header(2, 3, 1), key("general.alignment"), uint32(typeUint32), uint32(8),
		tensor("far", quant.F32, 64, 2), tensor("odd", 23, 0, 256), tensor("near", quant.F32, 8, 1, 3))
	three = append(three, make([]byte, (8-len(three)%8)%8)...)
	data := make([]float32, 18)
	data[16], data[17] = 7, 8 // at byte 64
	data[2], data[3], data[4] = 1, 2, 3
	three = join(three, data)
	path := filepath.Join(t.TempDir(), "x.gguf")
	if err := os.WriteFile(path, three, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string]weights.Tensor{"far": {Shape: []int{2}}, "near": {Shape: []int{3, 1}}} {
		got, err := f.Tensor(name)
		if err != nil || !reflect.DeepEqual(got.Shape, want.Shape) {
			t.Errorf("%s: shape %v (%v), want %v", name, got.Shape, err, want.Shape)
		}
	}
	near, _ := f.Tensor("near")
	if got := near.Floats(); !reflect.DeepEqual(got, []float32{1, 2, 3}) {
		t.Errorf("near holds %v", got)
	}
	if _, err := f.Tensor("odd"); err == nil || !strings.Contains(err.Error(), "IQ4_XS") {
		t.Errorf("a tensor of IQ4_XS: %v", err)
	}
	if info, err := f.Info("odd"); err != nil || info.Type != 23 {
		t.Errorf("%+v (%v)", info, err)
	}
	if _, err := f.Tensor("neaar"); err == nil || !strings.Contains(err.Error(), `close: "near"`) {
		t.Errorf("a wrong name: %v", err)
	}
}

func TestValue_nestedArrays(t *testing.T) {
	file := join(header(3, 0, 1), key("k"), uint32(typeArray), uint32(typeArray), uint64(3),
		uint32(typeUint16), uint64(2), uint16(5), uint16(6),
		uint32(typeString), uint64(1), key("x"),
		uint32(typeArray), uint64(1), uint32(typeBool), uint64(1), uint8(1))
	f, err := parse(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []any{[]uint16{5, 6}, []string{"x"}, []any{[]bool{true}}}
	if got, err := f.Value("k"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v (%v), want %v", got, err, want)
	}
}

// TestOpen_truncated cuts a good file at every byte. All that may be missing is padding behind the last tensor.
func TestOpen_truncated(t *testing.T) {
	path, _ := writeSample(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parse(whole); err != nil {
		t.Fatal(err)
	}
	padding := (32 - quant.Q4_1.RowBytes(32)%32) % 32
	for n := range whole[:len(whole)-padding] {
		if _, err := parse(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes passed for a whole file", n, len(whole))
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(header(3, 0, 0))
	f.Add(oneTensor(tensor("x", quant.Q4_0, 0, 64, 2), 72))
	f.Add(join(header(2, 2, 2), key("general.alignment"), uint32(typeUint32), uint32(8), key("k"), nested(3),
		tensor("x", quant.F32, 0, 2), tensor("y", 23, 8, 256), make([]byte, 64)))
	b, _, err := layOut(sample, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parse(data)
		if err != nil {
			return
		}
		file.mapping = &weights.Mapping{}
		for _, k := range file.Keys() {
			if v, err := file.Value(k); err != nil || v == nil {
				t.Fatalf("%q: %v (%v)", k, v, err)
			}
			for _, get := range []func(string) error{
				func(k string) error { _, err := file.Uint(k); return err },
				func(k string) error { _, err := file.Strings(k); return err },
				func(k string) error { _, err := file.Ints(k); return err },
				func(k string) error { _, err := file.Floats(k); return err },
			} {
				_ = get(k)
			}
		}
		for _, name := range file.Names() {
			tensor, err := file.Tensor(name)
			if err != nil {
				continue
			}
			if got := len(tensor.Floats()); got != tensor.Rows()*tensor.Cols() {
				t.Fatalf("%q: %d values of shape %v", name, got, tensor.Shape)
			}
		}
	})
}
