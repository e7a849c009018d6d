package optim

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// options reads a schedule's own settings. It remembers which were asked for, so that a setting the
// schedule does not know is an error and not silently lost.
type options struct {
	given map[string]any
	known []string
	errs  []error
}

func (o *options) fail(format string, args ...any) {
	o.errs = append(o.errs, fmt.Errorf(format, args...))
}

// has reports whether the setting was given.
func (o *options) has(name string) bool {
	_, ok := o.given[name]
	return ok
}

// lookup notes that the schedule knows name and returns what was given for it.
func (o *options) lookup(name string) (any, bool) {
	o.known = append(o.known, name)
	v, ok := o.given[name]
	return v, ok
}

// number returns the finite number given for name, or def.
func (o *options) number(name string, def float64) float64 {
	v, ok := o.lookup(name)
	if !ok {
		return def
	}
	var x float64
	switch n := v.(type) {
	case int:
		x = float64(n)
	case int64:
		x = float64(n)
	case uint64:
		x = float64(n)
	case float64:
		x = n
	default:
		o.fail("%s must be a number, got %v", name, v)
		return def
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		o.fail("%s must be finite, got %g", name, x)
		return def
	}
	return x
}

// ramp returns the name in ramps that was given for name, or def.
func (o *options) ramp(name, def string) string {
	v, ok := o.lookup(name)
	if !ok {
		return def
	}
	s, _ := v.(string)
	if _, ok := ramps[s]; !ok {
		o.fail("%s must be one of %s, got %v", name, strings.Join(slices.Sorted(maps.Keys(ramps)), ", "), v)
		return def
	}
	return s
}

// check returns everything that was wrong, unknown settings included.
func (o *options) check() error {
	for _, name := range slices.Sorted(maps.Keys(o.given)) {
		if slices.Contains(o.known, name) {
			continue
		}
		have := "it has none"
		if len(o.known) > 0 {
			have = "have: " + strings.Join(o.known, ", ")
		}
		o.fail("unknown option %q (%s)", name, have)
	}
	return errors.Join(o.errs...)
}
