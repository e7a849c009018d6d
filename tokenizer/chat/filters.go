package chat

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ardanlabs/jinja"
)

// filters take the place of the engine's own, which differ from Jinja2's or lack something.
var filters = map[string]callable{
	"tojson": toJSON, "default": defaultFilter, "d": defaultFilter, "string": stringFilter, "trim": trimFilter,
	"join": joinFilter, "select": pick(true, false), "reject": pick(false, false), "selectattr": pick(true, true),
	"rejectattr": pick(false, true), "first": firstFilter, "last": lastFilter, "list": listFilter, "int": intFilter,
	"items": itemsFilter, "sort": sortFilter, "unique": uniqueFilter, "format": formatFilter, "indent": indentFilter,
	"replace": replaceFilter, "length": lengthFilter, "count": lengthFilter, "dictsort": dictsortFilter,
}

// ownFilter reports whether a filter is one of this package.
func ownFilter(name string) bool { return filters[name] != nil || name == "map" }

// arg is the argument at position i or of that name; undefined without either.
func arg(args []jinja.Value, kwargs map[string]jinja.Value, i int, name string) jinja.Value {
	if i < len(args) {
		return args[i]
	}
	if v, ok := kwargs[name]; ok {
		return v
	}
	return jinja.Undefined()
}

func str(s string) (jinja.Value, error) { return jinja.NewString(s), nil }

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func toJSON(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	style := jsonStyle{item: ", ", pair: ": "}
	style.ascii = arg(args, kwargs, 1, "ensure_ascii").IsTruthy()
	style.sortKeys = arg(args, kwargs, 4, "sort_keys").IsTruthy()
	switch indent := arg(args, kwargs, 2, "indent"); {
	case indent.IsInt() && indent.AsInt() < 100:
		style.multiline, style.item, style.indent = true, ",", strings.Repeat(" ", max(int(indent.AsInt()), 0))
	case indent.IsString():
		style.multiline, style.item, style.indent = true, ",", indent.AsString()
	}
	if sep := arg(args, kwargs, 3, "separators"); sep.IsList() && sep.AsList().Len() == 2 {
		style.item, style.pair = pyStr(sep.AsList().Get(0)), pyStr(sep.AsList().Get(1))
	}
	var b strings.Builder
	if err := style.write(&b, args[0], 0); err != nil {
		return jinja.Undefined(), err
	}
	return str(b.String())
}

func defaultFilter(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	v := args[0]
	if v.IsUndefined() || arg(args, kwargs, 2, "boolean").IsTruthy() && !v.IsTruthy() {
		if v = arg(args, kwargs, 1, "default_value"); v.IsUndefined() && len(args) < 2 {
			return str("")
		}
	}
	return v, nil
}

func stringFilter(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	return str(pyStr(args[0]))
}

func trimFilter(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	return str(strip(pyStr(args[0]), arg(args, kwargs, 1, "chars"), true, true))
}

