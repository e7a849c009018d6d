package chat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ardanlabs/jinja"
)

// callMethod is v.name(args) with Python's meaning. The methods that change a list or a mapping are
// refused, as by the sandbox that Hugging Face renders in.
func callMethod(v jinja.Value, name string, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	if v.IsDict() {
		d := v.AsDict()
		if f, ok := d.Get(name); ok && f.IsCallable() {
			return f.AsCallable().Fn(args, kwargs)
		}
		switch name {
		case "items":
			return pairs(d, d.Keys), nil
		case "keys":
			return listFilter([]jinja.Value{v}, nil)
		case "values":
			list := make([]jinja.Value, d.Len())
			for i, k := range d.Keys {
				list[i] = d.Data[k]
			}
			return jinja.NewList(list), nil
		case "get":
			if x, ok := d.Get(pyStr(arg(args, kwargs, 0, "key"))); ok {
				return x, nil
			}
			if x := arg(args, kwargs, 1, "default"); !x.IsUndefined() {
				return x, nil
			}
			return jinja.None(), nil
		}
	}
	if v.IsList() && (name == "count" || name == "index") && len(args) == 1 {
		n := 0
		for i, x := range v.AsList().Items {
			if equal(x, args[0]) {
				if n++; name == "index" {
					return jinja.NewInt(int64(i)), nil
				}
			}
		}
		if name == "count" {
			return jinja.NewInt(int64(n)), nil
		}
	}
	if v.IsString() {
		if f := stringMethods[name]; f != nil {
			return f(v.AsString(), args, kwargs)
		}
		if is := stringTests[name]; is != nil {
			s := v.AsString()
			return jinja.NewBool(s != "" && strings.IndexFunc(s, func(r rune) bool { return !is(r) }) < 0), nil
		}
	}
	return jinja.Undefined(), fmt.Errorf("%.60s has no method %s, or a template may not call it", pyRepr(v), name)
}

type stringMethod func(s string, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error)

var stringTests = map[string]func(rune) bool{
	"isdigit":   unicode.IsDigit,
	"isnumeric": unicode.IsNumber,
	"isalpha":   unicode.IsLetter,
	"isspace":   isSpace,
	"isalnum":   func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) },
}

var stringMethods = map[string]stringMethod{
	"strip":      stripMethod(true, true),
	"lstrip":     stripMethod(true, false),
	"rstrip":     stripMethod(false, true),
	"split":      splitMethod(false),
	"rsplit":     splitMethod(true),
	"upper":      plainMethod(strings.ToUpper),
	"lower":      plainMethod(strings.ToLower),
	"title":      plainMethod(title),
	"capitalize": plainMethod(capitalize),
	"startswith": affixMethod(strings.HasPrefix),
	"endswith":   affixMethod(strings.HasSuffix),
	"removeprefix": func(s string, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		return str(strings.TrimPrefix(s, pyStr(arg(args, nil, 0, ""))))
	},
	"removesuffix": func(s string, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		return str(strings.TrimSuffix(s, pyStr(arg(args, nil, 0, ""))))
	},
	"replace": func(s string, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
		return replaceFilter(append([]jinja.Value{jinja.NewString(s)}, args...), kwargs)
	},
	"find":  indexMethod(strings.Index),
	"rfind": indexMethod(strings.LastIndex),
	"count": func(s string, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		return jinja.NewInt(int64(strings.Count(s, pyStr(arg(args, nil, 0, ""))))), nil
	},
	"join": func(s string, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		return joinFilter([]jinja.Value{arg(args, nil, 0, ""), jinja.NewString(s)}, nil)
	},
	"splitlines": func(s string, _ []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
		if s == "" {
			return jinja.NewList(nil), nil
		}
		return stringList(strings.Split(strings.TrimSuffix(s, "\n"), "\n")), nil
	},
	"partition": func(s string, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		before, after, ok := strings.Cut(s, pyStr(arg(args, nil, 0, "")))
		if !ok {
			return stringList([]string{s, "", ""}), nil
		}
		return stringList([]string{before, pyStr(args[0]), after}), nil
	},
	"format": formatMethod,
}

func plainMethod(f func(string) string) stringMethod {
	return func(s string, _ []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) { return str(f(s)) }
}

func stripMethod(left, right bool) stringMethod {
	return func(s string, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		return str(strip(s, arg(args, nil, 0, ""), left, right))
	}
}

// affixMethod is startswith and endswith, of one string or any of several.
func affixMethod(has func(s, affix string) bool) stringMethod {
	return func(s string, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		a := arg(args, nil, 0, "")
		if !a.IsList() {
			return jinja.NewBool(has(s, pyStr(a))), nil
		}
		return jinja.NewBool(slices.ContainsFunc(a.AsList().Items, func(x jinja.Value) bool { return has(s, pyStr(x)) })), nil
	}
}

