package gguf

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"ft/internal/quant"
	"ft/weights"
)

const (
	magic            = "GGUF"
	version          = 3 // what the writer writes
	defaultAlignment = 32
	maxAlignment     = 1 << 24
	maxDims          = 4
	maxKey           = 1<<16 - 1 // bytes
)

// parse reads and checks a whole file. Strings and arrays stay in file until someone asks for them.
func parse(file []byte) (*File, error) {
	if len(file) < 4 || string(file[:4]) != magic {
		return nil, fmt.Errorf("it does not start with %q, so it is no GGUF file", magic)
	}
	r := &reader{file: file, at: 4}
	if err := checkVersion(r.uint32()); err != nil && r.err == nil {
		return nil, err
	}
	tensors, keys := r.uint64(), r.uint64()
	f := &File{values: map[string]value{}, tensors: map[string]content{}}
	f.readKeys(r, keys)
	if r.err != nil {
		return nil, r.err
	}
	alignment, err := f.alignment()
	if err != nil {
		return nil, err
	}
	if parts, err := f.Uint("split.count"); err == nil && parts > 1 {
		return nil, fmt.Errorf("it is one of %d parts of a split model: join them with llama-gguf-split --merge", parts)
	}
	places := f.readTensors(r, tensors)
	if r.err != nil {
		return nil, r.err
	}
	f.header = file[:r.at]
	return f, f.place(places, file, r.at, alignment)
}

func checkVersion(v uint32) error {
	switch {
	case v == 2 || v == 3:
		return nil
	case v == 1:
		return errors.New("GGUF version 1 is not supported: convert the model again with a current llama.cpp")
	case v&0xffff == 0 && v != 0:
		return fmt.Errorf("it is big-endian (version %d), only little-endian is supported", bits.ReverseBytes32(v))
	}
	return fmt.Errorf("GGUF version %d is not supported (have 2 and 3)", v)
}

func (f *File) readKeys(r *reader, n uint64) {
	if r.room("keys", n, 8+4+1); r.err != nil {
		return
	}
	for range n {
		key := r.string()
		if len(key) > maxKey {
			r.fail("a key is %d bytes long, the format allows %d", len(key), maxKey)
		}
		at := r.at
		v := r.value(valueType(r.uint32()), 0)
		if r.err != nil {
			r.err = fmt.Errorf("key %q at byte %d: %w", short(key), at, r.err)
			return
		}
		if _, twice := f.values[key]; twice {
			r.fail("the key %q stands twice", key)
			return
		}
		f.keys = append(f.keys, key)
		f.values[key] = v
	}
}

// alignment is general.alignment: a power of two like ggml wants it, 32 if the key is absent.
func (f *File) alignment() (int, error) {
	const key = "general.alignment"
	if !f.Has(key) {
		return defaultAlignment, nil
	}
	a, err := f.Uint(key)
	if err != nil {
		return 0, err
	}
	if bits.OnesCount64(a) != 1 || a > maxAlignment {
		return 0, fmt.Errorf("%s is %d, not a power of two up to %d", key, a, maxAlignment)
	}
	return int(a), nil
}

// place is where a tensor lies: data[offset:offset+size] of the data section, size 0 if the format is unknown.
type place struct {
	name         string
	offset, size int
}

func (f *File) readTensors(r *reader, n uint64) []place {
	if r.room("tensors", n, 8+4+4+8); r.err != nil {
		return nil
	}
	var places []place
	for range n {
		name := r.string()
		at := r.at
		p, info := r.tensor(name)
		if r.err != nil {
			r.err = fmt.Errorf("tensor %q at byte %d: %w", short(name), at, r.err)
			return nil
		}
		if _, twice := f.tensors[name]; twice {
			r.fail("the tensor %q stands twice", name)
			return nil
		}
		f.names = append(f.names, name)
		f.tensors[name] = content{Info: info}
		places = append(places, p)
	}
	return places
}

// place gives the tensors their bytes. The data section starts at the first aligned byte from at.
func (f *File) place(places []place, file []byte, at, alignment int) error {
	at += (alignment - at%alignment) % alignment
	data := file[min(at, len(file)):]
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.size, b.size))
	})
	end := 0
	for i, p := range places {
		if p.offset%alignment != 0 {
			return fmt.Errorf("tensor %q starts at byte %d of the data, no multiple of %d", p.name, p.offset, alignment)
		}
		if p.offset > len(data) || p.size > len(data)-p.offset {
			return fmt.Errorf("tensor %q: %d bytes from byte %d of the data, which has %d: the file is cut short", p.name, p.size, p.offset, len(data))
		}
		if p.offset < end {
			return fmt.Errorf("tensors %q and %q overlap", places[i-1].name, p.name)
		}
		end = p.offset + p.size
		t := f.tensors[p.name]
		t.data = data[p.offset:end:end]
		f.tensors[p.name] = t
	}
	return nil
}

// reader takes the file apart. The first failure stays in err, after which it gives zeros.
type reader struct {
	file []byte
	at   int
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// room checks that count things of at least size bytes can follow, before anything is made for them.
func (r *reader) room(what string, count uint64, size int) {
	if left := len(r.file) - r.at; count > uint64(left/size) {
		r.fail("%d %s are announced at byte %d, only %d bytes follow", count, what, r.at, left)
	}
}

// take gives the next n bytes, nil if they are not there.
func (r *reader) take(n uint64) []byte {
	left := len(r.file) - r.at
	if r.err == nil && n > uint64(left) {
		r.fail("%d bytes are announced at byte %d, only %d follow", n, r.at, left)
	}
	if r.err != nil {
		return nil
	}
	b := r.file[r.at:][:n:n]
	r.at += int(n)
	return b
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) string() string { return string(r.take(r.uint64())) }

// tensor reads one tensor's description behind its name.
func (r *reader) tensor(name string) (place, Info) {
	dims := r.uint32()
	if dims > maxDims {
		r.fail("%d dimensions, at most %d are allowed", dims, maxDims)
		return place{}, Info{}
	}
	shape := make([]int, dims)
	for i := range shape {
		d := r.uint64()
		if d > math.MaxInt {
			r.fail("dimension %d is %d", i, d)
		}
		shape[int(dims)-1-i] = int(d)
	}
	typ, offset := quant.Type(r.uint32()), r.uint64()
	if offset > math.MaxInt {
		r.fail("its data start at byte %d", offset)
	}
	var size int
	var err error
	if typ.Known() {
		size, err = weights.Size(typ, shape)
	} else {
		_, err = weights.Count(shape)
	}
	if err != nil {
		r.fail("%w", err)
	}
	return place{name, int(offset), size}, Info{name, typ, shape}
}

// short is a name for a message, cut where a file made it very long.
func short(name string) string {
	if len(name) > 100 {
		return string(bytes.ToValidUTF8([]byte(name[:100]), nil)) + "…"
	}
	return name
}
