package lora

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"

	"ft/peft"
)

// settings is what an adapter is made with, whether a config file or adapter_config.json said it.
type settings struct {
	rank           int
	alpha, dropout float64
	stabilized     bool
	init           string // one of inits
	targets        peft.Targets
	ranks, alphas  rules
}

// rule gives the modules that match an expression a value of their own.
type rule struct {
	match   string
	value   float64
	pattern *peft.Pattern
}

// rules are tried in order; the first that matches wins.
type rules []rule

// compile readies the rules' expressions.
func (s *settings) compile() error {
	for key, rs := range map[string]rules{"rank_pattern": s.ranks, "alpha_pattern": s.alphas} {
		if err := rs.compile(); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

func (rs rules) compile() error {
	for i := range rs {
		p, err := peft.EndPattern(rs[i].match)
		if err != nil {
			return err
		}
		rs[i].pattern = p
	}
	return nil
}

// of is the value for a module, or def when no rule matches.
func (rs rules) of(module string, def float64) (float64, error) {
	for _, r := range rs {
		if ok, err := r.pattern.Match(module); err != nil || ok {
			return r.value, err
		}
	}
	return def, nil
}

// of is the rank and the scale of a module.
func (s *settings) of(module string) (rank int, scale float32, err error) {
	r, err := s.ranks.of(module, float64(s.rank))
	if err != nil {
		return 0, 0, err
	}
	alpha, err := s.alphas.of(module, s.alpha)
	if err != nil {
		return 0, 0, err
	}
	if s.stabilized {
		return int(r), float32(alpha / math.Sqrt(r)), nil
	}
	return int(r), float32(alpha / r), nil
}

// used is an error unless each rule matches one of the modules: a rule without effect is a slip.
func (rs rules) used(modules []string) error {
	for _, r := range rs {
		hit := false
		for _, m := range modules {
			ok, err := r.pattern.Match(m)
			if err != nil {
				return err
			}
			hit = hit || ok
		}
		if !hit {
			return fmt.Errorf("patterns: %q matches none of the %d target modules (the first is %q)", r.match, len(modules), modules[0])
		}
	}
	return nil
}

// object is the rules as the JSON object that PEFT keeps them in. Objects are written with sorted keys, and the
// first key that matches wins, so where sorting would change a module's value each module gets a key of its own.
func (rs rules) object(modules []string) (map[string]any, error) {
	sorted := slices.Clone(rs)
	slices.SortStableFunc(sorted, func(a, b rule) int { return cmp.Compare(a.match, b.match) })
	sorted = slices.CompactFunc(sorted, func(a, b rule) bool { return a.match == b.match })
	object, exact, same := map[string]any{}, map[string]any{}, true
	for _, r := range sorted {
		object[r.match] = r.value
	}
	for _, m := range modules {
		want, err := rs.of(m, math.NaN())
		if err != nil {
			return nil, err
		}
		got, err := sorted.of(m, math.NaN())
		if err != nil {
			return nil, err
		}
		if !math.IsNaN(want) {
			exact[regexp.QuoteMeta(m)] = want
			same = same && got == want
		} else {
			same = same && math.IsNaN(got)
		}
	}
	if !same {
		return exact, nil
	}
	return object, nil
}
