package chat

import (
	"fmt"
	"slices"
	"strings"
)

// keywords end an operand.
var keywords = []string{"and", "or", "not", "in", "is", "if", "else"}

// separates reports whether t stands between sums: a comma, colon, comparison or keyword.
func (t token) separates() bool {
	switch t.kind {
	case tokOp:
		return slices.Contains([]string{",", ":", "=", "==", "!=", "<", ">", "<=", ">="}, t.text)
	case tokName:
		return slices.Contains(keywords, t.text)
	}
	return false
}

// expr rewrites a list of tokens: sums and what separates them. A space goes after each token, so that
// none join and no }} or %} appears by accident.
func (r *rewriter) expr(toks []token) (string, error) {
	var b strings.Builder
	for i := 0; i < len(toks); {
		end := span(toks, i, token.separates)
		s, err := r.sum(toks[i:end])
		if err != nil {
			return "", err
		}
		b.WriteString(s)
		if i = end; i == len(toks) {
			break
		}
		if toks[i].name("is") {
			if s, i, err = r.test(toks, i+1); err != nil {
				return "", err
			}
			b.WriteString("is " + s)
			continue
		}
		b.WriteString(toks[i].text + " ")
		i++
	}
	return b.String(), nil
}

// span returns the index of the first token from i on, outside brackets, for which stop holds.
func span(toks []token, i int, stop func(token) bool) int {
	for i < len(toks) && !stop(toks[i]) {
		i = next(toks, i)
	}
	return i
}