// indexMethod is find and rfind, which count characters.
func indexMethod(find func(s, sub string) int) stringMethod {
	return func(s string, args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		i := find(s, pyStr(arg(args, nil, 0, "")))
		if i > 0 {
			i = utf8.RuneCountInString(s[:i])
		}
		return jinja.NewInt(int64(i)), nil
	}
}

// splitMethod is split and rsplit with their limit on the number of cuts.
func splitMethod(fromRight bool) stringMethod {
	return func(s string, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
		sep, limit := arg(args, kwargs, 0, "sep"), -1
		if m := arg(args, kwargs, 1, "maxsplit"); m.IsInt() {
			limit = int(m.AsInt())
		}
		if !sep.IsString() {
			if limit >= 0 {
				return jinja.Undefined(), fmt.Errorf("split at white space with a limit is not supported")
			}
			return stringList(strings.FieldsFunc(s, isSpace)), nil
		}
		if sep.AsString() == "" {
			return jinja.Undefined(), fmt.Errorf("split: empty separator")
		}
		parts := strings.Split(s, sep.AsString())
		if extra := len(parts) - 1 - limit; limit >= 0 && extra > 0 {
			if fromRight {
				parts = append([]string{strings.Join(parts[:extra+1], sep.AsString())}, parts[extra+1:]...)
			} else {
				parts = append(parts[:limit:limit], strings.Join(parts[limit:], sep.AsString()))
			}
		}
		return stringList(parts), nil
	}
}

func stringList(parts []string) jinja.Value {
	list := make([]jinja.Value, len(parts))
	for i, p := range parts {
		list[i] = jinja.NewString(p)
	}
	return jinja.NewList(list)
}

func title(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		first := !inWord
		inWord = unicode.IsLetter(r)
		if first {
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToTitle(r)) + strings.ToLower(s[n:])
}

// equal is Python's ==: numbers and bools compare by value.
func equal(a, b jinja.Value) bool {
	x, ok1 := number(a)
	y, ok2 := number(b)
	if ok1 && ok2 {
		return x == y
	}
	return a.Equals(b)
}

func number(v jinja.Value) (float64, bool) {
	switch {
	case v.IsInt():
		return float64(v.AsInt()), true
	case v.IsFloat():
		return v.AsFloat(), true
	case v.IsBool() && v.AsBool():
		return 1, true
	}
	return 0, v.IsBool()
}

func compare(a, b jinja.Value) int {
	x, ok1 := number(a)
	y, ok2 := number(b)
	if ok1 && ok2 {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(pyStr(a), pyStr(b))
}

// test is one of Jinja2's tests by its name, for select and its kin.
func test(name string, v jinja.Value, args []jinja.Value) (bool, error) {
	switch name {
	case "defined":
		return !v.IsUndefined(), nil
	case "undefined":
		return v.IsUndefined(), nil
	case "none":
		return v.IsNone(), nil
	case "string":
		return v.IsString(), nil
	case "mapping":
		return v.IsDict(), nil
	case "iterable", "sequence":
		return v.IsString() || v.IsList() || v.IsDict(), nil
	case "number":
		return v.IsNumber() || v.IsBool(), nil
	case "integer":
		return v.IsInt(), nil
	case "float":
		return v.IsFloat(), nil
	case "boolean":
		return v.IsBool(), nil
	case "true", "false":
		return v.IsBool() && v.AsBool() == (name == "true"), nil
	}
	if len(args) != 1 {
		return false, fmt.Errorf("the test %q with %d arguments is not supported", name, len(args))
	}
	switch name {
	case "eq", "equalto", "==", "sameas":
		return equal(v, args[0]), nil
	case "ne", "!=":
		return !equal(v, args[0]), nil
	case "lt", "lessthan", "<":
		return compare(v, args[0]) < 0, nil
	case "le", "<=":
		return compare(v, args[0]) <= 0, nil
	case "gt", "greaterthan", ">":
		return compare(v, args[0]) > 0, nil
	case "ge", ">=":
		return compare(v, args[0]) >= 0, nil
	case "in":
		if args[0].IsString() {
			return v.IsString() && strings.Contains(args[0].AsString(), v.AsString()), nil
		}
		list, err := items(args[0])
		return slices.ContainsFunc(list, func(x jinja.Value) bool { return equal(x, v) }), err
	}
	return false, fmt.Errorf("the test %q is not supported", name)
}
