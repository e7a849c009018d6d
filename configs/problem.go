package configs

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"ft/internal/suggest"
)

// Error is everything that is wrong with a config, one problem a line. Commands map it to the exit code of
// wrong usage.
type Error struct{ problems []problem }

// Error lists the problems: those of the file first, in its order, as `file:line: key: what is wrong`.
func (e *Error) Error() string {
	lines := make([]string, len(e.problems))
	for i, p := range e.problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// place is where a setting was made.
type place struct {
	source string // the file's name, the environment variable's, or --set
	line   int    // in the file; 0 elsewhere
}

func (p place) String() string {
	if p.line == 0 {
		return p.source
	}
	return p.source + ":" + strconv.Itoa(p.line)
}

// problem is one thing that is wrong.
type problem struct {
	at   place
	key  string // dotted path; empty if there is none to name
	text string
}

func (p problem) String() string {
	if p.key == "" {
		return p.at.String() + ": " + p.text
	}
	return p.at.String() + ": " + p.key + ": " + p.text
}

// problems gathers what is wrong.
type problems []problem

func (p *problems) add(at place, key, text string) {
	*p = append(*p, problem{at, key, text})
}

// has reports whether key, something inside it or something around it has a problem already.
func (p problems) has(key string) bool {
	return slices.ContainsFunc(p, func(q problem) bool {
		return q.key == key || inside(q.key, key) || inside(key, q.key)
	})
}

// inside reports whether the path key lies in section, a key or list entry.
func inside(key, section string) bool {
	rest, ok := strings.CutPrefix(key, section)
	return ok && section != "" && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// err is nil if nothing is wrong.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	order := func(q problem) int {
		if q.at.line == 0 {
			return math.MaxInt
		}
		return q.at.line
	}
	sorted := slices.Clone(p)
	slices.SortStableFunc(sorted, func(a, b problem) int { return cmp.Compare(order(a), order(b)) })
	return &Error{slices.Compact(sorted)}
}

// didYouMean is " (did you mean x?)" for the candidate nearest to key, or what there is to choose from.
func didYouMean(key string, candidates []string) string {
	if best := suggest.Nearest(key, candidates); best != "" {
		return " (did you mean " + best + "?)"
	}
	if len(candidates) == 0 {
		return ""
	}
	return " (have: " + strings.Join(candidates, ", ") + ")"
}