// strip is Python's strip, lstrip and rstrip.
func strip(s string, chars jinja.Value, left, right bool) string {
	cut := isSpace
	if chars.IsString() {
		cut = func(r rune) bool { return strings.ContainsRune(chars.AsString(), r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, cut)
	}
	if right {
		s = strings.TrimRightFunc(s, cut)
	}
	return s
}

// items lists what a loop over v goes through.
func items(v jinja.Value) ([]jinja.Value, error) {
	var list []jinja.Value
	switch {
	case v.IsList():
		return v.AsList().Items, nil
	case v.IsDict():
		for _, k := range v.AsDict().Keys {
			list = append(list, jinja.NewString(k))
		}
	case v.IsString():
		for _, r := range v.AsString() {
			list = append(list, jinja.NewString(string(r)))
		}
	case !v.IsUndefined():
		return nil, fmt.Errorf("%s is not iterable", typeName(v))
	}
	return list, nil
}

// itemsIfAny is items for the filters that take whatever is false for an empty list.
func itemsIfAny(v jinja.Value) ([]jinja.Value, error) {
	if !v.IsTruthy() {
		return nil, nil
	}
	return items(v)
}

// attribute looks up a dotted path such as function.name.
func attribute(v jinja.Value, path string) jinja.Value {
	for part := range strings.SplitSeq(path, ".") {
		n, err := strconv.Atoi(part)
		switch {
		case v.IsDict():
			v, _ = v.AsDict().Get(part)
		case v.IsList() && err == nil && n >= 0 && n < v.AsList().Len():
			v = v.AsList().Get(n)
		default:
			return jinja.Undefined()
		}
	}
	return v
}

func joinFilter(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	list, err := items(args[0])
	if err != nil {
		return jinja.Undefined(), err
	}
	by := arg(args, kwargs, 2, "attribute")
	parts := make([]string, len(list))
	for i, v := range list {
		if by.IsString() {
			v = attribute(v, by.AsString())
		}
		parts[i] = pyStr(v)
	}
	return str(strings.Join(parts, pyStr(arg(args, kwargs, 1, "d"))))
}

// mapFilter looks up an attribute of each item, or applies a filter to it.
func mapFilter(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	list, err := itemsIfAny(args[0])
	if err != nil {
		return jinja.Undefined(), err
	}
	out := make([]jinja.Value, len(list))
	for i, v := range list {
		if len(args) == 1 {
			out[i] = attribute(v, pyStr(kwargs["attribute"]))
			if d, ok := kwargs["default"]; ok && out[i].IsUndefined() {
				out[i] = d
			}
			continue
		}
		name := pyStr(args[1])
		f := filters[name]
		if f == nil {
			f = func(a []jinja.Value, kw map[string]jinja.Value) (jinja.Value, error) {
				return callMethod(a[0], name, a[1:], kw) // upper, lower, title, capitalize
			}
		}
		if out[i], err = f(append([]jinja.Value{v}, args[2:]...), kwargs); err != nil {
			return jinja.Undefined(), err
		}
	}
	return jinja.NewList(out), nil
}

// pick makes select and reject (byAttr false), selectattr and rejectattr.
func pick(want, byAttr bool) callable {
	return func(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		list, err := itemsIfAny(args[0])
		if err != nil {
			return jinja.Undefined(), err
		}
		rest := args[1:]
		attr := ""
		if byAttr {
			if len(rest) == 0 {
				return jinja.Undefined(), fmt.Errorf("selectattr: expected an attribute")
			}
			attr, rest = pyStr(rest[0]), rest[1:]
		}
		out := []jinja.Value{}
		for _, item := range list {
			v := item
			if byAttr {
				v = attribute(item, attr)
			}
			ok := v.IsTruthy()
			if len(rest) > 0 {
				if ok, err = test(pyStr(rest[0]), v, rest[1:]); err != nil {
					return jinja.Undefined(), err
				}
			}
			if ok == want {
				out = append(out, item)
			}
		}
		return jinja.NewList(out), nil
	}
}

func firstFilter(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	list, err := items(args[0])
	if len(list) == 0 {
		return jinja.Undefined(), err
	}
	return list[0], err
}

func lastFilter(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	list, err := items(args[0])
	if len(list) == 0 {
		return jinja.Undefined(), err
	}
	return list[len(list)-1], err
}

func listFilter(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	list, err := items(args[0])
	return jinja.NewList(slices.Clone(list)), err
}

func lengthFilter(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if args[0].IsString() {
		return jinja.NewInt(int64(utf8.RuneCountInString(args[0].AsString()))), nil
	}
	list, err := items(args[0])
	return jinja.NewInt(int64(len(list))), err
}

func intFilter(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	v := args[0]
	switch {
	case v.IsInt():
		return v, nil
	case v.IsFloat():
		return jinja.NewInt(int64(v.AsFloat())), nil
	case v.IsBool() && v.AsBool():
		return jinja.NewInt(1), nil
	case v.IsString():
		s := strip(v.AsString(), jinja.None(), true, true)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return jinja.NewInt(n), nil
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return jinja.NewInt(int64(f)), nil
		}
	}
	if d := arg(args, kwargs, 1, "default"); d.IsInt() {
		return d, nil
	}
	return jinja.NewInt(0), nil
}

