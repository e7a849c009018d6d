package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/ardanlabs/jinja"
)

// maxJSONDepth bounds how deep the values given to a template may nest.
const maxJSONDepth = 1000

// fromJSON reads a JSON value; objects keep the order of their keys.
func fromJSON(data []byte) (jinja.Value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readJSON(d, 0)
	if err != nil {
		return v, err
	}
	if _, err := d.Token(); err != io.EOF {
		return v, fmt.Errorf("there is more after the JSON value")
	}
	return v, nil
}

func readJSON(d *json.Decoder, depth int) (jinja.Value, error) {
	none := jinja.None()
	tok, err := d.Token()
	if err != nil {
		return none, err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return jinja.FromGoValue(tok), nil
	}
	if depth > maxJSONDepth {
		return none, fmt.Errorf("values nest more than %d deep", maxJSONDepth)
	}
	dict := jinja.NewDict()
	var list []jinja.Value
	for d.More() {
		var key json.Token
		if delim == '{' {
			if key, err = d.Token(); err != nil {
				return none, err
			}
		}
		v, err := readJSON(d, depth+1)
		if err != nil {
			return none, err
		}
		if delim == '{' {
			dict.AsDict().Set(key.(string), v)
		} else {
			list = append(list, v)
		}
	}
	if _, err := d.Token(); err != nil {
		return none, err
	}
	if delim == '{' {
		return dict, nil
	}
	return jinja.NewList(list), nil
}

// pyStr is Python's str of v.
func pyStr(v jinja.Value) string {
	switch {
	case v.IsString():
		return v.AsString()
	case v.IsUndefined():
		return ""
	}
	return pyRepr(v)
}

// pyRepr is Python's repr of v.
func pyRepr(v jinja.Value) string {
	switch {
	case v.IsString():
		return quotePython(v.AsString())
	case v.IsFloat():
		return pyFloat(v.AsFloat())
	case v.IsList():
		parts := make([]string, v.AsList().Len())
		for i, x := range v.AsList().Items {
			parts[i] = pyRepr(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case v.IsDict():
		d := v.AsDict()
		parts := make([]string, d.Len())
		for i, k := range d.Keys {
			parts[i] = quotePython(k) + ": " + pyRepr(d.Data[k])
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return v.String()
}

// pyFloat writes the shortest digits that give f back, with an exponent from 1e16 up and below 1e-4.
func pyFloat(f float64) string {
	switch {
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64)), "+")
	case math.IsNaN(f):
		return "nan"
	case f == 0 || math.Abs(f) >= 1e-4 && math.Abs(f) < 1e16:
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

// quotePython writes a string literal as Python's repr does.
func quotePython(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == '\\' || r == rune(quote):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

// jsonStyle says how json.dumps lays out a value.
type jsonStyle struct {
	indent     string
	multiline  bool
	item, pair string // separators
	sortKeys   bool
	ascii      bool
}

// write appends v as Python's json.dumps does.
func (s jsonStyle) write(b *strings.Builder, v jinja.Value, depth int) error {
	switch {
	case v.IsString():
		s.writeString(b, v.AsString())
	case v.IsNone():
		b.WriteString("null")
	case v.IsBool():
		b.WriteString(strconv.FormatBool(v.AsBool()))
	case v.IsInt():
		b.WriteString(strconv.FormatInt(v.AsInt(), 10))
	case v.IsFloat():
		b.WriteString(jsonFloat(v.AsFloat()))
	case v.IsList():
		items := v.AsList().Items
		return s.writeAll(b, "[]", len(items), depth, func(i int) error { return s.write(b, items[i], depth+1) })
	case v.IsDict():
		d := v.AsDict()
		keys := d.Keys
		if s.sortKeys {
			keys = sorted(keys)
		}
		return s.writeAll(b, "{}", len(keys), depth, func(i int) error {
			s.writeString(b, keys[i])
			b.WriteString(s.pair)
			return s.write(b, d.Data[keys[i]], depth+1)
		})
	default:
		return fmt.Errorf("tojson: %s is not JSON serializable", v.String())
	}
	return nil
}

func (s jsonStyle) writeAll(b *strings.Builder, brackets string, n, depth int, one func(i int) error) error {
	if depth > maxJSONDepth {
		return fmt.Errorf("tojson: the value nests more than %d deep", maxJSONDepth)
	}
	b.WriteByte(brackets[0])
	line := func(depth int) {
		if s.multiline && n > 0 {
			b.WriteString("\n" + strings.Repeat(s.indent, depth))
		}
	}
	for i := range n {
		if i > 0 {
			b.WriteString(s.item)
		}
		line(depth + 1)
		if err := one(i); err != nil {
			return err
		}
	}
	line(depth)
	b.WriteByte(brackets[1])
	return nil
}

func jsonFloat(f float64) string {
	switch s := pyFloat(f); s {
	case "inf":
		return "Infinity"
	case "-inf":
		return "-Infinity"
	case "nan":
		return "NaN"
	default:
		return s
	}
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

func (s jsonStyle) writeString(b *strings.Builder, text string) {
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case jsonEscapes[r] != "":
			b.WriteString(jsonEscapes[r])
		case s.ascii && r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		case r < 0x20 || s.ascii && r > 0x7e:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
