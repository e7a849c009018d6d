package peft

import (
	"fmt"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// patternTime bounds one match: expressions come with downloaded adapters, and a backtracking engine can be
// made to run for ever.
const patternTime = time.Second

// Pattern is a regular expression over module paths in the syntax of Python's re, as far as regexp2 shares
// it (not shared: (?P=name), (?x) comments at the end).
type Pattern struct {
	text string
	re   *regexp2.Regexp
}

// WholePattern compiles an expression that must match a whole module path, as target_modules does when it is
// a string.
func WholePattern(expr string) (*Pattern, error) { return newPattern(expr, `\A(?:`+expr+`)\z`) }

// EndPattern compiles an expression that must match a module path, or its end after a dot, as the keys of
// rank_pattern and alpha_pattern do. The groups are numbered as in PEFT, where expr is inside group 2.
func EndPattern(expr string) (*Pattern, error) { return newPattern(expr, `\A(.*\.)?(`+expr+`)\z`) }

func newPattern(text, expr string) (*Pattern, error) {
	re, err := regexp2.Compile(expr, regexp2.RE2)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", text, err)
	}
	re.MatchTimeout = patternTime
	return &Pattern{text: text, re: re}, nil
}

// Match reports whether the pattern fits the module path. It fails when matching takes more than a second.
func (p *Pattern) Match(path string) (bool, error) {
	ok, err := p.re.MatchString(path)
	if err != nil {
		return false, fmt.Errorf("regular expression %q on %q: takes more than %v to match", p.text, path, patternTime)
	}
	return ok, nil
}
