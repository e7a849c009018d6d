package chat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ardanlabs/jinja"
)

// callable is a function as the engine calls it; a filter's first argument is what it is applied to.
type callable func(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error)

// The budget of one rendering.
const (
	maxTurns  = 1 << 20 // of all loops together
	maxOutput = 1 << 26 // bytes printed
	maxCalls  = 100     // macros in macros
	maxRange  = 1 << 20
)

// run is the state of one rendering.
type run struct {
	now           time.Time
	turns, output int
	depth         int
	strict        bool // undefined values are errors
}

func newRun(now time.Time) *run { return &run{now: now} }

// define adds what a rewritten template calls to its variables.
func (r *run) define(vars map[string]jinja.Value, methods []string) {
	def := func(name string, f callable) {
		if _, given := vars[name]; !given {
			if r.strict && !slices.Contains(allowsUndefined, strings.TrimPrefix(name, own)) {
				f = strictly(f)
			}
			vars[name] = jinja.NewCallable(name, f)
		}
	}
	for name, f := range filters {
		def(own+name, f)
	}
	def(own+"map", mapFilter)
	for _, name := range methods {
		def(own+"m_"+name, func(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
			return callMethod(args[0], name, args[1:], kwargs)
		})
	}
	for name, f := range operators {
		def(own+name, f)
	}
	for name, f := range globals {
		def(name, f)
	}
	for name, f := range map[string]callable{"print": r.print, "step": r.step, "enter": r.enter, "leave": r.leave} {
		def(own+name, f)
	}
	def("strftime_now", r.strftime)
}

// globals are the functions templates call by these names.
var globals = map[string]callable{"raise_exception": raise, "range": makeRange, "dict": makeDict, "namespace": makeDict}

func (r *run) print(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 1 {
		return jinja.Undefined(), fmt.Errorf("an expression with commas is not supported")
	}
	s := pyStr(args[0])
	if r.output += len(s); r.output > maxOutput {
		return jinja.Undefined(), fmt.Errorf("the template prints more than %d bytes", maxOutput)
	}
	return jinja.NewString(s), nil
}

// step counts a turn of a loop and the literal text in its body.
func (r *run) step(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	r.turns++
	r.output += int(args[0].AsInt())
	if r.turns > maxTurns || r.output > maxOutput {
		return jinja.Undefined(), fmt.Errorf("the template's loops take more than %d turns or print more than %d bytes", maxTurns, maxOutput)
	}
	return jinja.None(), nil
}

func (r *run) enter([]jinja.Value, map[string]jinja.Value) (jinja.Value, error) {
	if r.depth++; r.depth > maxCalls {
		return jinja.Undefined(), fmt.Errorf("macros call each other more than %d deep", maxCalls)
	}
	return jinja.None(), nil
}

func (r *run) leave([]jinja.Value, map[string]jinja.Value) (jinja.Value, error) {
	r.depth--
	return jinja.None(), nil
}

// iterable passes on what a loop can go through.
func iterable(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 1 { // for x in a, b
		return jinja.NewList(args), nil
	}
	_, err := items(args[0])
	return args[0], err
}

func raise(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	message := "the template refused the conversation"
	if len(args) > 0 {
		message = pyStr(args[0])
	}
	return jinja.Undefined(), fmt.Errorf("the template refuses: %s", message)
}

func makeRange(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	n := []int64{0, 0, 1}
	for i, a := range args {
		if !a.IsInt() || len(args) > 3 {
			return jinja.Undefined(), fmt.Errorf("range: expected one to three integers")
		}
		n[i] = a.AsInt()
	}
	if len(args) == 1 {
		n[0], n[1] = 0, n[0]
	}
	if len(args) == 0 || n[2] == 0 {
		return jinja.Undefined(), fmt.Errorf("range: expected an end and a step that is not 0")
	}
	var list []jinja.Value
	for i := n[0]; n[2] > 0 && i < n[1] || n[2] < 0 && i > n[1]; i += n[2] {
		if len(list) == maxRange {
			return jinja.Undefined(), fmt.Errorf("range: more than %d numbers", maxRange)
		}
		list = append(list, jinja.NewInt(i))
	}
	return jinja.NewList(list), nil
}

// makeDict is dict and namespace: the entries of a dict or of a list of pairs, then the named ones, which
// arrive without an order and are sorted.
func makeDict(args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	v := jinja.NewDict()
	d := v.AsDict()
	for _, a := range args {
		switch {
		case a.IsDict():
			for _, k := range a.AsDict().Keys {
				d.Set(k, a.AsDict().Data[k])
			}
		case a.IsList():
			for _, p := range a.AsList().Items {
				if !p.IsList() || p.AsList().Len() != 2 {
					return v, fmt.Errorf("dict: expected pairs")
				}
				d.Set(pyStr(p.AsList().Get(0)), p.AsList().Get(1))
			}
		default:
			return v, fmt.Errorf("dict: %s has no entries", pyRepr(a))
		}
	}
	for _, k := range sorted(keysOf(kwargs)) {
		d.Set(k, kwargs[k])
	}
	return v, nil
}

func keysOf(m map[string]jinja.Value) []string {
	var list []string
	for k := range maps.Keys(m) {
		list = append(list, k)
	}
	return list
}

// layouts are strftime's directives in Go's notation.
var layouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
	'B': "January", 'b': "Jan", 'h': "Jan", 'A': "Monday", 'a': "Mon", 'Z': "MST", 'z': "-0700", 'j': "002",
	'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04",
}

// strftime formats the time as C's strftime does; a minus drops leading zeros.
func (r *run) strftime(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 1 || !args[0].IsString() {
		return jinja.Undefined(), fmt.Errorf("strftime_now: expected a format")
	}
	var b strings.Builder
	f := args[0].AsString()
	for i := 0; i < len(f); i++ {
		if f[i] != '%' || i+1 == len(f) {
			b.WriteByte(f[i])
			continue
		}
		i++
		bare := f[i] == '-' && i+1 < len(f)
		if bare {
			i++
		}
		layout, ok := layouts[f[i]]
		switch {
		case f[i] == '%':
			b.WriteByte('%')
		case !ok:
			return jinja.Undefined(), fmt.Errorf("strftime_now: the directive %%%c is not supported", f[i])
		case bare:
			b.WriteString(strings.TrimLeft(r.now.Format(layout), "0 "))
		default:
			b.WriteString(r.now.Format(layout))
		}
	}
	return jinja.NewString(b.String()), nil
}
