package gguf

import (
	"fmt"
	"math"
	"slices"
)

// Keys gives the metadata keys in the order of the file.
func (f *File) Keys() []string { return slices.Clone(f.keys) }

// Has reports whether the file has the metadata key.
func (f *File) Has(key string) bool { _, ok := f.values[key]; return ok }

// Value gives a metadata value in the Go type of its type in the file: uint8 … int64, float32, float64, bool,
// string, or a slice of one of these; an array of arrays is a []any of slices. It returns ErrNoKey.
func (f *File) Value(key string) (any, error) {
	v, err := f.value(key)
	if err != nil {
		return nil, err
	}
	return v.decode(), nil
}

// String gives a string. It and the other typed accessors return ErrNoKey, or an error that names the type
// the value has.
func (f *File) String(key string) (string, error) {
	v, err := f.value(key)
	if err == nil && v.typ != typeString {
		err = f.mismatch(key, v, "a string")
	}
	return string(v.raw), err
}

// Bool gives a bool.
func (f *File) Bool(key string) (bool, error) {
	v, err := f.value(key)
	if err == nil && v.typ != typeBool {
		err = f.mismatch(key, v, "a bool")
	}
	return err == nil && v.raw[0] != 0, err
}

// Uint gives an integer of any width that is not negative.
func (f *File) Uint(key string) (uint64, error) {
	v, err := f.value(key)
	if err != nil {
		return 0, err
	}
	if n, ok := number64(v.typ, v.raw); ok && n >= 0 {
		return uint64(n), nil
	}
	if v.typ == typeUint64 {
		return number(v.typ, v.raw).(uint64), nil
	}
	return 0, f.mismatch(key, v, "a non-negative integer")
}

// Float gives a number of any type, rounded to float64.
func (f *File) Float(key string) (float64, error) {
	v, err := f.value(key)
	if err != nil {
		return 0, err
	}
	if x, ok := float(v.typ, v.raw); ok {
		return x, nil
	}
	return 0, f.mismatch(key, v, "a number")
}

// Strings gives an array of strings.
func (f *File) Strings(key string) ([]string, error) {
	v, err := f.value(key)
	if err != nil {
		return nil, err
	}
	if v.typ != typeArray || v.elem != typeString {
		return nil, f.mismatch(key, v, "an array of strings")
	}
	return v.decodeArray().([]string), nil
}

// Ints gives an array of integers of any width.
func (f *File) Ints(key string) ([]int64, error) {
	return list(f, key, "an array of integers below 2^63", number64)
}

// Floats gives an array of numbers of any type, each rounded to float64.
func (f *File) Floats(key string) ([]float64, error) {
	return list(f, key, "an array of numbers", float)
}

// Bools gives an array of bools.
func (f *File) Bools(key string) ([]bool, error) {
	return list(f, key, "an array of bools", func(t valueType, b []byte) (bool, bool) {
		return b[0] != 0, t == typeBool
	})
}

func (f *File) value(key string) (value, error) {
	v, ok := f.values[key]
	if !ok {
		return v, f.wrap(fmt.Errorf("%w: %q", ErrNoKey, key))
	}
	return v, nil
}

func (f *File) mismatch(key string, v value, want string) error {
	have := v.typ.String()
	switch {
	case v.typ == typeArray:
		have = fmt.Sprintf("array of %d %s", v.n, v.elem)
	case v.typ != typeString:
		have = fmt.Sprintf("%s %v", have, number(v.typ, v.raw))
	}
	return f.wrap(fmt.Errorf("key %q is %s, not %s", key, have, want))
}

// wrap says where; while the file is being opened Open does.
func (f *File) wrap(err error) error {
	if f.path == "" {
		return err
	}
	return fmt.Errorf("gguf: %s: %w", f.path, err)
}

// list decodes an array whose elements all pass one.
func list[T any](f *File, key, want string, one func(valueType, []byte) (T, bool)) ([]T, error) {
	v, err := f.value(key)
	if err != nil {
		return nil, err
	}
	if v.typ != typeArray || typeSizes[v.elem] == 0 {
		return nil, f.mismatch(key, v, want)
	}
	out := make([]T, v.n)
	size := typeSizes[v.elem]
	for i := range out {
		var ok bool
		if out[i], ok = one(v.elem, v.raw[i*size:]); !ok {
			return nil, f.mismatch(key, v, want)
		}
	}
	return out, nil
}

// number64 is an integer of type t, false for other types and for what int64 cannot hold.
func number64(t valueType, b []byte) (int64, bool) {
	switch t {
	case typeString, typeArray:
		return 0, false
	}
	switch n := number(t, b).(type) {
	case uint8:
		return int64(n), true
	case int8:
		return int64(n), true
	case uint16:
		return int64(n), true
	case int16:
		return int64(n), true
	case uint32:
		return int64(n), true
	case int32:
		return int64(n), true
	case uint64:
		return int64(n), n <= math.MaxInt64
	case int64:
		return n, true
	}
	return 0, false
}

// float is a number of type t, false for other types.
func float(t valueType, b []byte) (float64, bool) {
	switch t {
	case typeFloat32:
		return float64(number(t, b).(float32)), true
	case typeFloat64:
		return number(t, b).(float64), true
	case typeUint64:
		return float64(number(t, b).(uint64)), true
	}
	n, ok := number64(t, b)
	return float64(n), ok
}
