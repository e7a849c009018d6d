package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"ft/internal/quant"
	"ft/weights"
)

// NewWriter starts the file at path: tensors gives all tensors in the order in which they will be written,
// metadata the strings of __metadata__ (none if empty). Tensors of F32, F16 and BF16 can be written as
// floats, those of every dtype as raw bytes.
func NewWriter(path string, tensors []Info, metadata map[string]string) (*weights.Writer, error) {
	header, extents, err := layOut(tensors, metadata)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", path, err)
	}
	return weights.NewWriter(path, header, extents, 1)
}

// layOut makes the header, with its length before it and spaces behind it up to a multiple of 8 bytes.
func layOut(tensors []Info, metadata map[string]string) ([]byte, []weights.Extent, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		text, err := json.Marshal(metadata) // with sorted keys
		if err != nil {
			return nil, nil, fmt.Errorf("metadata: %w", err)
		}
		fmt.Fprintf(&b, `"__metadata__":%s`, text)
	}
	extents := make([]weights.Extent, len(tensors))
	seen := map[string]bool{"__metadata__": true}
	at := 0
	for i, t := range tensors {
		if seen[t.Name] || !utf8.ValidString(t.Name) {
			return nil, nil, fmt.Errorf("tensor name %q is reserved, used before or not UTF-8", t.Name)
		}
		seen[t.Name] = true
		size, err := t.size()
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if at+size < at {
			return nil, nil, errors.New("the tensors together are too large")
		}
		typ, ok := usable[t.DType]
		if !ok {
			typ = unusable
		}
		extents[i] = weights.Extent{Name: t.Name, Type: typ, Size: size}
		if b.Len() > 9 {
			b.WriteByte(',')
		}
		if err := putEntry(&b, t, at, at+size); err != nil {
			return nil, nil, err
		}
		at += size
	}
	b.WriteByte('}')
	b.WriteString("        "[:(8-b.Len()%8)%8])
	header := b.Bytes()
	if len(header)-8 > maxHeader {
		return nil, nil, fmt.Errorf("%d tensors need a header of %d bytes, more than the %d of the format", len(tensors), len(header), maxHeader)
	}
	binary.LittleEndian.PutUint64(header, uint64(len(header)-8))
	return header, extents, nil
}

// unusable is a format without an encoder: such tensors can be copied but not made.
const unusable = ^quant.Type(0)

func putEntry(b *bytes.Buffer, t Info, begin, end int) error {
	name, err := json.Marshal(t.Name)
	if err != nil {
		return err
	}
	value, err := json.Marshal(struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}{t.DType, append([]int{}, t.Shape...), [2]int{begin, end}})
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "%s:%s", name, value)
	return nil
}

// Floats is a float32 tensor in memory.
type Floats struct {
	Shape []int     // outermost first
	Data  []float32 // row after row
}

// Save writes tensors as F32 to one file, sorted by name.
func Save(path string, tensors map[string]Floats, metadata map[string]string) error {
	names := slices.Sorted(maps.Keys(tensors))
	infos := make([]Info, len(names))
	for i, name := range names {
		infos[i] = Info{Name: name, DType: "F32", Shape: tensors[name].Shape}
	}
	w, err := NewWriter(path, infos, metadata)
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, name := range names {
		if err := w.Next(name); err != nil {
			return err
		}
		if err := w.WriteFloats(tensors[name].Data); err != nil {
			return err
		}
	}
	return w.Close()
}
