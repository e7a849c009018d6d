package tokenizer

import (
	"fmt"
	"strings"

	"github.com/dlclark/regexp2/v2"
)

// compileRegex returns a finder for a regex of a tokenizer.json, which are in Oniguruma's Ruby syntax.
// The well-known ones have hand-written scanners; others run on regexp2 after translateRegex.
func compileRegex(pattern string) (finder, error) {
	if scan, ok := scanners[pattern]; ok {
		return eachScan(scan), nil
	}
	return compileBacktracking(pattern)
}

func compileBacktracking(pattern string) (finder, error) {
	translated, err := translateRegex(pattern)
	if err != nil {
		return nil, fmt.Errorf("regex %q: %w", pattern, err)
	}
	re, err := regexp2.Compile(translated, regexp2.Multiline, regexp2.OptionMaxBacktrackingStackSize(-1))
	if err != nil {
		return nil, fmt.Errorf("regex %q: %w", pattern, err)
	}
	return func(s string, yield func(int, int)) {
		// without a time or stack limit matching does not fail
		matches, _ := re.FindAllStringIndex(s, -1)
		for _, m := range matches {
			yield(m[0], m[1])
		}
	}, nil
}

// wordClass is \w of Oniguruma; regexp2's own differs in marks, letter-like numbers and joiners. Inside a class it lacks
// the fractions and raised digits of Latin-1.
const (
	wordInner = `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\p{Other_Alphabetic}`
	wordClass = wordInner + `²³¹¼-¾`
	wordEdge  = `(?:(?<=[` + wordClass + `])(?![` + wordClass + `])|(?<![` + wordClass + `])(?=[` + wordClass + `]))`
)

// translator rewrites what Oniguruma and regexp2 read differently: \w and \b, classes inside classes, the
// m flag. What has no counterpart it refuses: class intersections, negated inner classes, POSIX
// brackets, intervals without a lower bound or followed by +, and a few escapes.
type translator struct {
	in    string
	out   strings.Builder
	depth int // of classes
}

func translateRegex(pattern string) (string, error) {
	t := translator{in: pattern}
	for t.in != "" {
		n, err := t.step()
		if err != nil {
			return "", err
		}
		t.in = t.in[n:]
	}
	return t.out.String(), nil
}

// step translates what t.in begins with and returns how many bytes that was.
func (t *translator) step() (int, error) {
	p := t.in
	switch {
	case p[0] == '\\' && len(p) > 1:
		return t.escape()
	case t.depth > 0:
		return t.class()
	case p[0] == '[':
		if strings.HasPrefix(p, "[]") || strings.HasPrefix(p, "[^]") {
			return 0, fmt.Errorf("a class that starts with ] is not supported")
		}
		t.depth = 1
	case strings.HasPrefix(p, "{,"):
		return 0, fmt.Errorf("an interval without a lower bound is not supported")
	case strings.HasPrefix(p, "}+"):
		return 0, fmt.Errorf("an interval followed by + is not supported")
	case strings.HasPrefix(p, "(?"):
		n := strings.IndexAny(p, ":)")
		if n > 0 && strings.Trim(p[2:n], "imx-") == "" {
			t.out.WriteString(strings.ReplaceAll(p[:n], "m", "s")) // Ruby's m lets a dot match newlines
			return n, nil
		}
	}
	t.out.WriteByte(p[0])
	return 1, nil
}

// class translates a byte inside a class. An inner class adds its characters to the outer one.
func (t *translator) class() (int, error) {
	p := t.in
	switch {
	case strings.HasPrefix(p, "&&"):
		return 0, fmt.Errorf("a class intersection (&&) is not supported")
	case strings.HasPrefix(p, "[:"):
		return 0, fmt.Errorf("a POSIX bracket ([:...:]) is not supported")
	case strings.HasPrefix(p, "[^"), strings.HasPrefix(p, "[]"), p[0] == '[' && strings.HasSuffix(t.out.String(), "-"):
		return 0, fmt.Errorf("a class inside a class is only supported if it adds characters")
	case p[0] == '[':
		t.depth++
		return 1, nil
	case p[0] == ']':
		t.depth--
		if t.depth > 0 {
			return 1, nil
		}
	}
	t.out.WriteByte(p[0])
	return 1, nil
}

func (t *translator) escape() (int, error) {
	p := t.in
	inClass := t.depth > 0
	switch c := p[1]; {
	case (c == 'p' || c == 'P') && strings.HasPrefix(p[2:], "{"):
		n := strings.IndexByte(p, '}')
		if n < 0 || p[3] == '^' {
			return 0, fmt.Errorf("the property %s is not supported", p)
		}
		t.out.WriteString(p[:n+1])
		return n + 1, nil
	case c == 'w' && inClass:
		t.out.WriteString(wordInner)
	case c == 'w':
		t.out.WriteString("[" + wordClass + "]")
	case c == 'W' && !inClass:
		t.out.WriteString("[^" + wordClass + "]")
	case c == 'b' && !inClass:
		t.out.WriteString(wordEdge)
	case strings.IndexByte("WBhHRXKgGkNOyY", c) >= 0:
		return 0, fmt.Errorf(`\%c is not supported`, c)
	default:
		t.out.WriteString(p[:2])
	}
	return 2, nil
}
