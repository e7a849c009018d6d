package testkit

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"
)

// This package reads and writes safetensors by itself: it imports nothing of ft, so that the tests of every package
// can use it, and so that golden files are not read by the code that they check.

// Tensor is one tensor of a safetensors file.
type Tensor struct {
	Name  string
	Shape []int // outermost first
	Data  []float32
}

type entry struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// Tensors reads the tensors of a safetensors file by name; all must be F32 or BF16.
func Tensors(t testing.TB, path string) map[string]Tensor {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 8 + binary.LittleEndian.Uint64(b)
	header := map[string]json.RawMessage{}
	if err := json.Unmarshal(b[8:n], &header); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	delete(header, "__metadata__")
	out := map[string]Tensor{}
	for name, raw := range header {
		var e entry
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatalf("%s: %s: %v", path, name, err)
		}
		data := b[n:][e.Offsets[0]:e.Offsets[1]]
		x := Tensor{Name: name, Shape: e.Shape}
		switch e.DType {
		case "F32":
			x.Data = make([]float32, len(data)/4)
			for i := range x.Data {
				x.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			}
		case "BF16":
			x.Data = make([]float32, len(data)/2)
			for i := range x.Data {
				x.Data[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16)
			}
		default:
			t.Fatalf("%s: %s is %s: tests read F32 and BF16", path, name, e.DType)
		}
		out[name] = x
	}
	return out
}

// WriteTensors writes a safetensors file, the values rounded to bfloat16 if bf16, else as they are.
func WriteTensors(t testing.TB, path string, tensors []Tensor, bf16 bool) {
	t.Helper()
	header := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	var data bytes.Buffer
	dtype := "F32"
	if bf16 {
		dtype = "BF16"
	}
	for _, x := range tensors {
		begin := data.Len()
		for _, v := range x.Data {
			bits := math.Float32bits(v)
			if bf16 { // to nearest, ties to even
				data.Write(binary.LittleEndian.AppendUint16(nil, uint16((bits+0x7fff+bits>>16&1)>>16)))
			} else {
				data.Write(binary.LittleEndian.AppendUint32(nil, bits))
			}
		}
		header[x.Name] = entry{dtype, x.Shape, [2]int{begin, data.Len()}}
	}
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	h = append(h, bytes.Repeat([]byte{' '}, (8-len(h)%8)%8)...)
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...)
	if err := os.WriteFile(path, append(file, data.Bytes()...), 0o666); err != nil {
		t.Fatal(err)
	}
}