func itemsFilter(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if args[0].IsUndefined() {
		return jinja.NewList(nil), nil
	}
	if !args[0].IsDict() {
		return jinja.Undefined(), fmt.Errorf("items: %s is not a mapping", pyRepr(args[0]))
	}
	return pairs(args[0].AsDict(), args[0].AsDict().Keys), nil
}

func pairs(d *jinja.Dict, keys []string) jinja.Value {
	list := make([]jinja.Value, len(keys))
	for i, k := range keys {
		list[i] = jinja.NewList([]jinja.Value{jinja.NewString(k), d.Data[k]})
	}
	return jinja.NewList(list)
}

func dictsortFilter(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	if !args[0].IsDict() || len(args) > 1 {
		return jinja.Undefined(), fmt.Errorf("dictsort: only a mapping by its keys is supported")
	}
	keys := slices.Clone(args[0].AsDict().Keys)
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) })
	if kwargs["reverse"].IsTruthy() {
		slices.Reverse(keys)
	}
	return pairs(args[0].AsDict(), keys), nil
}

func sortFilter(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	list, err := items(args[0])
	if err != nil {
		return jinja.Undefined(), err
	}
	list = slices.Clone(list)
	by, caseSensitive := arg(args, kwargs, 3, "attribute"), arg(args, kwargs, 2, "case_sensitive").IsTruthy()
	key := func(v jinja.Value) jinja.Value {
		if by.IsString() {
			v = attribute(v, by.AsString())
		}
		if v.IsString() && !caseSensitive {
			v = jinja.NewString(strings.ToLower(v.AsString()))
		}
		return v
	}
	slices.SortStableFunc(list, func(a, b jinja.Value) int { return compare(key(a), key(b)) })
	if arg(args, kwargs, 1, "reverse").IsTruthy() {
		slices.Reverse(list)
	}
	return jinja.NewList(list), nil
}

func uniqueFilter(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	list, err := items(args[0])
	if err != nil {
		return jinja.Undefined(), err
	}
	by := arg(args, kwargs, 2, "attribute")
	seen := map[string]bool{}
	var out []jinja.Value
	for _, v := range list {
		k := v
		if by.IsString() {
			k = attribute(v, by.AsString())
		}
		if id := strings.ToLower(pyRepr(k)); !seen[id] {
			seen[id] = true
			out = append(out, v)
		}
	}
	return jinja.NewList(out), nil
}

func replaceFilter(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	n := -1
	if c := arg(args, kwargs, 3, "count"); c.IsInt() {
		n = int(c.AsInt())
	}
	return str(strings.Replace(pyStr(args[0]), pyStr(arg(args, kwargs, 1, "old")), pyStr(arg(args, kwargs, 2, "new")), n))
}

func indentFilter(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	pad := "    "
	switch w := arg(args, kwargs, 1, "width"); {
	case w.IsInt() && w.AsInt() < 1000:
		pad = strings.Repeat(" ", max(int(w.AsInt()), 0))
	case w.IsString():
		pad = w.AsString()
	}
	lines := strings.Split(pyStr(args[0]), "\n")
	for i := range lines {
		first := i == 0 && !arg(args, kwargs, 2, "first").IsTruthy()
		if !first && (i == 0 || lines[i] != "" || arg(args, kwargs, 3, "blank").IsTruthy()) {
			lines[i] = pad + lines[i]
		}
	}
	return str(strings.Join(lines, "\n"))
}
