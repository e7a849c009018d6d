package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"ft/weights"
)

// maxHeader is the reference implementation's limit for the JSON header, in bytes.
const maxHeader = 100_000_000

// entry is one tensor of a header, its data at file[begin:end].
type entry struct {
	Info
	begin, end int
}

// parse reads and checks a whole file: its tensors in the order of their data, and its metadata.
func parse(file []byte) ([]entry, map[string]string, error) {
	if len(file) < 8 {
		return nil, nil, fmt.Errorf("%d bytes are too few for a safetensors file", len(file))
	}
	n := binary.LittleEndian.Uint64(file)
	if n > maxHeader || n > uint64(len(file)-8) {
		return nil, nil, fmt.Errorf("the header is %d bytes long by its own account, the file has %d", n, len(file))
	}
	header, data := file[8:8+n], file[8+n:]
	if !utf8.Valid(header) {
		return nil, nil, errors.New("the header is not UTF-8")
	}
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, errors.New("the header is no JSON object")
	}
	entries, metadata, err := parseHeader(header)
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	if err := checkLayout(entries, len(data)); err != nil {
		return nil, nil, err
	}
	for i := range entries {
		entries[i].begin += 8 + int(n)
		entries[i].end += 8 + int(n)
	}
	return entries, metadata, nil
}

// checkLayout sorts entries by place and checks that they tile the data section without gap or overlap.
func checkLayout(entries []entry, size int) error {
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	at := 0
	for i, e := range entries {
		if e.end > size {
			return fmt.Errorf("tensor %q ends at byte %d of the data, which has %d", e.Name, e.end, size)
		}
		if e.begin < at {
			return fmt.Errorf("tensors %q and %q overlap", entries[i-1].Name, e.Name)
		}
		if e.begin > at {
			return fmt.Errorf("nothing describes the %d bytes before tensor %q", e.begin-at, e.Name)
		}
		at = e.end
	}
	if at != size {
		return fmt.Errorf("nothing describes the last %d bytes of the file", size-at)
	}
	return nil
}

// parseHeader reads the JSON token by token: that finds repeated keys, which a map would hide.
func parseHeader(header []byte) (entries []entry, metadata map[string]string, err error) {
	d := newDecoder(header)
	err = d.object(func(key string) (err error) {
		if key == "__metadata__" {
			metadata, err = d.metadata()
			return err
		}
		e, err := d.entry(key)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", key, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err == nil {
		err = d.end()
	}
	return entries, metadata, err
}

type decoder struct{ *json.Decoder }

func newDecoder(text []byte) decoder {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return decoder{d}
}

// next is the next token; the end of the text is an error.
func (d decoder) next() (json.Token, error) {
	tok, err := d.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return tok, err
}

func (d decoder) expect(want json.Delim) error {
	tok, err := d.next()
	if err == nil && tok != want {
		err = fmt.Errorf("have %v where %v should stand", tok, want)
	}
	return err
}

// object calls member for each key of an object; member reads the value.
func (d decoder) object(member func(key string) error) error {
	if err := d.expect('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		tok, err := d.next()
		if err != nil {
			return err
		}
		key, ok := tok.(string)
		if !ok {
			return fmt.Errorf("have %v where a key should stand", tok)
		}
		if seen[key] {
			return fmt.Errorf("the key %q stands twice", key)
		}
		seen[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	return d.expect('}')
}

// end checks that nothing but white space follows.
func (d decoder) end() error {
	if tok, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%v follows its end", tok)
	}
	return nil
}

func (d decoder) string() (string, error) {
	tok, err := d.next()
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("have %v where a string should stand", tok)
	}
	return s, nil
}

// strings reads an object whose values are strings.
func (d decoder) strings() (map[string]string, error) {
	m := map[string]string{}
	err := d.object(func(key string) error {
		s, err := d.string()
		if err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		m[key] = s
		return nil
	})
	return m, err
}

// metadata reads the __metadata__ object; null stands for none, as MLX writes it.
func (d decoder) metadata() (map[string]string, error) {
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil || string(raw) == "null" {
		return nil, err
	}
	m, err := newDecoder(raw).strings()
	if err != nil {
		return nil, fmt.Errorf("__metadata__: %w", err)
	}
	return m, nil
}

// ints reads an array of non-negative integers.
func (d decoder) ints() ([]int, error) {
	if err := d.expect('['); err != nil {
		return nil, err
	}
	list := []int{}
	for d.More() {
		tok, err := d.next()
		if err != nil {
			return nil, err
		}
		number, _ := tok.(json.Number)
		n, err := strconv.ParseUint(string(number), 10, 64)
		if err != nil || n > math.MaxInt {
			return nil, fmt.Errorf("%v is no size", tok)
		}
		list = append(list, int(n))
	}
	return list, d.expect(']')
}

// entry reads one tensor's description. Keys that the format does not have are skipped, as the reference does.
func (d decoder) entry(name string) (entry, error) {
	e := entry{Info: Info{Name: name}}
	var offsets []int
	err := d.object(func(key string) (err error) {
		switch key {
		case "dtype":
			e.DType, err = d.string()
		case "shape":
			e.Shape, err = d.ints()
		case "data_offsets":
			offsets, err = d.ints()
		default:
			return d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return e, err
	}
	if e.DType == "" || e.Shape == nil || len(offsets) != 2 {
		return e, errors.New("needs dtype, shape and two data_offsets")
	}
	e.begin, e.end = offsets[0], offsets[1]
	size, err := e.size()
	if err != nil {
		return e, err
	}
	if e.begin > e.end || e.end-e.begin != size {
		return e, fmt.Errorf("data_offsets %v do not fit %s of shape %v, %d bytes", offsets, e.DType, e.Shape, size)
	}
	return e, nil
}

// size is the number of bytes that the tensor takes.
func (t Info) size() (int, error) {
	bits, ok := dtypeBits[t.DType]
	if !ok {
		return 0, fmt.Errorf("dtype %q is none of the format's", t.DType)
	}
	n, err := weights.Count(t.Shape)
	if err != nil {
		return 0, err
	}
	if n%8*bits%8 != 0 {
		return 0, fmt.Errorf("%d values of %s are no whole number of bytes", n, t.DType)
	}
	return n/8*bits + n%8*bits/8, nil
}
