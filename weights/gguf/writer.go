package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"

	"ft/weights"
)

// KV is one metadata entry for NewWriter. Value is an int8 … int64, uint8 … uint64, float32, float64, bool,
// string, or a slice of one of these; int and uint are not taken, since the file needs a width.
type KV struct {
	Key   string
	Value any
}

// maxName is the longest tensor name in bytes that llama.cpp can hold.
const maxName = 63

// NewWriter starts a GGUF version 3 file at path: metadata in the given order, then the descriptions of all
// tensors in the order in which they will be written. Data is aligned to 32 bytes.
func NewWriter(path string, metadata []KV, tensors []Info) (*weights.Writer, error) {
	header, extents, err := layOut(metadata, tensors)
	if err != nil {
		return nil, fmt.Errorf("gguf: %s: %w", path, err)
	}
	return weights.NewWriter(path, header, extents, defaultAlignment)
}

var le = binary.LittleEndian

func layOut(metadata []KV, tensors []Info) ([]byte, []weights.Extent, error) {
	b := append([]byte(magic), version, 0, 0, 0)
	b = le.AppendUint64(b, uint64(len(tensors)))
	b = le.AppendUint64(b, uint64(len(metadata)))
	seen := map[string]bool{"general.alignment": true}
	for _, kv := range metadata {
		if seen[kv.Key] || len(kv.Key) > maxKey {
			return nil, nil, fmt.Errorf("key %q is reserved, used before or too long", short(kv.Key))
		}
		seen[kv.Key] = true
		var err error
		if b, err = appendValue(appendString(b, kv.Key), kv.Value); err != nil {
			return nil, nil, fmt.Errorf("key %q: %w", kv.Key, err)
		}
	}
	extents := make([]weights.Extent, len(tensors))
	named := map[string]bool{}
	at := 0
	for i, t := range tensors {
		if named[t.Name] || len(t.Name) > maxName || len(t.Shape) > maxDims {
			return nil, nil, fmt.Errorf("tensor %q, shape %v: used before, longer than %d bytes, or more than %d dimensions", short(t.Name), t.Shape, maxName, maxDims)
		}
		named[t.Name] = true
		size, err := weights.Size(t.Type, t.Shape)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if size > math.MaxInt-defaultAlignment-at {
			return nil, nil, errors.New("the tensors together are too large")
		}
		extents[i] = weights.Extent{Name: t.Name, Type: t.Type, Size: size}
		b = appendInfo(b, t, at)
		at += aligned(size)
	}
	return append(b, make([]byte, aligned(len(b))-len(b))...), extents, nil
}

// aligned rounds n up to a multiple of the alignment.
func aligned(n int) int { return (n + defaultAlignment - 1) / defaultAlignment * defaultAlignment }

func appendString(b []byte, s string) []byte { return append(le.AppendUint64(b, uint64(len(s))), s...) }

func appendInfo(b []byte, t Info, offset int) []byte {
	b = le.AppendUint32(appendString(b, t.Name), uint32(len(t.Shape)))
	for i := range t.Shape {
		b = le.AppendUint64(b, uint64(t.Shape[len(t.Shape)-1-i]))
	}
	b = le.AppendUint32(b, uint32(t.Type))
	return le.AppendUint64(b, uint64(offset))
}

// appendValue appends the value's type and the value.
func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return appendString(appendType(b, typeString), v), nil
	case []string:
		b = appendArray(b, typeString, len(v))
		for _, s := range v {
			b = appendString(b, s)
		}
		return b, nil
	}
	kind := reflect.TypeOf(v)
	array := kind != nil && kind.Kind() == reflect.Slice
	if array {
		kind = kind.Elem()
	}
	at := slices.Index(goTypes[:], kind)
	switch {
	case kind == nil || at < 0:
		return nil, fmt.Errorf("%T is no type of the format", v)
	case array:
		b = appendArray(b, valueType(at), reflect.ValueOf(v).Len())
	default:
		b = appendType(b, valueType(at))
	}
	return binary.Append(b, le, v)
}

func appendType(b []byte, t valueType) []byte { return le.AppendUint32(b, uint32(t)) }

func appendArray(b []byte, elem valueType, n int) []byte {
	b = appendType(appendType(b, typeArray), elem)
	return le.AppendUint64(b, uint64(n))
}