// next is the index after token i, or after the bracket it opens.
func next(toks []token, i int) int {
	if !toks[i].opens() {
		return i + 1
	}
	depth := 0
	for ; i < len(toks); i++ {
		if toks[i].opens() {
			depth++
		} else if toks[i].closes() {
			depth--
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(toks)
}

func (t token) opens() bool { return t.is("(") || t.is("[") || t.is("{") }

func (t token) closes() bool { return t.is(")") || t.is("]") || t.is("}") }

// functions take the place of binary operators.
var functions = map[string]string{"+": "add", "-": "sub", "*": "mul", "/": "div", "//": "floordiv", "%": "mod"}

// sum rewrites a + b - c, where each part may be x ~ y.
func (r *rewriter) sum(toks []token) (string, error) {
	return r.fold(toks, r.concat, "+", "-")
}

// product rewrites a * b / c.
func (r *rewriter) product(toks []token) (string, error) {
	return r.fold(toks, r.operand, "*", "/", "//", "%")
}

// fold turns binary operators of one precedence into calls, the leftmost innermost.
func (r *rewriter) fold(toks []token, part func([]token) (string, error), ops ...string) (string, error) {
	parts, found := splitBinary(toks, ops...)
	out := ""
	for i, p := range parts {
		s, err := part(p)
		if err != nil {
			return "", err
		}
		if i == 0 {
			out = s
		} else {
			out = own + functions[found[i-1]] + " ( " + out + ", " + s + ") "
		}
	}
	return out, nil
}

func (r *rewriter) concat(toks []token) (string, error) {
	parts, _ := splitBinary(toks, "~")
	list := make([]string, len(parts))
	for i, part := range parts {
		s, err := r.product(part)
		if err != nil {
			return "", err
		}
		list[i] = s
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return own + "cat ( " + strings.Join(list, ", ") + ") ", nil
}

// splitBinary cuts toks at the binary operators ops outside brackets. A sign is unary at the start and after
// another operator.
func splitBinary(toks []token, ops ...string) (parts [][]token, found []string) {
	from := 0
	for i := 0; i < len(toks); i = next(toks, i) {
		t := toks[i]
		binary := i > from && (toks[i-1].kind != tokOp || toks[i-1].closes())
		if t.kind == tokOp && binary && slices.Contains(ops, t.text) {
			parts, found = append(parts, toks[from:i]), append(found, t.text)
			from = i + 1
		}
	}
	return append(parts, toks[from:]), found
}

// operand rewrites one operand with its sign, filters, calls and subscripts.
func (r *rewriter) operand(toks []token) (string, error) {
	var b strings.Builder
	attached := false // the token before can be called or subscripted
	for i := 0; i < len(toks); {
		t := toks[i]
		end := next(toks, i)
		s, after := "", false
		var err error
		switch {
		case attached && (t.kind != tokOp || t.is("{")):
			err = fmt.Errorf("unexpected %q", t.text)
		case t.kind == tokString:
			s, end = text(toks, i)
			after = true
		case t.opens():
			s, err = r.bracket(toks[i:end], attached)
			after = true
		case t.is("|") && end < len(toks):
			s, end, after = r.filter(toks, end), end+1, true
		case t.is(".") && end < len(toks):
			s, end, after = r.attribute(toks, end), end+1, true
		case t.kind == tokName && strings.HasPrefix(t.text, own):
			err = fmt.Errorf("the name %s is reserved", t.text)
		default:
			s, after = engineName(t.text)+" ", t.kind != tokOp
		}
		if err != nil {
			return "", err
		}
		b.WriteString(s)
		i, attached = end, after
	}
	return b.String(), nil
}

// text writes the string literal at i, joined with those right after it, and returns the index after them.
func text(toks []token, i int) (string, int) {
	value := ""
	for ; i < len(toks) && toks[i].kind == tokString; i++ {
		value += toks[i].text
	}
	return quote(value) + " ", i
}

// bracket writes toks, a bracket and what is in it. attached says that it calls or subscripts what is
// before it.
func (r *rewriter) bracket(toks []token, attached bool) (string, error) {
	open, last := toks[0].text, toks[len(toks)-1]
	if !last.closes() || len(toks) == 1 {
		return "", fmt.Errorf("a bracket %s is not closed", open)
	}
	inner := toks[1 : len(toks)-1]
	spread := attached && open == "(" && len(inner) > 1 && inner[0].is("*")
	if spread {
		inner = inner[1:]
	}
	s, err := r.expr(inner)
	switch {
	case spread:
		return "| " + own + "spread ( " + s + ") ", err
	case attached && open == "[" && span(inner, 0, func(t token) bool { return t.is(":") }) == len(inner):
		return "| " + own + "item ( " + s + ") ", err
	}
	return open + " " + s + last.text + " ", err
}

// filter writes | and the name of the filter at i.
func (r *rewriter) filter(toks []token, i int) string {
	if name := toks[i].text; ownFilter(name) {
		return "| " + own + name + " "
	}
	return "| " + toks[i].text + " "
}

// attribute writes the attribute or method at i.
func (r *rewriter) attribute(toks []token, i int) string {
	name := toks[i].text
	if i+1 >= len(toks) || !toks[i+1].is("(") {
		return "| " + own + "attr ( " + quote(name) + " ) "
	}
	if !slices.Contains(r.methods, name) {
		r.methods = append(r.methods, name)
	}
	return "| " + own + "m_" + name + " "
}

// test writes "[not] name" at i, with brackets around an argument that has none, and returns the index
// after it.
func (r *rewriter) test(toks []token, i int) (string, int, error) {
	out := ""
	if i < len(toks) && toks[i].name("not") {
		out = "not "
		i++
	}
	if i == len(toks) || toks[i].kind != tokName {
		return "", i, fmt.Errorf("is has no test behind it")
	}
	name := toks[i].text
	if name == "sequence" { // the engine's sequence is lists only
		name = "iterable"
	}
	out += name + " "
	i++
	if i == len(toks) || !startsOperand(toks[i]) {
		return out, i, nil
	}
	end := operandEnd(toks, i)
	arg := toks[i:end]
	if arg[0].is("(") && next(arg, 0) == len(arg) {
		arg = arg[1 : len(arg)-1]
	}
	s, err := r.expr(arg)
	return out + "( " + s + ") ", end, err
}

// startsOperand reports whether t can only be the argument of a test before it.
func startsOperand(t token) bool {
	if t.kind == tokName {
		return !slices.Contains(keywords, t.text)
	}
	return t.kind != tokOp || t.opens()
}

// operandEnd returns the index after the operand that starts at i: a bracket or a word, and what is
// attached to it by dots, filters and brackets.
func operandEnd(toks []token, i int) int {
	for i < len(toks) && (toks[i].is("-") || toks[i].is("+")) {
		i++
	}
	if i == len(toks) {
		return i
	}
	i = next(toks, i)
	for i < len(toks) {
		switch {
		case toks[i].is("."), toks[i].is("|"):
			i = min(i+2, len(toks))
		case toks[i].is("("), toks[i].is("["):
			i = next(toks, i)
		default:
			return i
		}
	}
	return i
}

var quoter = strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\t", `\t`)

// quote writes s as a string literal of the engine.
func quote(s string) string { return "'" + quoter.Replace(s) + "'" }
