package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
)

// valueType is the type of a metadata value, as the file numbers it.
type valueType uint32

const (
	typeUint8 valueType = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)

var typeNames = [...]string{"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string",
	"array", "uint64", "int64", "float64"}

// typeSizes are the bytes of one value; strings and arrays have no fixed size.
var typeSizes = [len(typeNames)]int{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

// goTypes are the Go types of numbers and bools, nil for the rest.
var goTypes = [len(typeNames)]reflect.Type{
	typeUint8: reflect.TypeFor[uint8](), typeInt8: reflect.TypeFor[int8](), typeUint16: reflect.TypeFor[uint16](),
	typeInt16: reflect.TypeFor[int16](), typeUint32: reflect.TypeFor[uint32](), typeInt32: reflect.TypeFor[int32](),
	typeFloat32: reflect.TypeFor[float32](), typeBool: reflect.TypeFor[bool](), typeUint64: reflect.TypeFor[uint64](),
	typeInt64: reflect.TypeFor[int64](), typeFloat64: reflect.TypeFor[float64](),
}

func (t valueType) String() string {
	if int64(t) < int64(len(typeNames)) {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// maxDepth is how deep arrays may lie in arrays. llama.cpp knows no nesting at all.
const maxDepth = 4

// value is one checked metadata value, still in the form it has in the file.
type value struct {
	typ  valueType
	elem valueType // of an array
	n    int       // elements of an array
	raw  []byte    // a string's text without its length, an array's elements, or the number
}

// ErrNoKey is what errors.Is finds in the error for a metadata key that the file lacks.
var ErrNoKey = errors.New("no such metadata key")

// value reads and checks a value of type t.
func (r *reader) value(t valueType, depth int) value {
	switch {
	case t == typeString:
		return value{typ: t, raw: r.take(r.uint64())}
	case t == typeArray:
		return r.array(depth)
	case int64(t) >= int64(len(typeNames)):
		r.fail("value type %d is unknown", uint32(t))
		return value{}
	}
	v := value{typ: t, raw: r.take(uint64(typeSizes[t]))}
	r.checkBools(t, v.raw)
	return v
}

func (r *reader) array(depth int) value {
	if depth == maxDepth {
		r.fail("arrays lie more than %d deep", maxDepth)
		return value{}
	}
	elem := valueType(r.uint32())
	n := r.uint64()
	start := r.at
	switch {
	case int64(elem) >= int64(len(typeNames)):
		r.fail("element type %d is unknown", uint32(elem))
	case typeSizes[elem] > 0:
		r.room("elements", n, typeSizes[elem])
		if r.err == nil {
			r.checkBools(elem, r.take(n*uint64(typeSizes[elem])))
		}
	default:
		r.room("elements", n, 8)
		for i := uint64(0); i < n && r.err == nil; i++ {
			r.value(elem, depth+1)
		}
	}
	if r.err != nil {
		return value{}
	}
	return value{typ: typeArray, elem: elem, n: int(n), raw: r.file[start:r.at:r.at]}
}

// checkBools refuses bytes that are neither 0 nor 1 where t is bool.
func (r *reader) checkBools(t valueType, raw []byte) {
	if t == typeBool && slices.ContainsFunc(raw, func(b byte) bool { return b > 1 }) {
		r.fail("a bool is neither 0 nor 1")
	}
}

// number decodes one value of fixed size to the Go type of its name.
func number(t valueType, b []byte) any {
	le := binary.LittleEndian
	switch t {
	case typeUint8:
		return b[0]
	case typeInt8:
		return int8(b[0])
	case typeUint16:
		return le.Uint16(b)
	case typeInt16:
		return int16(le.Uint16(b))
	case typeUint32:
		return le.Uint32(b)
	case typeInt32:
		return int32(le.Uint32(b))
	case typeFloat32:
		return math.Float32frombits(le.Uint32(b))
	case typeBool:
		return b[0] != 0
	case typeUint64:
		return le.Uint64(b)
	case typeInt64:
		return int64(le.Uint64(b))
	}
	return math.Float64frombits(le.Uint64(b))
}

// decode gives the value as Value documents it.
func (v value) decode() any {
	switch v.typ {
	case typeString:
		return string(v.raw)
	case typeArray:
		return v.decodeArray()
	}
	return number(v.typ, v.raw)
}

func (v value) decodeArray() any {
	r := reader{file: v.raw}
	switch v.elem {
	case typeString:
		list := make([]string, v.n)
		for i := range list {
			list[i] = r.string()
		}
		return list
	case typeArray:
		list := make([]any, v.n)
		for i := range list {
			list[i] = r.array(0).decodeArray()
		}
		return list
	}
	list := reflect.MakeSlice(reflect.SliceOf(goTypes[v.elem]), v.n, v.n).Interface()
	// The size was checked when the file was opened, so this cannot fail.
	_, _ = binary.Decode(v.raw, binary.LittleEndian, list)
	return list
}
