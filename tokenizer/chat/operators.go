package chat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ardanlabs/jinja"
)

// operators are the functions that the rewriter puts in place of operators, subscripts and loops' lists.
var operators = map[string]callable{"mod": formatPercent, "add": add, "sub": sub, "cat": cat, "attr": attr, "item": item,
	"spread": spread, "iter": iterable}

// typeName is Python's name for the type of v.
func typeName(v jinja.Value) string {
	switch {
	case v.IsUndefined():
		return "Undefined"
	case v.IsNone():
		return "NoneType"
	case v.IsBool():
		return "bool"
	case v.IsInt():
		return "int"
	case v.IsFloat():
		return "float"
	case v.IsString():
		return "str"
	case v.IsList():
		return "list"
	case v.IsDict():
		return "dict"
	}
	return "function"
}

// add is Python's +, which does not mix types.
func add(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 2 {
		return jinja.Undefined(), fmt.Errorf("+ with %d operands", len(args))
	}
	a, b := args[0], args[1]
	switch {
	case a.IsString() && b.IsString():
		return str(a.AsString() + b.AsString())
	case a.IsList() && b.IsList():
		return jinja.NewList(slices.Concat(a.AsList().Items, b.AsList().Items)), nil
	}
	return arithmetic("+", a, b, 1)
}

func sub(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 2 {
		return jinja.Undefined(), fmt.Errorf("- with %d operands", len(args))
	}
	return arithmetic("-", args[0], args[1], -1)
}

// arithmetic is a + sign·b of numbers.
func arithmetic(op string, a, b jinja.Value, sign int64) (jinja.Value, error) {
	x, ok1 := number(a)
	y, ok2 := number(b)
	if !ok1 || !ok2 {
		return jinja.Undefined(), fmt.Errorf("unsupported operands for %s: %s and %s", op, typeName(a), typeName(b))
	}
	if a.IsFloat() || b.IsFloat() {
		return jinja.NewFloat(x + float64(sign)*y), nil
	}
	return jinja.NewInt(integer(a) + sign*integer(b)), nil
}

func integer(v jinja.Value) int64 {
	if v.IsInt() {
		return v.AsInt()
	}
	if v.AsBool() {
		return 1
	}
	return 0
}

// cat is ~: the texts of all operands.
func cat(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	var b strings.Builder
	for _, a := range args {
		b.WriteString(pyStr(a))
	}
	return str(b.String())
}

// dictMethods are the attributes that a Python dict has beside its keys.
var dictMethods = []string{"items", "keys", "values", "get", "pop", "update", "copy", "clear", "setdefault", "popitem", "fromkeys"}

// attr is x.name: a method before a key, as Jinja2 looks it up.
func attr(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	v, name := args[0], pyStr(args[1])
	method := v.IsDict() && slices.Contains(dictMethods, name) || v.IsString() && (stringMethods[name] != nil || stringTests[name] != nil)
	if d := v; method && !(d.IsDict() && d.AsDict().Data[name].IsCallable()) {
		return jinja.NewCallable(name, func(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
			return callMethod(v, name, args, kwargs)
		}), nil
	}
	return item(args, nil)
}

// item is x[key]. What is not there is undefined; only looking into undefined is an error.
func item(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 2 {
		return jinja.Undefined(), fmt.Errorf("a subscript with %d keys is not supported", len(args)-1)
	}
	v, key := args[0], args[1]
	switch {
	case v.IsUndefined():
		return v, fmt.Errorf("undefined has no element %s", pyRepr(key))
	case v.IsDict():
		x, _ := v.AsDict().Get(pyStr(key))
		return x, nil
	case v.IsList() || v.IsString():
		n, err := index(key)
		list, _ := items(v)
		if n < 0 {
			n += len(list)
		}
		if err == nil && n >= 0 && n < len(list) {
			return list[n], nil
		}
	}
	return jinja.Undefined(), nil
}

func index(key jinja.Value) (int, error) {
	if key.IsString() { // x.0
		return strconv.Atoi(key.AsString())
	}
	if !key.IsInt() && !key.IsBool() {
		return 0, fmt.Errorf("%s is no index", typeName(key))
	}
	return int(integer(key)), nil
}

// spread is f(*list).
func spread(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 2 || !args[0].IsCallable() {
		return jinja.Undefined(), fmt.Errorf("only a function can be called, and * takes one list")
	}
	list, err := items(args[1])
	if err != nil {
		return jinja.Undefined(), err
	}
	return args[0].AsCallable().Fn(list, nil)
}
