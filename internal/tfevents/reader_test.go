package tfevents

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ft/internal/testkit"
)

// records splits an event file and checks every sum.
func records(b []byte) ([][]byte, error) {
	var out [][]byte
	for at := 0; at < len(b); {
		rest := b[at:]
		if len(rest) < 16 {
			return nil, fmt.Errorf("byte %d: %d bytes are no record", at, len(rest))
		}
		n := binary.LittleEndian.Uint64(rest)
		if n > uint64(len(rest)-16) {
			return nil, fmt.Errorf("byte %d: record of %d bytes, %d are left", at, n, len(rest)-16)
		}
		data := rest[12 : 12+n]
		if binary.LittleEndian.Uint32(rest[8:]) != maskedCRC(rest[:8]) || binary.LittleEndian.Uint32(rest[12+n:]) != maskedCRC(data) {
			return nil, fmt.Errorf("byte %d: wrong sum", at)
		}
		out = append(out, data)
		at += 16 + int(n)
	}
	return out, nil
}

// proto is a decoded message: per field number what was written to it, in order, numbers as their bits.
type proto map[int][]any

func decode(b []byte) (proto, error) {
	out := proto{}
	for len(b) > 0 {
		k, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errors.New("bad key")
		}
		b = b[n:]
		var v any
		switch size := 0; k & 7 {
		case wireVarint:
			if v, n = binary.Uvarint(b); n <= 0 {
				return nil, errors.New("bad number")
			}
			b = b[n:]
		case wireFixed64, wireFixed32:
			if size = 8; k&7 == wireFixed32 {
				size = 4
			}
			if len(b) < size {
				return nil, errors.New("message ends early")
			}
			if size == 8 {
				v = binary.LittleEndian.Uint64(b)
			} else {
				v = uint64(binary.LittleEndian.Uint32(b))
			}
			b = b[size:]
		case wireBytes:
			length, n := binary.Uvarint(b)
			if n <= 0 || length > uint64(len(b)-n) {
				return nil, errors.New("message ends early")
			}
			v, b = b[n:n+int(length)], b[n+int(length):]
		default:
			return nil, fmt.Errorf("wire type %d", k&7)
		}
		out[int(k>>3)] = append(out[int(k>>3)], v)
	}
	return out, nil
}

func (p proto) number(field int) uint64 {
	if len(p[field]) == 0 {
		return 0
	}
	return p[field][len(p[field])-1].(uint64)
}

func (p proto) bytes(field int) []byte {
	if len(p[field]) == 0 {
		return nil
	}
	return p[field][len(p[field])-1].([]byte)
}

func (p proto) message(t *testing.T, field int) proto {
	t.Helper()
	m, err := decode(p.bytes(field))
	if err != nil {
		t.Fatalf("field %d: %v", field, err)
	}
	return m
}

// readFile decodes all events of a file.
func readFile(t *testing.T, path string) (raw [][]byte, events []proto) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = records(b); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for i, r := range raw {
		e, err := decode(r)
		if err != nil {
			t.Fatalf("%s: record %d: %v", path, i, err)
		}
		events = append(events, e)
	}
	return raw, events
}

// float is a number, or a string such as "NaN" where JSON has no number.
type float float64

func (f *float) UnmarshalJSON(b []byte) error {
	x, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	*f = float(x)
	return err
}

// wanted is one event of expected.json.
type wanted struct {
	WallTime    float64 `json:"wall_time"`
	Step        int
	FileVersion string `json:"file_version"`
	Values      []struct {
		Tag           string
		SimpleValue   *float `json:"simple_value"`
		TensorBytes   *int   `json:"tensor_bytes"`
		MetadataBytes *int   `json:"metadata_bytes"`
		HistoBytes    *int   `json:"histo_bytes"`
	}
}

// TestConformance holds the test's reader against files that other programs wrote, and the writer's encoding of the
// same scalars against their bytes.
func TestConformance(t *testing.T) {
	testkit.Conformance(t, "tensorboard", func(t *testing.T, dir string) {
		raw, err := os.ReadFile(filepath.Join(dir, "expected.json"))
		if err != nil {
			t.Fatal(err)
		}
		var files map[string][]wanted
		if err := json.Unmarshal(raw, &files); err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Fatal("expected.json names no file")
		}
		for name, want := range files {
			t.Run(name, func(t *testing.T) {
				raw, events := readFile(t, filepath.Join(dir, filepath.FromSlash(name)))
				if len(events) != len(want) {
					t.Fatalf("%d events, want %d", len(events), len(want))
				}
				for i, e := range events {
					checkEvent(t, raw[i], e, want[i])
				}
			})
		}
	})
}

func checkEvent(t *testing.T, raw []byte, e proto, want wanted) {
	t.Helper()
	wall := math.Float64frombits(e.number(fieldWallTime))
	if wall != want.WallTime || int(e.number(fieldStep)) != want.Step || string(e.bytes(fieldFileVersion)) != want.FileVersion {
		t.Errorf("event at %v, step %d, version %q; want %+v", wall, e.number(fieldStep), e.bytes(fieldFileVersion), want)
	}
	values := e.message(t, fieldSummary)[fieldValue]
	if len(values) != len(want.Values) {
		t.Fatalf("%d values, want %+v", len(values), want.Values)
	}
	for i, w := range want.Values {
		v, err := decode(values[i].([]byte))
		if err != nil {
			t.Fatal(err)
		}
		if string(v.bytes(fieldTag)) != w.Tag {
			t.Errorf("tag %s, want %s", v.bytes(fieldTag), w.Tag)
		}
		if w.SimpleValue != nil {
			got, want := float64(math.Float32frombits(uint32(v.number(fieldSimpleValue)))), float64(*w.SimpleValue)
			if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Errorf("%s: %v, want %v", w.Tag, got, want)
			}
		}
		const fieldHisto = 5
		for field, n := range map[int]*int{fieldTensor: w.TensorBytes, fieldMetadata: w.MetadataBytes, fieldHisto: w.HistoBytes} {
			if n != nil && len(v.bytes(field)) != *n {
				t.Errorf("%s: field %d has %d bytes, want %d", w.Tag, field, len(v.bytes(field)), *n)
			}
		}
	}
	if len(want.Values) == 1 && want.Values[0].SimpleValue != nil {
		if got := encodeScalar(t, want.WallTime, want.Values[0].Tag, want.Step, float64(*want.Values[0].SimpleValue)); string(got) != string(raw) {
			t.Errorf("ft writes %x, the file has %x", got, raw)
		}
	}
}
