package chat

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ardanlabs/jinja"
)

// operators are the functions that the rewriter puts in place of operators, subscripts and loops' lists.
var operators = map[string]callable{"add": add, "sub": sub, "mul": mul, "div": div,
	"floordiv": floorDiv, "mod": mod, "cat": cat, "attr": attr, "item": item,
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
		return cat(args, nil)
	case a.IsList() && b.IsList():
		if a.AsList().Len()+b.AsList().Len() > maxRange {
			return jinja.Undefined(), fmt.Errorf("+ makes a list longer than %d", maxRange)
		}
		return jinja.NewList(slices.Concat(a.AsList().Items, b.AsList().Items)), nil
	}
	return arithmetic("+", a, b, func(a, b int64) int64 { return a + b }, func(a, b float64) float64 { return a + b })
}

func sub(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 2 {
		return jinja.Undefined(), fmt.Errorf("- with %d operands", len(args))
	}
	return arithmetic("-", args[0], args[1], func(a, b int64) int64 { return a - b }, func(a, b float64) float64 { return a - b })
}

// mul is Python's *, which repeats strings and lists; their length is bounded.
func mul(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 2 {
		return jinja.Undefined(), fmt.Errorf("* with %d operands", len(args))
	}
	a, b := args[0], args[1]
	if a.IsInt() && (b.IsString() || b.IsList()) {
		a, b = b, a
	}
	if (a.IsString() || a.IsList()) && b.IsInt() {
		n := max(b.AsInt(), 0)
		if a.IsString() && n*int64(len(a.AsString())) <= maxRange && n <= maxRange {
			return str(strings.Repeat(a.AsString(), int(n)))
		}
		if a.IsList() && n*int64(a.AsList().Len()) <= maxRange && n <= maxRange {
			return jinja.NewList(slices.Repeat(a.AsList().Items, int(n))), nil
		}
		return jinja.Undefined(), fmt.Errorf("* makes something longer than %d", maxRange)
	}
	return arithmetic("*", a, b, func(a, b int64) int64 { return a * b }, func(a, b float64) float64 { return a * b })
}

// divisor checks the operands of a division.
func divisor(op string, args []jinja.Value) error {
	if len(args) != 2 {
		return fmt.Errorf("%s with %d operands", op, len(args))
	}
	if b, ok := number(args[1]); ok && b == 0 {
		return fmt.Errorf("division by zero")
	}
	return nil
}

func div(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if err := divisor("/", args); err != nil {
		return jinja.Undefined(), err
	}
	a, ok1 := number(args[0])
	b, ok2 := number(args[1])
	if !ok1 || !ok2 {
		return jinja.Undefined(), operandError("/", args[0], args[1])
	}
	return jinja.NewFloat(a / b), nil
}

// floorDiv is Python's //, which rounds down.
func floorDiv(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if err := divisor("//", args); err != nil {
		return jinja.Undefined(), err
	}
	return arithmetic("//", args[0], args[1], floorQuotient, func(a, b float64) float64 { return math.Floor(a / b) })
}

func floorQuotient(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// mod is Python's %: of a string it formats, of numbers the result has the sign of the divisor.
func mod(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) == 2 && args[0].IsString() {
		return formatPercent(args, nil)
	}
	if err := divisor("%", args); err != nil {
		return jinja.Undefined(), err
	}
	return arithmetic("%", args[0], args[1], func(a, b int64) int64 { return a - b*floorQuotient(a, b) },
		func(a, b float64) float64 { return a - b*math.Floor(a/b) })
}

func operandError(op string, a, b jinja.Value) error {
	return fmt.Errorf("unsupported operands for %s: %s and %s", op, typeName(a), typeName(b))
}

// arithmetic applies an operator to two numbers.
func arithmetic(op string, a, b jinja.Value, ints func(a, b int64) int64, floats func(a, b float64) float64) (jinja.Value, error) {
	x, ok1 := number(a)
	y, ok2 := number(b)
	if !ok1 || !ok2 {
		return jinja.Undefined(), operandError(op, a, b)
	}
	if a.IsFloat() || b.IsFloat() {
		return jinja.NewFloat(floats(x, y)), nil
	}
	return jinja.NewInt(ints(integer(a), integer(b))), nil
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
		s := pyStr(a)
		if b.Len()+len(s) > maxOutput {
			return jinja.Undefined(), fmt.Errorf("the template makes a string longer than %d bytes", maxOutput)
		}
		b.WriteString(s)
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
