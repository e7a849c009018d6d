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

// wordClass is \w of Oniguruma; regexp2's own lacks some marks and letter-like numbers.
const wordClass = `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\p{Other_Alphabetic}`

// translateRegex rewrites what Oniguruma and regexp2 read differently, and refuses what has no
// counterpart: class intersections and nested classes, POSIX brackets, intervals with no lower bound or followed by +,
// and a few escapes.
func translateRegex(p string) (string, error) {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '\\' && i+1 < len(p):
			i++
			s, err := translateEscape(p[i], inClass)
			if err != nil {
				return "", err
			}
			b.WriteString(s)
			continue
		case inClass && c == '[':
			return "", fmt.Errorf("a class inside a class is not supported")
		case inClass && strings.HasPrefix(p[i:], "&&"):
			return "", fmt.Errorf("a class intersection (&&) is not supported")
		case c == '[':
			inClass = true
			if strings.HasPrefix(p[i+1:], "^]") || strings.HasPrefix(p[i+1:], "]") {
				return "", fmt.Errorf("a class that starts with ] is not supported")
			}
		case c == ']':
			inClass = false
		case !inClass && strings.HasPrefix(p[i:], "{,"):
			return "", fmt.Errorf("an interval without a lower bound is not supported")
		case !inClass && strings.HasPrefix(p[i:], "}+"):
			return "", fmt.Errorf("an interval followed by + is not supported")
		case !inClass && strings.HasPrefix(p[i:], "(?"):
			n := strings.IndexAny(p[i:], ":)")
			if flags := p[i : i+max(n, 0)]; n > 0 && strings.Trim(flags[2:], "imx-") == "" {
				b.WriteString(strings.ReplaceAll(flags, "m", "s")) // Ruby's m lets a dot match newlines
				i += n - 1
				continue
			}
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

func translateEscape(c byte, inClass bool) (string, error) {
	switch {
	case c == 'w' && inClass:
		return wordClass, nil
	case c == 'w':
		return "[" + wordClass + "]", nil
	case c == 'W' && !inClass:
		return "[^" + wordClass + "]", nil
	case strings.IndexByte("WhHRXKgGkNOyY", c) >= 0:
		return "", fmt.Errorf(`\%c is not supported`, c)
	}
	return `\` + string(c), nil
}
