package chat

import (
	"fmt"
	"strings"

	"github.com/ardanlabs/jinja"
)

func formatFilter(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	return formatPercent([]jinja.Value{args[0], jinja.NewList(args[1:])}, nil)
}

// formatPercent is "..." % x for %s, %d, %r and %%; a list stands for a tuple.
func formatPercent(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	values := []jinja.Value{args[1]}
	if args[1].IsList() {
		values = args[1].AsList().Items
	}
	var b strings.Builder
	f := pyStr(args[0])
	for i := 0; i < len(f); i++ {
		if f[i] != '%' || i+1 == len(f) {
			b.WriteByte(f[i])
			continue
		}
		i++
		if f[i] == '%' {
			b.WriteByte('%')
			continue
		}
		if len(values) == 0 {
			return jinja.Undefined(), fmt.Errorf("not enough arguments for %q", f)
		}
		v := values[0]
		values = values[1:]
		switch {
		case f[i] == 's':
			b.WriteString(pyStr(v))
		case f[i] == 'r':
			b.WriteString(pyRepr(v))
		case f[i] == 'd' && v.IsInt():
			b.WriteString(pyStr(v))
		default:
			return jinja.Undefined(), fmt.Errorf("%%%c of %s in %q is not supported", f[i], pyRepr(v), f)
		}
	}
	if len(values) > 0 {
		return jinja.Undefined(), fmt.Errorf("too many arguments for %q", f)
	}
	return str(b.String())
}

// formatMethod is str.format with {}, {0} and {name}.
func formatMethod(s string, args []jinja.Value, kwargs map[string]jinja.Value) (jinja.Value, error) {
	var b strings.Builder
	next := 0
	for i := 0; i < len(s); i++ {
		if rest := s[i:]; strings.HasPrefix(rest, "{{") || strings.HasPrefix(rest, "}}") {
			b.WriteByte(s[i])
			i++
			continue
		}
		if s[i] != '{' {
			b.WriteByte(s[i])
			continue
		}
		n := strings.IndexByte(s[i:], '}')
		if n < 0 {
			return jinja.Undefined(), fmt.Errorf("format: %q has an open brace", s)
		}
		name := s[i+1 : i+n]
		i += n
		v, ok := kwargs[name]
		if !ok {
			k := next
			if name == "" {
				next++
			} else if len(name) == 1 && name[0] >= '0' && name[0] <= '9' {
				k = int(name[0] - '0')
			} else {
				k = len(args)
			}
			if k >= len(args) {
				return jinja.Undefined(), fmt.Errorf("format: {%s} of %q is not supported or has no argument", name, s)
			}
			v = args[k]
		}
		b.WriteString(pyStr(v))
	}
	return str(b.String())
}
