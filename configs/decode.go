package configs

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	yamlType = reflect.TypeFor[yaml.Unmarshaler]()
	textType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// setting is a value as somebody wrote it.
type setting struct {
	at   place
	node *yaml.Node
}

// key is one key of the config that holds a value.
type key struct {
	path  string        // dotted
	value reflect.Value // settable; holds the default
}

// keysOf lists the keys of the struct that v holds, in the order of its fields, each path under prefix.
// A field's key is its yaml tag; a field tagged "-" or without a tag is none, structs are sections.
func keysOf(v reflect.Value, prefix string) []key {
	var keys []key
	for _, f := range fieldsOf(v.Type()) {
		field := v.FieldByIndex(f.index)
		path := join(prefix, f.name)
		if field.Kind() == reflect.Struct && !selfMade(field.Type()) {
			keys = append(keys, keysOf(field, path)...)
		} else {
			keys = append(keys, key{path, field})
		}
	}
	return keys
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// field is a struct field that a key fills.
type field struct {
	name  string
	index []int
}

// fieldsOf lists the tagged fields of struct type t, those of inlined structs among them.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case slices.Contains(strings.Split(options, ","), "inline"):
			for _, inner := range fieldsOf(f.Type) {
				fields = append(fields, field{inner.name, append([]int{i}, inner.index...)})
			}
		case name != "":
			fields = append(fields, field{name, []int{i}})
		}
	}
	return fields
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for _, f := range fieldsOf(t) {
		names = append(names, f.name)
	}
	return names
}

// selfMade reports whether values of type t read themselves from YAML.
func selfMade(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(yamlType) || p.Implements(textType)
}

// decoder fills values strictly and gathers what is wrong.
type decoder struct {
	source   string
	problems *problems
}

func (d decoder) bad(n *yaml.Node, path, format string, args ...any) {
	d.problems.add(place{d.source, n.Line}, path, fmt.Sprintf(format, args...))
}

// value sets v from n. v keeps what it has where something is wrong.
func (d decoder) value(n *yaml.Node, path string, v reflect.Value) {
	line := n.Line
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Line != line { // speak of the place where the anchor is used
		used := *n
		used.Line = line
		n = &used
	}
	switch {
	case selfMade(v.Type()):
		d.self(n, path, v)
	case v.Kind() == reflect.Pointer:
		to := reflect.New(v.Type().Elem())
		d.value(n, path, to.Elem())
		v.Set(to)
	case v.Kind() == reflect.Slice:
		d.list(n, path, v)
	case v.Kind() == reflect.Struct:
		d.section(n, path, v)
	default:
		d.scalar(n, path, v)
	}
}

// self lets a value that reads itself do so.
func (d decoder) self(n *yaml.Node, path string, v reflect.Value) {
	to := reflect.New(v.Type())
	err := n.Decode(to.Interface())
	if err == nil {
		v.Set(to.Elem())
		return
	}
	texts := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	var types *yaml.TypeError
	if errors.As(err, &types) {
		texts = types.Errors
	}
	for _, text := range texts {
		line, text := cutLine(text)
		if line == 0 {
			line = n.Line
		}
		d.problems.add(place{d.source, line}, path, text)
	}
}

func (d decoder) list(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
			hint = ": write [" + shorten(n.Value) + "]"
		}
		d.bad(n, path, "expected a list, got %s%s", describe(n), hint)
		return
	}
	if len(n.Content) == 0 {
		v.SetZero()
		return
	}
	to := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(item, path+"["+strconv.Itoa(i)+"]", to.Index(i))
	}
	v.Set(to)
}

// section fills a struct that is an entry of a list.
func (d decoder) section(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.bad(n, path, "expected %s, got %s", describeType(v.Type()), describe(n))
		return
	}
	given := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, item := n.Content[i], n.Content[i+1]
		inner := join(path, name.Value)
		fields := fieldsOf(v.Type())
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == name.Value })
		switch first := given[name.Value]; {
		case at < 0:
			d.bad(name, inner, "unknown key%s", didYouMean(name.Value, fieldNames(v.Type())))
		case first > 0:
			d.bad(name, inner, "given twice, first on line %d", first)
		default:
			given[name.Value] = name.Line
			d.value(item, inner, v.FieldByIndex(fields[at].index))
		}
	}
}

// scalar sets a bool, number or text.
func (d decoder) scalar(n *yaml.Node, path string, v reflect.Value) {
	tag := n.ShortTag()
	var fits bool
	switch v.Kind() {
	case reflect.Bool:
		fits = tag == "!!bool"
	case reflect.String:
		fits = tag == "!!str"
	case reflect.Float32, reflect.Float64:
		fits = tag == "!!int" || tag == "!!float"
	default:
		fits = tag == "!!int"
	}
	if n.Kind != yaml.ScalarNode || !fits {
		hint := ""
		if v.Kind() == reflect.String && n.Kind == yaml.ScalarNode && tag != "!!null" {
			hint = `: write "` + shorten(n.Value) + `"`
		}
		d.bad(n, path, "expected %s, got %s%s", describeType(v.Type()), describe(n), hint)
		return
	}
	to := reflect.New(v.Type())
	if err := n.Decode(to.Interface()); err != nil {
		d.bad(n, path, "%s is out of range for %s", shorten(n.Value), describeType(v.Type()))
		return
	}
	if v.CanFloat() {
		if f := to.Elem().Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			d.bad(n, path, "expected a finite number, got %s", shorten(n.Value))
			return
		}
	}
	v.Set(to.Elem())
}

// describeType says in plain words what a value of type t is written as.
func describeType(t reflect.Type) string {
	switch {
	case selfMade(t):
		return "a value or a list"
	case t.Kind() == reflect.Pointer:
		return describeType(t.Elem())
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Struct:
		return "{" + strings.Join(fieldNames(t), ", ") + "}"
	case t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64:
		return "a whole number from 0"
	}
	return "a whole number"
}

// describe says what somebody wrote.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a section"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!str":
		return strconv.Quote(shorten(n.Value))
	}
	return shorten(n.Value)
}

// shorten keeps a value from filling the screen.
func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return s
}
